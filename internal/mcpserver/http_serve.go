package mcpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What one client may send, in bytes.
const (
	maxRequestBytes = 1 << 20
	maxHeaderBytes  = 64 << 10
)

// timeouts are the time limits of the HTTP transport.
type timeouts struct {
	header, body time.Duration // until they are read
	write        time.Duration // for one write to a client that may read slowly
	idle         time.Duration // between two requests on a connection
	heartbeat    time.Duration // between two heartbeats on a stream
	stream       time.Duration // for a subscription
	// shutdown is how long running calls have at the end. Supervisors allow 30 s,
	// and the ledger and the traces may take 5 s each to close. A spend that takes
	// longer is in the ledger with an unknown outcome.
	shutdown time.Duration
	// grace is how long running calls have before their clients are told that the
	// outcome is unknown. It is shorter than shutdown, to leave time for that.
	grace time.Duration
}

var defaultTimeouts = timeouts{
	header: 10 * time.Second, body: 15 * time.Second, write: 30 * time.Second,
	idle: 2 * time.Minute, heartbeat: 15 * time.Second, stream: time.Hour,
	shutdown: 20 * time.Second, grace: 15 * time.Second,
}

// Serve serves until the context ends. Then it closes the listener, ends streams,
// and waits for running calls until timeouts.shutdown.
func (h *HTTPHandler) Serve(ctx context.Context, l net.Listener) error {
	srv := h.newHTTPServer()
	serveErr := make(chan error, 1)
	go func() {
		if h.options.TLS != nil {
			serveErr <- srv.ServeTLS(l, "", "")
			return
		}
		serveErr <- srv.Serve(l)
	}()
	select {
	case err := <-serveErr:
		return err
	case <-ctx.Done():
		return h.shutdown(context.WithoutCancel(ctx), srv)
	}
}

func (h *HTTPHandler) newHTTPServer() *http.Server {
	t := h.options.timeouts
	srv := &http.Server{
		Handler: h, TLSConfig: h.options.TLS.Clone(), MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: t.header, WriteTimeout: t.write, IdleTimeout: t.idle,
		ErrorLog:  slog.NewLogLogger(h.options.Logger.Handler(), slog.LevelWarn),
		Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(h.options.BehindProxy)
	// Shutdown calls this after it has closed the listener: a client whose stream
	// ends cannot connect to this replica again.
	srv.RegisterOnShutdown(func() { close(h.draining) })
	return srv
}

// shutdown ends the server in the steps that timeouts.grace and timeouts.shutdown
// describe.
func (h *HTTPHandler) shutdown(ctx context.Context, srv *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, h.options.timeouts.shutdown)
	defer cancel()
	forceTimer := time.AfterFunc(h.options.timeouts.grace, func() { close(h.forceStop) })
	defer forceTimer.Stop()
	err := srv.Shutdown(ctx)
	callsDone := make(chan struct{})
	go func() { h.inFlight.Wait(); close(callsDone) }()
	select {
	case <-callsDone: // calls whose clients were answered early still record their outcome
	case <-ctx.Done():
		h.options.Logger.Warn("calls were cut off at the end; see the ledger for what they did")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return err
}
