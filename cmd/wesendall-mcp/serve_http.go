package main

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/auth"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
)

const (
	httpGroup = "HTTP" // the group of the flags in httpSettings
	httpFlag  = "http" // the name of the flag HTTPAddr
)

// serveHTTP serves MCP over HTTP until the context ends.
func (cfg *Config) serveHTTP(ctx context.Context, env environment, log *slog.Logger) error {
	opts, err := cfg.httpOptions(log)
	if err != nil {
		return err
	}
	b, err := cfg.newMultiUserBackend(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = b.closeFn() }()
	srv, shutdown, err := cfg.newObservedServer(ctx, env, b, log, defaultMetricsAddr)
	if err != nil {
		return err
	}
	defer logShutdown(log, shutdown)
	if opts.Authenticator, err = cfg.newAuthenticator(b, log); err != nil {
		return err
	}
	if ledger.IsPostgresURL(cfg.Ledger) {
		opts.SessionKey = func(ctx context.Context) ([]byte, error) { return b.tools.DeriveKey(ctx, "sessions") }
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return usageErrorf("--http: %w", err)
	}
	scheme := "http"
	if opts.TLS != nil {
		scheme = "https"
	}
	address := scheme + "://" + listener.Addr().String() + "/mcp"
	log.Info("serving", "version", version(), "with", b.description, "at", address)
	return srv.NewHTTPHandler(listener.Addr(), opts).Serve(ctx, listener)
}

// httpOptions checks the settings of a server over HTTP. Except on loopback, credentials must
// not be sent without TLS.
func (cfg *Config) httpOptions(log *slog.Logger) (mcpserver.HTTPOptions, error) {
	opts := mcpserver.HTTPOptions{BehindProxy: cfg.BehindProxy, MaxRequests: cfg.MaxRequests, Logger: log}
	host, _, err := net.SplitHostPort(cfg.HTTPAddr)
	if err != nil {
		return opts, usageErrorf("--http: %q must be HOST:PORT, such as 127.0.0.1:8080", cfg.HTTPAddr)
	}
	switch {
	case (cfg.TLSCert == "") != (cfg.TLSKey == ""):
		return opts, usageErrorf("--tls-cert and --tls-key must be given together")
	case !loopback.IsHost(host) && cfg.TLSCert == "" && !cfg.BehindProxy:
		return opts, usageErrorf("--http %s: credentials would be sent without TLS. Give --tls-cert and --tls-key, "+
			"or --behind-proxy if a proxy terminates TLS, or listen on 127.0.0.1", cfg.HTTPAddr)
	case cfg.MaxRequests < 1:
		return opts, usageErrorf("--http-max-requests: must be 1 or more")
	}
	for _, origin := range cfg.AllowedOrigins {
		normalized, ok := normalizeOrigin(origin)
		if !ok {
			return opts, usageErrorf("--allowed-origin: %q must be the origin of a page, such as https://app.example.com",
				origin)
		}
		opts.AllowedOrigins = append(opts.AllowedOrigins, normalized)
	}
	for _, name := range cfg.AllowedHosts {
		name = strings.TrimSpace(name)
		u, err := url.Parse("//" + name)
		if err != nil || u.Host != name || u.Hostname() == "" || strings.Contains(name, "*") {
			return opts, usageErrorf("--allowed-host: %q must be a name such as mcp.example.com, "+
				"with the port if it is not the default port", name)
		}
		opts.AllowedHosts = append(opts.AllowedHosts, name)
	}
	if cfg.TLSCert != "" {
		if opts.TLS, err = mcpserver.NewReloadingTLSConfig(cfg.TLSCert, cfg.TLSKey, log); err != nil {
			return opts, usageErrorf("--tls-cert and --tls-key: %w", err)
		}
	}
	return opts, nil
}

// normalizeOrigin returns an origin as browsers send it, without a default port.
func normalizeOrigin(origin string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(origin))
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(u.Host, "*") ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	switch u.Scheme {
	case "https":
		return "https://" + strings.TrimSuffix(u.Host, ":443"), true
	case "http":
		return "http://" + strings.TrimSuffix(u.Host, ":80"), true
	}
	return "", false
}

// newAuthenticator recognises callers: by a token, or by their own Wesendall credentials.
func (cfg *Config) newAuthenticator(b *backend, log *slog.Logger) (mcpserver.Authenticator, error) {
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
