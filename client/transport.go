package client

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Transports hold the connections to the API. Clients with different credentials
// may share them, so that a new client needs no new connection.
type Transports struct{ read, write *http.Client }

// NewTransports returns transports without any connection yet.
func NewTransports() *Transports {
	return &Transports{
		read:  &http.Client{Transport: newReadTransport(), CheckRedirect: refuseRedirect},
		write: &http.Client{Transport: newWriteTransport(), CheckRedirect: refuseRedirect},
	}
}

// newReadTransport reuses connections and uses HTTP/2 where it can.
func newReadTransport() http.RoundTripper {
	t := newBaseTransport()
	t.MaxIdleConnsPerHost = 64 // as many as a host has calls at once
	t.IdleConnTimeout = 90 * time.Second
	t.ForceAttemptHTTP2 = true
	return t
}

// newWriteTransport gives every request a new HTTP/1.1 connection. Over HTTP/2 Go
// resends a POST by itself in some cases. A reused connection that the server has
// just closed would make the outcome of a request unknown that never arrived.
func newWriteTransport() http.RoundTripper {
	t := newBaseTransport()
	t.DialContext = withDeparture(t.DialContext)
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

// refuseRedirect returns the redirect itself as the response. Following it would
// show the credentials to an address that nobody configured, or send a POST twice.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// sendBarrier is the point after which a write is no longer cancelled. The
// transport reaches it once it is connected and the headers are in its buffer.
// Before it, the caller can cancel and nothing has left. After it, the request is
// finished whatever the caller does, so that its outcome is known.
type sendBarrier struct {
	callerCtx context.Context

	mu        sync.Mutex
	conn      net.Conn
	committed bool
}

// clientTrace makes the transport call the barrier.
func (b *sendBarrier) clientTrace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.conn = i.Conn
		},
		WroteHeaders: b.onHeadersWritten,
	}
}

// onHeadersWritten commits the request. If the caller has cancelled, or the
// departure limit has passed, it closes the connection before anything leaves.
func (b *sendBarrier) onHeadersWritten() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopReason() != nil {
		_ = b.conn.Close()
		return
	}
	b.committed = true
}

// stopReason returns why the request must not leave, or nil.
func (b *sendBarrier) stopReason() error {
	if missesDeparture(b.callerCtx, 0) {
		return errDepartureMissed
	}
	return b.callerCtx.Err()
}

// notSentReason returns why the barrier stopped the request, or nil.
func (b *sendBarrier) notSentReason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.committed {
		return nil
	}
	return b.stopReason()
}

// isCommitted reports whether any of the request may have left.
func (b *sendBarrier) isCommitted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.committed
}
