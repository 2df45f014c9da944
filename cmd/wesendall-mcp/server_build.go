package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/wesendall/wesendall-mcp/internal/mcpserver"
	"github.com/wesendall/wesendall-mcp/internal/observability"
)

// metricsOff has no metrics served.
const metricsOff = "off"

// newObservedServer makes the server of the settings, and has it be seen from outside:
// metrics at the address of --metrics, or else the usual one, and traces as the
// OTEL_* variables say. Shutdown stops both, once the server has ended.
func (cfg *config) newObservedServer(ctx context.Context, env environment, b *backend, log *slog.Logger, defaultAddr string) (srv *mcpserver.Server, shutdown func() error, err error) {
	address := cfg.Metrics
	if address == "" {
		address = defaultAddr
	}
	if address != metricsOff {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, nil, usageErrorf("--metrics: %q is not an address such as 127.0.0.1:9464, or off", address)
		}
		b.metrics = observability.NewMetrics(version())
	}
	// The exporter reads the environment itself, so a file of variables does not count.
	requested, problem := observability.TracingRequested(env.lookupEnv)
	if requested {
		if b.tracer, err = observability.NewTracer(ctx, version(), log); err != nil {
			problem = err.Error()
		}
	}
	if problem != "" {
		log.Warn("no traces are exported", "because", problem)
	}
	shutdown = func() error { return nil }
	if b.tracer != nil {
		shutdown = b.tracer.Close
	}
	if srv, err = cfg.newServer(b, log); err != nil || b.metrics == nil {
		return srv, shutdown, err
	}
	stopMetrics, err := b.metrics.Serve(ctx, address, log)
	if err != nil {
		return nil, nil, err
	}
	closeTracer := shutdown
	return srv, func() error { return errors.Join(stopMetrics(), closeTracer()) }, nil
}
