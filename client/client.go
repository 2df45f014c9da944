// Package client calls the Wesendall API: eight methods, one for each endpoint,
// with typed requests, errors that say what happened to the money, and retries
// only where repeating a call can neither charge nor text anyone twice.
//
// It never changes what the caller asked for, never interprets the data of a
// success, and repeats a spend only if Wesendall answered that the first one was
// refunded. Apart from the standard library it imports two leaves of this module,
// internal/sanitize and internal/loopback, so that their rules are written once,
// and golang.org/x/text/unicode/norm for the networks' view of a message.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// DefaultBaseURL is the address of the Wesendall API.
const DefaultBaseURL = "https://www.wesendall.com"

// apiRoot is the path that every endpoint is under.
const apiRoot = "/api/v1"

// Hosts give up on a tool call after 60 seconds. A write must end before that, so that
// the host receives its outcome.
const (
	readTimeout  = 30 * time.Second // of one call, its retry included
	writeTimeout = 45 * time.Second
)

// Options configure a client.
type Options struct {
	BaseURL   string // "" is DefaultBaseURL
	APIKey    string // not a secret
	APISecret Secret
	UserAgent string // "" is wesendall-go
	// Transports can be shared by several clients. Nil gives the client its own.
	Transports *Transports
	// SleepFunc waits before a second attempt. Nil is SleepContext.
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
	readTimeout  time.Duration
	writeTimeout time.Duration
	sleepFunc    func(context.Context, time.Duration) error
	jitter       func() float64 // in [0, 1)
}

// New returns a client. It fails if the base URL is not usable, and makes no
// connection.
func New(o Options) (*Client, error) {
	redactor := newRedactor(o.APIKey, o.APISecret)
	baseURL, err := parseBaseURL(o.BaseURL)
	if err != nil {
		return nil, errors.New(redactor.redactText(err.Error()))
	}
	if o.Transports == nil {
		o.Transports = NewTransports()
	}
	if o.UserAgent == "" {
		o.UserAgent = "wesendall-go"
	}
	if o.SleepFunc == nil {
		o.SleepFunc = SleepContext
	}
	return &Client{
		baseURL: baseURL, apiKey: o.APIKey, apiSecret: o.APISecret, redactor: redactor, userAgent: o.UserAgent,
		readHTTP: o.Transports.read, writeHTTP: o.Transports.write,
		readTimeout: readTimeout, writeTimeout: writeTimeout,
		sleepFunc: o.SleepFunc, jitter: rand.Float64,
	}, nil
}

// BaseURL is the address that the client calls, without /api/v1.
func (c *Client) BaseURL() string { return c.baseURL }

// parseBaseURL refuses every address that would send the credentials over plain
// HTTP to another machine. CanonicalBaseURL says which addresses share a budget.
func parseBaseURL(raw string) (string, error) {
	if raw == "" {
		return DefaultBaseURL, nil
	}
	raw = strings.TrimSpace(raw)
	u, err := url.Parse(raw)
	if !strings.Contains(raw, "://") && !strings.ContainsAny(raw, "@?#") { // which may hold a secret
		return "", fmt.Errorf("base URL %q: must begin with https://", raw)
	}
	if err != nil {
		return "", errors.New("base URL: cannot be read as a URL") // err would repeat a password in it
	}
	host := u.Hostname()
	shown := u.Scheme + "://" + u.Host // the other parts may contain a secret
	switch {
	case u.User != nil:
		return "", errors.New("base URL: must not contain a user name or password")
	case host == "" || u.Opaque != "":
		return "", fmt.Errorf("base URL %q: must be an address such as %s", shown, DefaultBaseURL)
	case strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }):
		return "", errors.New("base URL: the host must be in ASCII letters (as xn--… if it has others)")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback.IsHost(host)):
		return "", fmt.Errorf("base URL %q: must begin with https:// (plain http is only for this machine)", shown)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("base URL %q: must not have a query or a fragment", shown)
	}
	defaultPort := ":443"
	if u.Scheme == "http" {
		defaultPort = ":80"
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), defaultPort)
	base := strings.TrimRight(u.String(), "/")
	if strings.HasSuffix(base, apiRoot) {
		return "", fmt.Errorf("base URL %q: must not end in %s, which every call adds", shown, apiRoot)
	}
	return base, nil
}
