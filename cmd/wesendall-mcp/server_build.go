package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/observability"
	"github.com/wesendall/wesendall-mcp/tools"
)

const (
	metricsOff         = "off"
	defaultMetricsAddr = "127.0.0.1:9464" // for a server over HTTP
)

// newServer builds the server for a backend.
func (cfg *Config) newServer(b *backend, log *slog.Logger) (*mcpserver.Server, error) {
	b.ReadOnly, b.Names, b.Logger = cfg.ReadOnly, cfg.toolNames(), log
	var err error
	if b.GuardOptions, err = cfg.guardOptions(b.baseURL, log); err != nil {
		return nil, err
	}
	b.GuardOptions.WalletNotice = b.walletNotice
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

// newObservedServer builds the server with metrics at the address of --metrics, else at
// defaultAddr, and with traces as the OTEL_* variables say. Call shutdown after the server
// has ended.
func (cfg *Config) newObservedServer(
	ctx context.Context, env environment, b *backend, log *slog.Logger, defaultAddr string,
) (srv *mcpserver.Server, shutdown func() error, err error) {
	address := cfg.Metrics
	if address == "" {
		address = defaultAddr
	}
	if address != metricsOff {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, nil, usageErrorf("--metrics: %q is not an address such as %s, or off", address, defaultMetricsAddr)
		}
		b.metrics = observability.NewMetrics(version())
	}
	b.tracer = newTracer(ctx, env, log)
	if srv, err = cfg.newServer(b, log); err != nil {
		return nil, nil, err
	}
	stopMetrics := func() error { return nil }
	if b.metrics != nil {
		if stopMetrics, err = b.metrics.Serve(ctx, address, log); err != nil {
			return nil, nil, err
		}
	}
	return srv, func() error {
		err := stopMetrics()
		if b.tracer != nil {
			err = errors.Join(err, b.tracer.Close())
		}
		return err
	}, nil
}

// logShutdown shuts metrics and traces down and logs a failure.
func logShutdown(log *slog.Logger, shutdown func() error) {
	if err := shutdown(); err != nil {
		log.Warn("the last spans were not exported", "error", err)
	}
}

// newTracer returns nil if no traces are requested, or none can be exported. The OTEL exporter
// reads the environment itself, so the file of --env-file does not count.
func newTracer(ctx context.Context, env environment, log *slog.Logger) *observability.Tracer {
	requested, problem := observability.TracingRequested(env.lookupEnv)
	var tracer *observability.Tracer
	if requested {
		var err error
		if tracer, err = observability.NewTracer(ctx, version(), log); err != nil {
			problem = err.Error()
		}
	}
	if problem != "" {
		log.Warn("no traces are exported", "because", problem)
	}
	return tracer
}

// validateToolNames checks that the tools of --tools exist.
func (cfg *Config) validateToolNames() error {
	if _, err := tools.New(tools.Options{Names: cfg.toolNames()}); err != nil {
		return usageErrorf("--tools: %w", err)
	}
	return nil
}

// toolNames returns the tools of --tools; nil means all.
func (cfg *Config) toolNames() (names []string) {
	for _, name := range cfg.Tools {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}
