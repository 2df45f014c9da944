package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// hangs answers nothing for as long as the client waits, and tells when a
// request is there.
func hangs() (http.HandlerFunc, <-chan struct{}) {
	arrived := make(chan struct{}, 8)
	return func(_ http.ResponseWriter, q *http.Request) { arrived <- struct{}{}; <-q.Context().Done() }, arrived
}

// nobody is an address that refuses connections and that no other test's server
// can come to have, as it can the one of a server that was closed.
const nobody = "http://127.0.0.1:1"

func TestACallHasADeadline(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil || c.readLimit != 30*time.Second || c.writeLimit != 45*time.Second {
		t.Errorf("%v, %v, %v", c.readLimit, c.writeLimit, err)
	}
	for _, call := range []string{"get_balance", "send_sms to one", "add_contacts"} {
		answer, _ := hangs()
		r := newRig(t, answer)
		r.readLimit, r.writeLimit = 20*time.Millisecond, 20*time.Millisecond
		e := r.fails(t, call)
		for !e.Sent { // a busy machine: the time was over before it left
			r.readLimit, r.writeLimit = 2*r.readLimit, 2*r.writeLimit
			e = r.fails(t, call)
		}
		if e.Message != "no answer in time" || e.Attempts != 1 || !errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("%s: %+v", call, e)
		}
		if want := call == "send_sms to one"; e.OutcomeUnknown() != want {
			t.Errorf("%s: outcome unknown is %v", call, !want)
		}
	}
}

func TestACallCancelledBeforeItLeavesSendsNothing(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			r := newRig(t, says(200, `{}`))
			// The connection is there, the request is not yet on it.
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				cancel()
				return conn, err
			}
			r.reads.Transport.(*http.Transport).DialContext = dial
			r.writes.Transport.(*http.Transport).DialContext = dial
			for range 2 { // the second one is cancelled from the start
				_, err := call(ctx, r.Client)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Message != "cancelled" || e.Attempts != 1 || len(r.requests()) != 0 {
					t.Fatalf("%v, %+v", err, r.requests())
				}
				if e.OutcomeUnknown() || e.Money != NotCharged {
					t.Errorf("money %s, unknown %v", e.Money, e.OutcomeUnknown())
				}
			}
		})
	}
}

func TestACallCancelledWhileItConnectsDoesNotWait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newRig(t, says(200, `{}`))
	r.writes.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done() // a host that is not there
		return nil, ctx.Err()
	}
	_, err := calls["send_sms to one"](ctx, r.Client)
	if e, ok := errors.AsType[*Error](err); !ok || e.Sent || e.Message != "cancelled" {
		t.Errorf("%+v", err)
	}
}

func TestASpendThatLeftIsFinishedWhateverTheCallerDoes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		says(200, `{"success":true,"data":{"batch_id":"b"}}`)(w, nil)
	})
	got, err := r.Send(ctx, SendRequest{"wal_1", "Hi", Recipients{"+256700000010"}})
	if err != nil || string(got.Data) != `{"batch_id":"b"}` {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestACancelledReadIsGivenUp(t *testing.T) {
	t.Parallel()
	answer, arrived := hangs()
	r := newRig(t, answer)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := r.Balance(ctx, BalanceRequest{"wal_1"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != "cancelled" || e.Attempts != 1 {
		t.Errorf("%v", err)
	}
}

func TestASpendThatFindsNobodyHasSentNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.base = nobody
	for _, call := range []string{"send_sms to one", "topup_wallet", "create_group"} {
		if e := r.fails(t, call); e.Sent || e.Money != NotCharged || e.Retry != RetryLater || e.OutcomeUnknown() {
			t.Errorf("%s: %+v", call, e)
		}
	}
}

// tlsRig is a client of a TLS server that speaks HTTP/2, and a count of the
// connections it got.
func tlsRig(t *testing.T) (*rig, func() int) {
	t.Helper()
	r := newRig(t, nil)
	r.server.Close()
	var mu sync.Mutex
	opened := 0
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen = append(r.seen, seen{q.Method, q.RequestURI, q.Proto, q.Header, string(body)})
		r.mu.Unlock()
		_, _ = io.WriteString(w, `{}`)
	}))
	r.server.EnableHTTP2 = true
	r.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(r.server.Certificate())
	for _, c := range []*http.Client{r.reads, r.writes} {
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	r.base = r.server.URL
	return r, func() int { mu.Lock(); defer mu.Unlock(); return opened }
}

func TestReadsShareAConnectionAndSpendsHaveEachTheirOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call, proto string
		connections int
	}{
		{"get_balance", "HTTP/2.0", 1},
		{"send_sms to one", "HTTP/1.1", 3},
		{"topup_wallet", "HTTP/1.1", 3},
	} {
		r, opened := tlsRig(t)
		for range 3 {
			if _, err := calls[c.call](t.Context(), r.Client); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range r.requests() {
			if q.Proto != c.proto {
				t.Errorf("%s over %s", c.call, q.Proto)
			}
		}
		if got := opened(); got != c.connections {
			t.Errorf("%s: %d connections for 3 calls", c.call, got)
		}
	}
}

// Clients that share their connections keep their credentials apart.
func TestClientsWithOtherCredentialsMayShareConnections(t *testing.T) {
	t.Parallel()
	r, opened := tlsRig(t)
	shared := &Connections{r.reads, r.writes}
	for _, key := range []string{"one", "two", "one"} {
		c, err := New(Options{BaseURL: r.server.URL, Key: key, Secret: NewSecret("of " + key), Connections: shared})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := calls["get_balance"](t.Context(), c); err != nil {
			t.Fatal(err)
		}
		all := r.requests()
		q := http.Request{Header: all[len(all)-1].Header}
		if name, secret, _ := q.BasicAuth(); name != key || secret != "of "+key {
			t.Errorf("%s calls as %s", key, name)
		}
	}
	if got := opened(); got != 1 {
		t.Errorf("%d connections for 3 clients", got)
	}
}

func TestTheCertificateIsChecked(t *testing.T) {
	t.Parallel()
	r, _ := tlsRig(t)
	for _, c := range []*http.Client{r.reads, r.writes} {
		c.Transport.(*http.Transport).TLSClientConfig = nil
	}
	if e := r.fails(t, "send_sms to one"); e.Sent || !strings.Contains(e.Message, "certificate") {
		t.Errorf("%+v", e)
	}
}
