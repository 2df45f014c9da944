package main

import (
	"context"
	"log/slog"

	"github.com/mattn/go-isatty"
)

type serveCmd struct{}

// Run serves MCP over HTTP, or on stdin and stdout until stdin ends or a signal comes.
func (serveCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	log := cfg.newLogger(env)
	for _, notice := range cfg.ignoredSettings(env) {
		log.Warn("setting ignored", "because", notice)
	}
	if cfg.HTTPAddr != "" {
		return cfg.serveHTTP(ctx, env, log)
	}
	b, err := cfg.newBackend(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = b.closeFn() }()
	srv, shutdown, err := cfg.newObservedServer(ctx, env, b, log, metricsOff)
	if err != nil {
		return err
	}
	defer logShutdown(log, shutdown)
	if isatty.IsTerminal(env.stdin.Fd()) {
		cfg.printStdioHint(env, b)
	} else {
		log.Info("serving", "version", version(), "with", b.description)
	}
	return srv.ServeStdio(ctx, env.stdin, env.stdout)
}

// printStdioHint explains to a user who started the program by hand what it waits for.
func (cfg *Config) printStdioHint(env environment, b *backend) {
	flag := ""
	if cfg.Sandbox {
		flag = " --sandbox"
	}
	logf(env, `wesendall-mcp %s is an MCP server on stdin and stdout, to be started by an AI host.
It uses %s.
To add it to a host, run for example:
    claude mcp add wesendall -- wesendall-mcp%s
Waiting for messages. Press Ctrl-D or Ctrl-C to end.`, version(), b.description, flag)
}

// newLogger logs to stderr: one line a call, and never an argument.
func (cfg *Config) newLogger(env environment) *slog.Logger {
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(env.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(env.stderr, nil))
}
