package client

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Transports are the ways to the API. Clients with different credentials may
// share them, so that a new client costs no new connection.
type Transports struct{ read, write *http.Client }

// NewTransports connects to nobody yet.
func NewTransports() *Transports {
	return &Transports{
		read:  &http.Client{Transport: newReadTransport(), CheckRedirect: refuseRedirect},
		write: &http.Client{Transport: newWriteTransport(), CheckRedirect: refuseRedirect},
	}
}

// newReadTransport reuses connections and speaks HTTP/2 where it can. Its idle
// connections are as many as a host's calls at once.
func newReadTransport() http.RoundTripper {
	t := newBaseTransport()
	t.MaxIdleConnsPerHost = 64
	t.IdleConnTimeout = 90 * time.Second
	t.ForceAttemptHTTP2 = true
	return t
}

// newWriteTransport gives every call a new HTTP/1.1 connection. Go resends a POST
// by itself over HTTP/2 in some cases, and a kept connection that the server
// has just closed makes an unknown outcome of a call that never arrived.
func newWriteTransport() http.RoundTripper {
	t := newBaseTransport()
	t.DisableKeepAlives = true
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

func newBaseTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// refuseRedirect makes an answer of every redirect: following one would show the
// credentials to an address that nobody configured, or send a POST twice.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// sleepContext waits until the duration is over or the context ends.
func sleepContext(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendBarrier is the point of no return of a request that changes something. The
// transport comes to it once connected, with the headers still in its buffer:
// until then the caller may cancel and nothing of the request has left; from
// then on it is finished whatever the caller does, so that its outcome can be
// told.
type sendBarrier struct {
	callerCtx context.Context

	mu        sync.Mutex
	conn      net.Conn
	committed bool
}

// clientTrace has the transport come to the gate.
func (g *sendBarrier) clientTrace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.conn = i.Conn
		},
		WroteHeaders: g.onHeadersWritten,
	}
}

// onHeadersWritten lets the request pass, or takes its connection away before it leaves.
func (g *sendBarrier) onHeadersWritten() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.callerCtx.Err() != nil {
		_ = g.conn.Close()
		return
	}
	g.committed = true
}

// isCommitted tells whether any of the request may have left.
func (g *sendBarrier) isCommitted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.committed
}
