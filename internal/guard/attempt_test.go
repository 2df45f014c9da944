package guard

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// reservedTotal is what all days hold.
func (env *testEnv) reservedTotal() (total int64) {
	env.Helper()
	if err := env.db().QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals`).Scan(&total); err != nil {
		env.Error(err)
	}
	return total
}

// A process that lost the commit of a quote settles its own attempt once the database
// is back, and never what another process did with the same quote in the meantime.
func TestAttempt_LostCommit(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for to, state := range map[string]ledger.State{phone1: ledger.StateSent, "+256700000408": ledger.StateUnknown} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmByQuote, 35 })
			direct := env.ledgerSource
			proxy := env.useFlakyProxy()
			env.restart()
			id := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, to) }).Quote.ID
			partitioned := env.guard
			proxy.onCommit = func(client, server net.Conn, _ []byte) { reset(server); reset(client); proxy.disconnect() }
			env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{QuoteID: id}, to) })

			env.ledgerSource = direct
			env.restart() // another replica
			original := env.guard
			original.api = hookAPI{original.api, func() { proxy.reconnect(); env.background[partitioned].Wait() }, func() {}}
			_, _ = env.send("Hi", SpendOptions{QuoteID: id}, to)
			env.waitBackground()
			if got := env.states(); !slices.Equal(got, []ledger.State{state}) || env.reservedTotal() != 35 {
				t.Errorf("%v, %d reserved", got, env.reservedTotal())
			}
			env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, to) })
			if _, charged := env.charges(t); !maps.Equal(charged, map[string]int{"Hi " + to: 1}) {
				t.Errorf("%v", charged)
			}
		})
	}
}

// A transaction that hangs ends with the ledger, which may not take long to close.
func TestClose_HungTx(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) })
	blocked := make(chan struct{})
	proxy.onCommit = func(net.Conn, net.Conn, []byte) { close(blocked) } // and nobody forwards it
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

// Calls that come while the ledger is opened wait for that together, each for as
// long as it may.
func TestOpenLedger_SingleFlight(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	g := New(nil, Options{OpenLedger: func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
		if opened.Add(1) == 1 {
			close(started)
		}
		select {
		case <-release:
			return ledger.Open(ctx, "", o)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := g.openLedger(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-started
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.openLedger(short); err == nil {
		t.Error("who may not wait has a ledger")
	}
	close(release)
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("it was opened %d times", opened.Load())
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}

	// Closing ends an opening, however long that would take.
	blocked := make(chan struct{})
	g = New(nil, Options{OpenLedger: func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
		close(blocked)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	wg.Go(func() {
		if _, err := g.openLedger(context.WithoutCancel(t.Context())); err == nil {
			t.Error("it opened")
		}
	})
	<-blocked
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
