package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/observability"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/tools"
)

// backend is the API that the tools call.
type backend struct {
	tools.Options
	baseURL     string // URL
	description string // for people
	closeFn     func() error
	tools       *tools.Toolset // once it is built

	metrics *observability.Metrics // nil is none
	tracer  *observability.Tracer  // nil is none
}

// newBackend chooses between Wesendall and the sandbox, and connects to nobody.
func (cfg *config) newBackend(ctx context.Context, env environment) (*backend, error) {
	if cfg.Sandbox {
		sandboxServer, err := sandbox.Start(ctx, "127.0.0.1:0", sandbox.Options{Balance: sandbox.DefaultBalance, WithSampleGroup: true})
		if err != nil {
			return nil, err
		}
		api, err := cfg.newClient(sandboxServer.URL(), sandbox.APIKey, client.NewSecret(sandbox.APISecret))
		return &backend{
			Options: tools.Options{API: api, Wallet: sandbox.WalletID, Sandbox: true}, baseURL: sandboxServer.URL(),
			description: "the embedded sandbox, wallet " + sandbox.WalletID + "; nothing real is sent or charged", closeFn: sandboxServer.Close,
		}, err
	}
	creds, err := cfg.loadCredentials(env)
	if err != nil {
		return nil, err
	}
	api, err := cfg.newClient(cfg.BaseURL, creds.key, creds.secret)
	if err != nil {
		return nil, usageError{err}
	}
	b := &backend{baseURL: api.BaseURL(), description: "no wallet (" + strings.TrimSuffix(creds.problem, ".") + ")", closeFn: func() error { return nil }}
	if creds.problem != "" {
		b.NotConfiguredReason = creds.problem
		return b, nil
	}
	b.API, b.Wallet = api, creds.wallet
	b.description = "wallet " + creds.wallet
	if creds.wallet == "" {
		b.description = "any wallet, for reading alone, since WESENDALL_WALLET_ID is not set"
	}
	b.description += " at " + api.BaseURL() + ", credentials from " + creds.origin
	source, err := cfg.ledgerSource(b.baseURL)
	if err != nil {
		return nil, err
	}
	if source == "" {
		b.description += "; spends are written down in memory alone, and forgotten when this process ends"
	}
	return b, nil
}

func (*config) newClient(baseURL, key string, secret client.Secret) (*client.Client, error) {
	return client.New(client.Options{BaseURL: baseURL, APIKey: key, APISecret: secret, UserAgent: userAgent()})
}

// validateToolNames tells whether the tools that are asked for are there.
func (cfg *config) validateToolNames() error {
	if _, err := tools.New(tools.Options{Names: cfg.toolNames()}); err != nil {
		return usageErrorf("--tools: %w", err)
	}
	return nil
}

// toolNames are the names of the tools that are asked for; nil is all of them.
func (cfg *config) toolNames() (names []string) {
	for _, name := range cfg.Tools {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

func userAgent() string { return "wesendall-mcp/" + version() }

// newServer makes the server of the settings.
func (cfg *config) newServer(b *backend, log *slog.Logger) (*mcpserver.Server, error) {
	b.ReadOnly, b.Names, b.Logger = cfg.ReadOnly, cfg.toolNames(), log
	var err error
	if b.GuardOptions, err = cfg.guardOptions(b.baseURL, log); err != nil {
		return nil, err
	}
	b.OnCall = observability.NewCallHook(b.metrics, b.tracer)
	toolset, err := tools.New(b.Options)
	if err != nil {
		return nil, usageErrorf("--tools: %w", err)
	}
	closeBackend := b.closeFn
	b.closeFn = func() error { return errors.Join(toolset.Close(), closeBackend()) }
	b.tools = toolset
	opts := mcpserver.Options{Version: version(), Tools: toolset, Logger: log}
	if b.metrics != nil {
		b.metrics.RegisterToolset(toolset)
	}
	if b.tracer != nil {
		opts.Tracer = b.tracer
	}
	return mcpserver.New(opts), nil
}

// newLogger is for people and their machines: one line a call, and never an argument.
func (cfg *config) newLogger(env environment) *slog.Logger {
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(env.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(env.stderr, nil))
}

type serveCmd struct{}

// Run serves MCP over HTTP, or on stdin and stdout until either ends.
func (serveCmd) Run(ctx context.Context, env environment, cfg *config) error {
	if cfg.HTTPAddr != "" {
		return cfg.serveHTTP(ctx, env, cfg.newLogger(env))
	}
	b, err := cfg.newBackend(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = b.closeFn() }()
	log := cfg.newLogger(env)
	srv, shutdown, err := cfg.newObservedServer(ctx, env, b, log, metricsOff)
	if err != nil {
		return err
	}
	defer func() {
		if err := shutdown(); err != nil {
			log.Warn("the last spans were not exported", "error", err)
		}
	}()
	if isatty.IsTerminal(env.stdin.Fd()) {
		_, _ = fmt.Fprintf(env.stderr, `wesendall-mcp %s: an MCP server on stdin and stdout, for an AI host to start.
It uses %s.
To connect a host, give it this program as the command of an MCP server, for example:
    claude mcp add wesendall -- wesendall-mcp%s
Waiting for messages. Press Ctrl-D or Ctrl-C to end.
`, version(), b.description, map[bool]string{true: " --sandbox"}[cfg.Sandbox])
	} else {
		log.Info("serving", "version", version(), "with", b.description)
	}
	return srv.ServeStdio(ctx, env.stdin, env.stdout)
}
