package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/wesendall/wesendall-mcp/callers"
	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/sandbox"
	"github.com/wesendall/wesendall-mcp/server"
)

// webGroup is the group of the flags of web.
const webGroup = "HTTP"

// web are the flags of a server over HTTP.
type web struct {
	Address     string   `name:"http" group:"HTTP" help:"Serve Streamable HTTP at /mcp of this address, to callers with credentials of their own." env:"WESENDALL_HTTP" placeholder:"HOST:PORT"`
	Origins     []string `name:"allowed-origin" group:"HTTP" help:"Web pages that may call, such as https://app.example.com." env:"WESENDALL_ALLOWED_ORIGIN" placeholder:"URL"`
	Hosts       []string `name:"allowed-host" group:"HTTP" help:"Names that the server goes by; without any, every name off loopback." env:"WESENDALL_ALLOWED_HOST" placeholder:"NAME"`
	TLSCert     string   `name:"tls-cert" group:"HTTP" help:"Speak TLS with this certificate; it is read again when it changes." env:"WESENDALL_TLS_CERT" placeholder:"FILE"`
	TLSKey      string   `name:"tls-key" group:"HTTP" help:"The certificate's key." env:"WESENDALL_TLS_KEY" placeholder:"FILE"`
	BehindProxy bool     `group:"HTTP" help:"A proxy that speaks TLS stands before it." env:"WESENDALL_BEHIND_PROXY"`
	TokenFile   string   `name:"http-token-file" group:"HTTP" help:"Callers present one of the bearer tokens of this file, and the server's own credentials are used." env:"WESENDALL_HTTP_TOKEN_FILE" placeholder:"FILE"`
	MaxRequests int      `name:"http-max-requests" group:"HTTP" help:"Requests that run at once (${default})." env:"WESENDALL_HTTP_MAX_REQUESTS" default:"512" placeholder:"N"`
}

// usualMetrics is where the metrics of a server over HTTP are, if nothing else is
// said.
const usualMetrics = "127.0.0.1:9464"

// serveHTTP serves MCP over HTTP until the context ends.
func (s *settings) serveHTTP(ctx context.Context, w world, log *slog.Logger) error {
	o := server.HTTPOptions{Proxied: s.BehindProxy, MaxRequests: s.MaxRequests, Log: log}
	if err := s.admit(&o); err != nil {
		return err
	}
	var err error
	if s.TLSCert != "" {
		if o.TLS, err = server.Certificate(s.TLSCert, s.TLSKey, log); err != nil {
			return usage("--tls-cert and --tls-key: %w", err)
		}
	}
	b, err := s.forCallers(ctx, w)
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }()
	srv, end, err := s.watched(ctx, w, b, log, usualMetrics)
	if err != nil {
		return err
	}
	defer func() {
		if err := end(); err != nil {
			log.Warn("the last spans were not exported", "error", err)
		}
	}()
	if o.Callers, err = s.callers(b, log); err != nil {
		return err
	}
	if guard.Shared(s.Ledger) {
		o.SessionKey = func(ctx context.Context) ([]byte, error) { return b.set.Key(ctx, "sessions") }
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return usage("--http: %w", err)
	}
	scheme := map[bool]string{true: "https", false: "http"}[o.TLS != nil]
	log.Info("serving", "version", version(), "with", b.about, "at", scheme+"://"+listener.Addr().String()+"/mcp")
	return srv.HTTP(listener.Addr(), o).Serve(ctx, listener)
}

// admit reads the flags that say who may come. Off loopback nothing secret may
// travel in the clear.
func (c *web) admit(o *server.HTTPOptions) error {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return usage("--http: %q must be HOST:PORT, such as 127.0.0.1:8080", c.Address)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return usage("--tls-cert and --tls-key must be given together")
	case !loopback && c.TLSCert == "" && !c.BehindProxy:
		return usage("--http %s: credentials would travel in the clear; give --tls-cert and --tls-key, or --behind-proxy where a proxy speaks TLS, or listen on 127.0.0.1", c.Address)
	case c.MaxRequests < 1:
		return usage("--http-max-requests: must be 1 or more")
	}
	for _, origin := range c.Origins {
		u, err := url.Parse(strings.TrimSpace(origin))
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "*") {
			return usage("--allowed-origin: %q must be one page's origin, such as https://app.example.com", origin)
		}
		usual := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		o.Origins = append(o.Origins, u.Scheme+"://"+strings.TrimSuffix(u.Host, usual))
	}
	for _, name := range c.Hosts {
		name = strings.TrimSpace(name)
		u, err := url.Parse("//" + name)
		if err != nil || u.Host != name || u.Hostname() == "" || strings.Contains(name, "*") {
			return usage("--allowed-host: %q must be a name such as mcp.example.com, with its port if that is not the usual one", name)
		}
		o.Hosts = append(o.Hosts, name)
	}
	return nil
}

// forCallers is the API for a server with many callers.
func (s *settings) forCallers(ctx context.Context, w world) (*backend, error) {
	if s.Sandbox || s.TokenFile != "" {
		b, err := s.backend(ctx, w)
		if err != nil {
			return nil, err
		}
		b.Callers = true
		switch {
		case s.TokenFile == "":
			b.about = fmt.Sprintf("the embedded sandbox for callers with key %s, secret %s and wallet %s; nothing real is sent or charged", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID)
		case b.API == nil || b.Wallet == "":
			return nil, errors.Join(usage("--http-token-file: the server needs credentials and a wallet of its own: %s", strings.TrimSuffix(b.Missing, ".")), b.close())
		}
		return b, nil
	}
	api, err := s.client(s.BaseURL, "", client.Secret{})
	if err != nil {
		return nil, usageError{err}
	}
	b := &backend{base: api.BaseURL(), about: "each caller's own credentials at " + api.BaseURL(), close: func() error { return nil }}
	b.Callers = true
	return b, nil
}

// callers is how those who call are known.
func (s *settings) callers(b *backend, log *slog.Logger) (server.Callers, error) {
	if s.TokenFile != "" {
		tokens, err := callers.OpenTokens(s.TokenFile, b.API, b.Wallet, b.Guard.Limits, log)
		if err != nil {
			return nil, usage("--http-token-file: %w", err)
		}
		return tokens, nil
	}
	shared := client.Options{BaseURL: b.base, UserAgent: userAgent(), Connections: client.NewConnections()}
	return callers.Own{
		API: func(key string, secret client.Secret) (guard.API, error) {
			o := shared
			o.Key, o.Secret = key, secret
			return client.New(o)
		},
		ID: b.set.CallerID,
	}, nil
}
