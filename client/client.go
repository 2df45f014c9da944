// Package client calls the Wesendall API: eight methods, one for each endpoint,
// with typed requests, errors that say what happened to the money, and retries
// only where repeating a call can neither charge nor text anyone twice.
//
// It never changes what the caller asked for, never interprets the data of a
// success, and repeats a spend only if Wesendall answered that the first one was
// refunded. Besides the standard library it imports two leaves of this module,
// internal/sanitize and internal/loopback, so that their rules are written once.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// DefaultBaseURL is where Wesendall answers.
const DefaultBaseURL = "https://www.wesendall.com"

// apiRoot is the path that every endpoint is under.
const apiRoot = "/api/v1"

// Options say whom to call, and as whom.
type Options struct {
	BaseURL   string // DefaultBaseURL when empty
	APIKey    string // the API key, which is no secret
	APISecret Secret
	UserAgent string // "" is sent as the package's own name
	// Connections are shared with other clients; nil are the client's own.
	Transports *Transports

	// Sleep waits between two attempts, until the context ends at the latest.
	// It is there for tests; nil waits by the clock.
	SleepFunc func(context.Context, time.Duration) error
}

// Client calls the API. It is safe for concurrent use.
type Client struct {
	baseURL      string // without a slash at its end
	apiKey       string
	apiSecret    Secret
	redactor     redactor
	userAgent    string
	readHTTP     *http.Client
	writeHTTP    *http.Client
	readTimeout  time.Duration // for one call, its retry included
	writeTimeout time.Duration
	sleepFunc    func(context.Context, time.Duration) error
	jitter       func() float64 // in [0, 1)
}

// New returns a client, or says what is wrong with the options. It calls
// nobody.
func New(o Options) (*Client, error) {
	redactor := newRedactor(o.APIKey, o.APISecret)
	baseURL, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, errors.New(redactor.redactText(err.Error()))
	}
	if o.Transports == nil {
		o.Transports = NewTransports()
	}
	c := &Client{
		baseURL: baseURL, apiKey: o.APIKey, apiSecret: o.APISecret, redactor: redactor, userAgent: o.UserAgent,
		readHTTP: o.Transports.read, writeHTTP: o.Transports.write,
		// Hosts give up on a tool call after 60 s: by then a spend must have an
		// outcome that can be told.
		readTimeout: 30 * time.Second, writeTimeout: 45 * time.Second,
		sleepFunc: o.SleepFunc, jitter: rand.Float64,
	}
	if c.userAgent == "" {
		c.userAgent = "wesendall-go"
	}
	if c.sleepFunc == nil {
		c.sleepFunc = sleepContext
	}
	return c, nil
}

// BaseURL is the address that the client calls, without /api/v1.
func (c *Client) BaseURL() string { return c.baseURL }

// parseBaseURL refuses whatever would send the credentials anywhere but to the API
// over TLS.
func parseBaseURL(raw string) (string, error) {
	if raw == "" {
		return DefaultBaseURL, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("base URL: cannot be read as a URL") // the error would repeat a password in it
	}
	host := u.Hostname()
	raw = u.Scheme + "://" + u.Host // the rest may hold what nobody should read
	switch {
	case u.User != nil:
		return "", errors.New("base URL: must not contain a user name or password")
	case host == "" || u.Opaque != "":
		return "", fmt.Errorf("base URL %q: must be an address such as %s", raw, DefaultBaseURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback.IsHost(host)):
		return "", fmt.Errorf("base URL %q: must begin with https:// (plain http is for this machine alone)", raw)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("base URL %q: must not have a query or a fragment", raw)
	}
	// One address has one spelling, by which budgets and ledgers are told apart.
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	base := strings.TrimRight(u.String(), "/")
	if strings.HasSuffix(base, apiRoot) {
		return "", fmt.Errorf("base URL %q: must not end in %s, which every call adds", raw, apiRoot)
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
	singleRecipient bool
}

// newRequest sorts the parameters of a call into path, query and body.
func (c *Client) newRequest(e Endpoint, params any) (request, error) {
	encoded, err := json.Marshal(params)
	if err != nil {
		return request{}, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &values); err != nil {
		return request{}, err
	}
	path, query := e.Path, url.Values{}
	for _, p := range e.Params {
		value, given := values[p.Name]
		switch {
		case p.Location == ParamInPath:
			segment := jsonScalar(value)
			if segment == "" || segment == "." || segment == ".." {
				return request{}, fmt.Errorf("%s: must be an id, not %q", p.Name, segment)
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(segment))
			delete(values, p.Name)
		case p.Location == ParamInQuery && given:
			query.Set(p.Name, jsonScalar(value))
		}
	}
	r := request{endpoint: e, url: c.baseURL + path}
	if e.Method == http.MethodGet {
		r.url += "?" + query.Encode()
		return r, nil
	}
	r.body, err = json.Marshal(values)
	return r, err
}

// jsonScalar is a JSON string's text, or any other value as it is written.
func jsonScalar(value json.RawMessage) string {
	var str string
	if json.Unmarshal(value, &str) == nil {
		return str
	}
	return string(value)
}
