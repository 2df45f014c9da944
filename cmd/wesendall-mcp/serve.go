package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/observe"
	"github.com/wesendall/wesendall-mcp/sandbox"
	"github.com/wesendall/wesendall-mcp/server"
	"github.com/wesendall/wesendall-mcp/tools"
)

// backend is the API that the tools call.
type backend struct {
	tools.Options
	base  string // URL
	about string // for people
	close func() error
	set   *tools.Set // once it is built

	metrics *observe.Metrics // nil is none
	traces  *observe.Traces  // nil is none
}

// backend chooses between Wesendall and the sandbox, and connects to nobody.
func (s *settings) backend(ctx context.Context, w world) (*backend, error) {
	if s.Sandbox {
		stand, err := sandbox.Start(ctx, "127.0.0.1:0", sandbox.Options{Balance: sandbox.DefaultBalance, Group: true})
		if err != nil {
			return nil, err
		}
		api, err := s.client(stand.URL(), sandbox.APIKey, client.NewSecret(sandbox.APISecret))
		return &backend{
			Options: tools.Options{API: api, Wallet: sandbox.WalletID, Sandbox: true}, base: stand.URL(),
			about: "the embedded sandbox, wallet " + sandbox.WalletID + "; nothing real is sent or charged", close: stand.Close,
		}, err
	}
	found, err := s.load(w)
	if err != nil {
		return nil, err
	}
	api, err := s.client(s.BaseURL, found.key, found.secret)
	if err != nil {
		return nil, usageError{err}
	}
	b := &backend{base: api.BaseURL(), about: "no wallet (" + strings.TrimSuffix(found.missing, ".") + ")", close: func() error { return nil }}
	if found.missing != "" {
		b.Missing = found.missing
		return b, nil
	}
	b.API, b.Wallet = api, found.wallet
	b.about = "wallet " + found.wallet
	if found.wallet == "" {
		b.about = "any wallet, for reading alone, since WESENDALL_WALLET_ID is not set"
	}
	b.about += " at " + api.BaseURL() + ", credentials from " + found.source
	path, err := s.ledger(b.base)
	if err != nil {
		return nil, err
	}
	if path == "" {
		b.about += "; spends are written down in memory alone, and forgotten when this process ends"
	}
	return b, nil
}

func (*settings) client(base, key string, secret client.Secret) (*client.Client, error) {
	return client.New(client.Options{BaseURL: base, Key: key, Secret: secret, UserAgent: userAgent()})
}

// named tells whether the tools that are asked for are there.
func (s *settings) named() error {
	if _, err := tools.New(tools.Options{Only: s.only()}); err != nil {
		return usage("--tools: %w", err)
	}
	return nil
}

// only are the names of the tools that are asked for; nil is all of them.
func (s *settings) only() (names []string) {
	for _, name := range s.Tools {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

func userAgent() string { return "wesendall-mcp/" + version() }

// build makes the server of the settings.
func (s *settings) build(b *backend, log *slog.Logger) (*server.Server, error) {
	b.ReadOnly, b.Only, b.Log = s.ReadOnly, s.only(), log
	var err error
	if b.Guard, err = s.options(b.base, log); err != nil {
		return nil, err
	}
	b.Observe = observe.Hook(b.metrics, b.traces)
	set, err := tools.New(b.Options)
	if err != nil {
		return nil, usage("--tools: %w", err)
	}
	end := b.close
	b.close = func() error { return errors.Join(set.Close(), end()) }
	b.set = set
	o := server.Options{Version: version(), Tools: set, Log: log}
	if b.metrics != nil {
		b.metrics.Watch(set)
	}
	if b.traces != nil {
		o.Tracing = b.traces
	}
	return server.New(o), nil
}

// log is for people and their machines: one line a call, and never an argument.
func (s *settings) log(w world) *slog.Logger {
	if s.Log == "json" {
		return slog.New(slog.NewJSONHandler(w.err, nil))
	}
	return slog.New(slog.NewTextHandler(w.err, nil))
}

type serveCmd struct{}

// Run serves MCP over HTTP, or on stdin and stdout until either ends.
func (serveCmd) Run(ctx context.Context, w world, s *settings) error {
	if s.Address != "" {
		return s.serveHTTP(ctx, w, s.log(w))
	}
	b, err := s.backend(ctx, w)
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }()
	log := s.log(w)
	srv, end, err := s.watched(ctx, w, b, log, noMetrics)
	if err != nil {
		return err
	}
	defer func() {
		if err := end(); err != nil {
			log.Warn("the last spans were not exported", "error", err)
		}
	}()
	if isatty.IsTerminal(w.in.Fd()) {
		_, _ = fmt.Fprintf(w.err, `wesendall-mcp %s: an MCP server on stdin and stdout, for an AI host to start.
It uses %s.
To connect a host, give it this program as the command of an MCP server, for example:
    claude mcp add wesendall -- wesendall-mcp%s
Waiting for messages. Press Ctrl-D or Ctrl-C to end.
`, version(), b.about, map[bool]string{true: " --sandbox"}[s.Sandbox])
	} else {
		log.Info("serving", "version", version(), "with", b.about)
	}
	return srv.ServeStdio(ctx, w.in, w.out)
}
