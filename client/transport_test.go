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

// blockUntilCancelled answers nothing for as long as the client waits, and tells when a
// request is there.
func blockUntilCancelled() (http.HandlerFunc, <-chan struct{}) {
	arrived := make(chan struct{}, 8)
	return func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-r.Context().Done() }, arrived
}

// unreachableURL is an address that refuses connections and that no other test's server
// can come to have, as it can the one of a server that was closed.
const unreachableURL = "http://127.0.0.1:1"

func TestCall_Timeout(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil || c.readTimeout != 30*time.Second || c.writeTimeout != 45*time.Second {
		t.Errorf("%v, %v, %v", c.readTimeout, c.writeTimeout, err)
	}
	for _, call := range []string{"get_balance", "send_sms to one", "add_contacts"} {
		handler, _ := blockUntilCancelled()
		env := newTestEnv(t, handler)
		env.readTimeout, env.writeTimeout = 20*time.Millisecond, 20*time.Millisecond
		e := env.expectError(t, call)
		for !e.Sent { // a busy machine: the time was over before it left
			env.readTimeout, env.writeTimeout = 2*env.readTimeout, 2*env.writeTimeout
			e = env.expectError(t, call)
		}
		if e.Message != "no answer in time" || e.Attempts != 1 || !errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("%s: %+v", call, e)
		}
		if want := call == "send_sms to one"; e.OutcomeUnknown() != want {
			t.Errorf("%s: outcome unknown is %v", call, !want)
		}
	}
}

func TestCancel_BeforeSend(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			env := newTestEnv(t, respondWith(200, `{}`))
			// The connection is there, the request is not yet on it.
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				cancel()
				return conn, err
			}
			env.readHTTP.Transport.(*http.Transport).DialContext = dial
			env.writeHTTP.Transport.(*http.Transport).DialContext = dial
			for range 2 { // the second one is cancelled from the start
				_, err := call(ctx, env.Client)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Message != "cancelled" || e.Attempts != 1 || len(env.requests()) != 0 {
					t.Fatalf("%v, %+v", err, env.requests())
				}
				if e.OutcomeUnknown() || e.Money != MoneyNotCharged {
					t.Errorf("money %s, unknown %v", e.Money, e.OutcomeUnknown())
				}
			}
		})
	}
}

func TestCancel_DuringConnect(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	env := newTestEnv(t, respondWith(200, `{}`))
	env.writeHTTP.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done() // a host that is not there
		return nil, ctx.Err()
	}
	_, err := calls["send_sms to one"](ctx, env.Client)
	if e, ok := errors.AsType[*Error](err); !ok || e.Sent || e.Message != "cancelled" {
		t.Errorf("%+v", err)
	}
}

func TestCancel_AfterSend(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	env := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		respondWith(200, `{"success":true,"data":{"batch_id":"b"}}`)(w, nil)
	})
	got, err := env.Send(ctx, SendRequest{"wal_1", "Hi", Recipients{"+256700000010"}})
	if err != nil || string(got.Data) != `{"batch_id":"b"}` {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCancel_Read(t *testing.T) {
	t.Parallel()
	handler, arrived := blockUntilCancelled()
	env := newTestEnv(t, handler)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := env.Balance(ctx, BalanceRequest{"wal_1"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Message != "cancelled" || e.Attempts != 1 {
		t.Errorf("%v", err)
	}
}

func TestSpend_ConnectionRefused(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, nil)
	env.baseURL = unreachableURL
	for _, call := range []string{"send_sms to one", "topup_wallet", "create_group"} {
		if e := env.expectError(t, call); e.Sent || e.Money != MoneyNotCharged || e.Advice != RetryLater ||
			e.OutcomeUnknown() {
			t.Errorf("%s: %+v", call, e)
		}
	}
}

// newTLSTestEnv is a client of a TLS server that speaks HTTP/2, and a count of the
// connections it got.
func newTLSTestEnv(t *testing.T) (*testEnv, func() int) {
	t.Helper()
	env := newTestEnv(t, nil)
	env.server.Close()
	var mu sync.Mutex
	opened := 0
	env.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		env.mu.Lock()
		env.recorded = append(env.recorded, recordedRequest{r.Method, r.RequestURI, r.Proto, r.Header, string(body)})
		env.mu.Unlock()
		_, _ = io.WriteString(w, `{}`)
	}))
	env.server.EnableHTTP2 = true
	env.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	env.server.StartTLS()
	t.Cleanup(env.server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(env.server.Certificate())
	for _, c := range []*http.Client{env.readHTTP, env.writeHTTP} {
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	env.baseURL = env.server.URL
	return env, func() int { mu.Lock(); defer mu.Unlock(); return opened }
}

func TestTransport_ConnectionReuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call, proto string
		connections int
	}{
		{"get_balance", "HTTP/2.0", 1},
		{"send_sms to one", "HTTP/1.1", 3},
		{"topup_wallet", "HTTP/1.1", 3},
	} {
		env, opened := newTLSTestEnv(t)
		for range 3 {
			if _, err := calls[c.call](t.Context(), env.Client); err != nil {
				t.Fatal(err)
			}
		}
		for _, req := range env.requests() {
			if req.Proto != c.proto {
				t.Errorf("%s over %s", c.call, req.Proto)
			}
		}
		if got := opened(); got != c.connections {
			t.Errorf("%s: %d connections for 3 calls", c.call, got)
		}
	}
}

// Clients that share their connections keep their credentials apart.
func TestTransports_Shared(t *testing.T) {
	t.Parallel()
	env, opened := newTLSTestEnv(t)
	shared := &Transports{env.readHTTP, env.writeHTTP}
	for _, key := range []string{"one", "two", "one"} {
		c, err := New(Options{BaseURL: env.server.URL, APIKey: key, APISecret: NewSecret("of " + key), Transports: shared})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := calls["get_balance"](t.Context(), c); err != nil {
			t.Fatal(err)
		}
		requests := env.requests()
		req := http.Request{Header: requests[len(requests)-1].Header}
		if name, secret, _ := req.BasicAuth(); name != key || secret != "of "+key {
			t.Errorf("%s calls as %s", key, name)
		}
	}
	if got := opened(); got != 1 {
		t.Errorf("%d connections for 3 clients", got)
	}
}

func TestTransport_TLSVerify(t *testing.T) {
	t.Parallel()
	env, _ := newTLSTestEnv(t)
	for _, c := range []*http.Client{env.readHTTP, env.writeHTTP} {
		c.Transport.(*http.Transport).TLSClientConfig = nil
	}
	if e := env.expectError(t, "send_sms to one"); e.Sent || !strings.Contains(e.Message, "certificate") {
		t.Errorf("%+v", e)
	}
}
