package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/wesendall/wesendall-mcp/observe"
	"github.com/wesendall/wesendall-mcp/server"
)

// noMetrics has no metrics served.
const noMetrics = "off"

// watched makes the server of the settings, and has it be seen from outside:
// metrics at the address of --metrics, or else the usual one, and traces as the
// OTEL_* variables say. End stops both, once the server has ended.
func (s *settings) watched(ctx context.Context, w world, b *backend, log *slog.Logger, usual string) (srv *server.Server, end func() error, err error) {
	address := s.Metrics
	if address == "" {
		address = usual
	}
	if address != noMetrics {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, nil, usage("--metrics: %q is not an address such as 127.0.0.1:9464, or off", address)
		}
		b.metrics = observe.NewMetrics(version())
	}
	// The exporter reads the environment itself, so a file of variables does not count.
	wanted, problem := observe.Wanted(w.lookup)
	if wanted {
		if b.traces, err = observe.NewTraces(ctx, version(), log); err != nil {
			problem = err.Error()
		}
	}
	if problem != "" {
		log.Warn("no traces are exported", "because", problem)
	}
	end = func() error { return nil }
	if b.traces != nil {
		end = b.traces.Close
	}
	if srv, err = s.build(b, log); err != nil || b.metrics == nil {
		return srv, end, err
	}
	stop, err := b.metrics.Serve(ctx, address, log)
	if err != nil {
		return nil, nil, err
	}
	flush := end
	return srv, func() error { return errors.Join(stop(), flush()) }, nil
}
