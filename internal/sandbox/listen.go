package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// Server is a sandbox that listens on a loopback port.
type Server struct {
	sandbox  *Sandbox
	http     *http.Server
	url      string
	serveErr chan error
}

// Start opens a sandbox and serves it in the background until Close. The address must be a
// loopback address; port 0 takes a free one. ctx only limits the start.
func Start(ctx context.Context, addr string, o Options) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox address: %w", err)
	}
	if !loopback.IsHost(host) {
		return nil, fmt.Errorf("sandbox address %q: must be a loopback address, such as 127.0.0.1:0", addr)
	}
	sandbox, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), sandbox.Close())
	}
	s := &Server{
		sandbox: sandbox,
		http: &http.Server{
			Handler:           checkHost(listener.Addr(), sandbox),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      60 * time.Second,
			IdleTimeout:       2 * time.Minute,
		},
		url:      "http://" + listener.Addr().String(),
		serveErr: make(chan error, 1),
	}
	go func() {
		defer close(s.serveErr)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.serveErr <- err
		}
	}()
	return s, nil
}

// URL returns the base URL, without /api/v1.
func (s *Server) URL() string { return s.url }

// Close stops listening, waits for running calls, and closes the database.
func (s *Server) Close() error {
	// Calls take milliseconds; what is left after a second is an unused connection.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	return errors.Join(err, <-s.serveErr, s.sandbox.Close())
}
