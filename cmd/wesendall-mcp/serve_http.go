package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/auth"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// httpGroup is the group of the flags of httpFlags.
const httpGroup = "HTTP"

// httpFlags are the flags of a server over HTTP.
type httpFlags struct {
	HTTPAddr       string   `name:"http" group:"HTTP" help:"Serve Streamable HTTP at /mcp of this address, to callers with credentials of their own." env:"WESENDALL_HTTP" placeholder:"HOST:PORT"`
	AllowedOrigins []string `name:"allowed-origin" group:"HTTP" help:"Web pages that may call, such as https://app.example.com." env:"WESENDALL_ALLOWED_ORIGIN" placeholder:"URL"`
	AllowedHosts   []string `name:"allowed-host" group:"HTTP" help:"Names that the server goes by; without any, every name off loopback." env:"WESENDALL_ALLOWED_HOST" placeholder:"NAME"`
	TLSCert        string   `name:"tls-cert" group:"HTTP" help:"Speak TLS with this certificate; it is read again when it changes." env:"WESENDALL_TLS_CERT" placeholder:"FILE"`
	TLSKey         string   `name:"tls-key" group:"HTTP" help:"The certificate's key." env:"WESENDALL_TLS_KEY" placeholder:"FILE"`
	BehindProxy    bool     `group:"HTTP" help:"A proxy that speaks TLS stands before it." env:"WESENDALL_BEHIND_PROXY"`
	TokenFile      string   `name:"http-token-file" group:"HTTP" help:"Callers present one of the bearer tokens of this file, and the server's own credentials are used." env:"WESENDALL_HTTP_TOKEN_FILE" placeholder:"FILE"`
	MaxRequests    int      `name:"http-max-requests" group:"HTTP" help:"Requests that run at once (${default})." env:"WESENDALL_HTTP_MAX_REQUESTS" default:"512" placeholder:"N"`
}

// defaultMetricsAddr is where the metrics of a server over HTTP are, if nothing else is
// said.
const defaultMetricsAddr = "127.0.0.1:9464"

// serveHTTP serves MCP over HTTP until the context ends.
func (cfg *config) serveHTTP(ctx context.Context, env environment, log *slog.Logger) error {
	opts := mcpserver.HTTPOptions{BehindProxy: cfg.BehindProxy, MaxRequests: cfg.MaxRequests, Logger: log}
	if err := cfg.httpOptions(&opts); err != nil {
		return err
	}
	var err error
	if cfg.TLSCert != "" {
		if opts.TLS, err = mcpserver.NewReloadingTLSConfig(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return usageErrorf("--tls-cert and --tls-key: %w", err)
		}
	}
	b, err := cfg.multiUserBackend(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = b.closeFn() }()
	srv, shutdown, err := cfg.newObservedServer(ctx, env, b, log, defaultMetricsAddr)
	if err != nil {
		return err
	}
	defer func() {
		if err := shutdown(); err != nil {
			log.Warn("the last spans were not exported", "error", err)
		}
	}()
	if opts.Authenticator, err = cfg.authenticator(b, log); err != nil {
		return err
	}
	if guard.IsPostgresURL(cfg.Ledger) {
		opts.SessionKey = func(ctx context.Context) ([]byte, error) { return b.tools.DeriveKey(ctx, "sessions") }
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return usageErrorf("--http: %w", err)
	}
	scheme := map[bool]string{true: "https", false: "http"}[opts.TLS != nil]
	log.Info("serving", "version", version(), "with", b.description, "at", scheme+"://"+listener.Addr().String()+"/mcp")
	return srv.NewHTTPHandler(listener.Addr(), opts).Serve(ctx, listener)
}

// httpOptions reads the flags that say who may come. Off loopback nothing secret may
// travel in the clear.
func (f *httpFlags) httpOptions(opts *mcpserver.HTTPOptions) error {
	host, _, err := net.SplitHostPort(f.HTTPAddr)
	if err != nil {
		return usageErrorf("--http: %q must be HOST:PORT, such as 127.0.0.1:8080", f.HTTPAddr)
	}
	switch {
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return usageErrorf("--tls-cert and --tls-key must be given together")
	case !loopback.IsHost(host) && f.TLSCert == "" && !f.BehindProxy:
		return usageErrorf("--http %s: credentials would travel in the clear; give --tls-cert and --tls-key, or --behind-proxy where a proxy speaks TLS, or listen on 127.0.0.1", f.HTTPAddr)
	case f.MaxRequests < 1:
		return usageErrorf("--http-max-requests: must be 1 or more")
	}
	for _, origin := range f.AllowedOrigins {
		u, err := url.Parse(strings.TrimSpace(origin))
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Host, "*") {
			return usageErrorf("--allowed-origin: %q must be one page's origin, such as https://app.example.com", origin)
		}
		defaultPort := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		opts.AllowedOrigins = append(opts.AllowedOrigins, u.Scheme+"://"+strings.TrimSuffix(u.Host, defaultPort))
	}
	for _, name := range f.AllowedHosts {
		name = strings.TrimSpace(name)
		u, err := url.Parse("//" + name)
		if err != nil || u.Host != name || u.Hostname() == "" || strings.Contains(name, "*") {
			return usageErrorf("--allowed-host: %q must be a name such as mcp.example.com, with its port if that is not the usual one", name)
		}
		opts.AllowedHosts = append(opts.AllowedHosts, name)
	}
	return nil
}

// multiUserBackend is the API for a server with many callers.
func (cfg *config) multiUserBackend(ctx context.Context, env environment) (*backend, error) {
	if cfg.Sandbox || cfg.TokenFile != "" {
		b, err := cfg.newBackend(ctx, env)
		if err != nil {
			return nil, err
		}
		b.MultiUser = true
		switch {
		case cfg.TokenFile == "":
			b.description = fmt.Sprintf("the embedded sandbox for callers with key %s, secret %s and wallet %s; nothing real is sent or charged", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID)
		case b.API == nil || b.Wallet == "":
			return nil, errors.Join(usageErrorf("--http-token-file: the server needs credentials and a wallet of its own: %s", strings.TrimSuffix(b.NotConfiguredReason, ".")), b.closeFn())
		}
		return b, nil
	}
	api, err := cfg.newClient(cfg.BaseURL, "", client.Secret{})
	if err != nil {
		return nil, usageError{err}
	}
	b := &backend{baseURL: api.BaseURL(), description: "each caller's own credentials at " + api.BaseURL(), closeFn: func() error { return nil }}
	b.MultiUser = true
	return b, nil
}

// authenticator is how those who call are known.
func (cfg *config) authenticator(b *backend, log *slog.Logger) (mcpserver.Authenticator, error) {
	if cfg.TokenFile != "" {
		tokenFile, err := auth.OpenTokenFile(cfg.TokenFile, b.API, b.Wallet, b.GuardOptions.Limits, log)
		if err != nil {
			return nil, usageErrorf("--http-token-file: %w", err)
		}
		return tokenFile, nil
	}
	sharedOpts := client.Options{BaseURL: b.baseURL, UserAgent: userAgent(), Transports: client.NewTransports()}
	return auth.BasicAuth{
		NewClient: func(key string, secret client.Secret) (guard.API, error) {
			opts := sharedOpts
			opts.APIKey, opts.APISecret = key, secret
			return client.New(opts)
		},
		CallerID: b.tools.CallerID,
	}, nil
}
