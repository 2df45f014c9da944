package observability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// Handler returns a handler that answers a scrape at any path.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 8, Timeout: 10 * time.Second,
	})
}

// Serve serves /metrics at an address until stop is called. It fails if it cannot listen
// there.
func (m *Metrics) Serve(ctx context.Context, address string, log *slog.Logger) (stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the metrics cannot be served at %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		server.Handler = requireLoopbackHost(mux)
	}
	log.Info("serving metrics", "at", "http://"+listener.Addr().String()+"/metrics")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are no longer served", "error", err)
		}
	}()
	return func() error {
		defer func() { <-done }()
		return server.Close()
	}, nil
}

// requireLoopbackHost refuses a request whose Host is another machine's name: a web page can
// make its own name resolve to this address (DNS rebinding).
func requireLoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback.IsHost(host) {
			http.Error(w, "only loopback names are answered at this address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
