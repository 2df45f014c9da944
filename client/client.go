// Package client calls the Wesendall API: eight methods, one for each endpoint,
// with typed requests, errors that say what happened to the money, and retries
// only where repeating a call can neither charge nor text anyone twice.
//
// It is thin on purpose. It never changes what the caller asked for, never
// interprets the data of an answer, and never sends a spend again unless the
// vendor said that the first one was refunded. It needs the standard library
// alone.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is where Wesendall answers.
const DefaultBaseURL = "https://www.wesendall.com"

// apiRoot is the path that every endpoint is under.
const apiRoot = "/api/v1"

// Options say whom to call, and as whom.
type Options struct {
	BaseURL   string // DefaultBaseURL when empty
	Key       string // the API key, which is no secret
	Secret    Secret
	UserAgent string // "" is sent as the package's own name
	// Connections are shared with other clients; nil are the client's own.
	Connections *Connections

	// Sleep waits between two attempts, until the context ends at the latest.
	// It is there for tests; nil waits by the clock.
	Sleep func(context.Context, time.Duration) error
}

// Client calls the API. It is safe for concurrent use.
type Client struct {
	base       string // without a slash at its end
	key        string
	secret     Secret
	scrub      scrubber
	userAgent  string
	reads      *http.Client
	writes     *http.Client
	readLimit  time.Duration // for one call, its retry included
	writeLimit time.Duration
	sleep      func(context.Context, time.Duration) error
	random     func() float64 // in [0, 1)
}

// New returns a client, or says what is wrong with the options. It calls
// nobody.
func New(o Options) (*Client, error) {
	scrub := newScrubber(o.Key, o.Secret)
	base, err := checkBase(o.BaseURL)
	if err != nil {
		return nil, errors.New(scrub.text(err.Error()))
	}
	if o.Connections == nil {
		o.Connections = NewConnections()
	}
	c := &Client{
		base: base, key: o.Key, secret: o.Secret, scrub: scrub, userAgent: o.UserAgent,
		reads: o.Connections.reads, writes: o.Connections.writes,
		// Hosts give up on a tool call after 60 s: by then a spend must have an
		// outcome that can be told.
		readLimit: 30 * time.Second, writeLimit: 45 * time.Second,
		sleep: o.Sleep, random: rand.Float64,
	}
	if c.userAgent == "" {
		c.userAgent = "wesendall-go"
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	return c, nil
}

// BaseURL is the address that the client calls, without /api/v1.
func (c *Client) BaseURL() string { return c.base }

// checkBase refuses whatever would send the credentials anywhere but to the API
// over TLS.
func checkBase(text string) (string, error) {
	if text == "" {
		return DefaultBaseURL, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("base URL: cannot be read as a URL") // the error would repeat a password in it
	}
	host := u.Hostname()
	text = u.Scheme + "://" + u.Host // the rest may hold what nobody should read
	loopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	switch {
	case u.User != nil:
		return "", errors.New("base URL: must not contain a user name or password")
	case host == "" || u.Opaque != "":
		return "", fmt.Errorf("base URL %q: must be an address such as %s", text, DefaultBaseURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback):
		return "", fmt.Errorf("base URL %q: must begin with https:// (plain http is for this machine alone)", text)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("base URL %q: must not have a query or a fragment", text)
	}
	// One address has one spelling, by which budgets and ledgers are told apart.
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	base := strings.TrimRight(u.String(), "/")
	if strings.HasSuffix(base, apiRoot) {
		return "", fmt.Errorf("base URL %q: must not end in %s, which every call adds", text, apiRoot)
	}
	return base, nil
}

// request is one call's parameters, put where the catalogue says they go.
type request struct {
	endpoint Endpoint
	url      string
	body     []byte // nil for a GET
	// single is a send to exactly one number, the one spend that the vendor's
	// own "retry once" cannot turn into a second text for someone who got one.
	single bool
}

// build sorts the parameters of a call into path, query and body.
func (c *Client) build(e Endpoint, params any) (request, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return request{}, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return request{}, err
	}
	path, query := e.Path, url.Values{}
	for _, p := range e.Params {
		value, given := values[p.Name]
		switch {
		case p.In == InPath:
			segment := plain(value)
			if segment == "" || segment == "." || segment == ".." {
				return request{}, fmt.Errorf("%s: must be an id, not %q", p.Name, segment)
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(segment))
			delete(values, p.Name)
		case p.In == InQuery && given:
			query.Set(p.Name, plain(value))
		}
	}
	r := request{endpoint: e, url: c.base + path}
	if e.Method == http.MethodGet {
		r.url += "?" + query.Encode()
		return r, nil
	}
	r.body, err = json.Marshal(values)
	return r, err
}

// plain is a JSON string's text, or any other value as it is written.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}
