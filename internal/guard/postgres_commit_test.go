package guard

import (
	"context"
	"maps"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A process that lost the commit of a quote settles its own attempt once the database
// is back, and never what another process did with the same quote in the meantime.
func TestAttempt_LostCommit(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for to, state := range map[string]ledger.State{phone1: ledger.StateSent, phoneUnknown: ledger.StateUnknown} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmByQuote, 35 })
			direct := env.ledgerSource
			proxy := env.useFlakyProxy()
			env.restart()
			id := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, to)).Quote.ID
			partitioned := env.guard
			proxy.onCommit = func(client, server net.Conn, _ []byte) {
				reset(server)
				reset(client)
				proxy.disconnect()
			}
			env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{QuoteID: id}, to))

			env.ledgerSource = direct
			env.restart() // another replica
			reconnect := func() {
				proxy.reconnect()
				env.background[partitioned].Wait()
			}
			env.guard.api = hookAPI{API: env.guard.api, before: reconnect}
			_, _ = env.send("Hi", SpendOptions{QuoteID: id}, to)
			env.waitBackground()
			if got := env.states(); !slices.Equal(got, []ledger.State{state}) || env.reservedTotal() != 35 {
				t.Errorf("%v, %d reserved", got, env.reservedTotal())
			}
			env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, to))
			if _, charged := env.charges(t); !maps.Equal(charged, map[string]int{"Hi " + to: 1}) {
				t.Errorf("%v", charged)
			}
		})
	}
}

// The commit of an intent gets no answer. Whether it was written or not, nothing is
// sent and nothing stays reserved.
func TestOutage_LostCommit(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for _, c := range []struct {
		name   string
		commit func(client, server net.Conn, message []byte, awaited func())
		states []ledger.State
	}{
		{"the commit never arrives", func(client, server net.Conn, _ []byte, _ func()) {
			reset(server)
			reset(client)
		}, []ledger.State{ledger.StateSent}},
		{"the commit arrives", func(client, server net.Conn, message []byte, _ func()) {
			reset(client)
			_, _ = server.Write(message)
		}, []ledger.State{ledger.StateFailed, ledger.StateSent}},
		{"the commit arrives after the retry began", func(client, server net.Conn, message []byte, awaited func()) {
			reset(client)
			awaited()
			_, _ = server.Write(message)
		}, []ledger.State{ledger.StateFailed, ledger.StateSent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay = 70 })
			proxy := env.useFlakyProxy()
			env.expectOK(env.send("before", SpendOptions{}, phone1))
			env.waitBackground()
			proxy.onCommit = func(client, server net.Conn, message []byte) {
				c.commit(client, server, message, env.waitForPending)
			}
			env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{}, phone1))
			env.waitBackground()
			if got := env.states(); !slices.Equal(got, c.states) {
				t.Errorf("%v", got)
			}
			env.expectOK(env.send("Hi", SpendOptions{}, phone1)) // the last UGX 35 of the day
			env.checkInvariants(map[string]bool{"before " + phone1: true, "Hi " + phone1: true})
		})
	}
}

// waitForPending waits until a transaction waits for an account's lock in this ledger.
func (env *testEnv) waitForPending() {
	db, err := ledgertest.Server()
	if err != nil {
		env.Error(err)
		return
	}
	schema, _ := url.Parse(env.ledgerSource)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for waiting := false; !waiting; {
		// The schema is found by the tables that the holder of the lock uses.
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1
			FROM pg_locks w JOIN pg_locks h USING (classid, objid) JOIN pg_locks t ON t.pid = h.pid
			JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE w.locktype = 'advisory' AND h.locktype = 'advisory' AND NOT w.granted AND h.granted AND n.nspname = $1)`,
			schema.Query().Get("search_path")).Scan(&waiting); err != nil {
			env.Error(err)
			return
		}
	}
}

// Close ends a transaction that hangs, within the time that it has.
func TestClose_HungTx(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.restart()
	env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1))
	blocked := make(chan struct{})
	proxy.onCommit = func(net.Conn, net.Conn, []byte) { close(blocked) } // it is not forwarded
	done := make(chan *Error)
	go func() { _, failure := env.send("Hi", SpendOptions{}, phone1); done <- failure }()
	<-blocked
	start := time.Now()
	closed, cancel := context.WithCancel(t.Context())
	cancel()
	go func() { _ = env.guard.opened().Close(closed) }()
	if failure := <-done; failure == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", failure, time.Since(start))
	}
}
