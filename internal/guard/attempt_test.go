package guard

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reservedTotal is what all days hold.
func (env *testEnv) reservedTotal() (total int64) {
	env.Helper()
	if err := env.guard.ledger.DB.QueryRow(`SELECT coalesce(sum(total), 0) FROM days`).Scan(&total); err != nil {
		env.Error(err)
	}
	return total
}

// Whoever lost the commit of a quote settles that attempt once the database is
// back, and never what somebody else did with the same quote meanwhile.
func TestAttempt_LostCommit(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	for to, state := range map[string]string{phone1: StateSent, "+256700000408": StateUnknown} {
		t.Run(state, func(t *testing.T) {
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
			original.api = hookAPI{original.api, func() { proxy.reconnect(); partitioned.ledger.BackgroundTasks.Wait() }, func() {}}
			_, _ = env.send("Hi", SpendOptions{QuoteID: id}, to)
			original.ledger.BackgroundTasks.Wait()
			if got := env.states(); !slices.Equal(got, []string{state}) || env.reservedTotal() != 35 {
				t.Errorf("%v, %d reserved", got, env.reservedTotal())
			}
			env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, to) })
			if _, charged := env.charges(t); !maps.Equal(charged, map[string]int{"Hi " + to: 1}) {
				t.Errorf("%v", charged)
			}
		})
	}
}

// A person settled what was not known, and then the answer comes after all: the
// vendor knows better.
func TestAttempt_LateOutcomeOverridesResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, is string }{{StateFailed, StateSent}, {StateSent, StateFailed}, {StateSent, StateUnknown}, {StateSent, StateSent}} {
		var log bytes.Buffer
		env := newTestEnv(t, 5000, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		l, err := env.guard.openLedger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.Reserve(t.Context(), &Intent{Account: "a", Caller: "anna", Tool: sendTool, DedupKey: []string{"Hi"}, Targets: []string{phone1}, TotalUGX: 35},
			Policy{Limits: DefaultOptions().Limits, CallerLimits: &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 100}, ConfirmOff: true})
		if err != nil || d.SpendID == "" {
			t.Fatalf("%+v %v", d, err)
		}
		env.advance(CallTimeout)
		if err := l.ResolveSpend(t.Context(), d.SpendID, c.said); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be tried again
			if err := l.RecordOutcome(t.Context(), d, c.is, ""); err != nil {
				t.Fatal(err)
			}
		}
		want := c.is
		if c.is == StateUnknown {
			want = c.said
		}
		reserved := map[string]int64{StateSent: 70, StateFailed: 0}[want] // of the account, and of the caller
		if got := env.states(); !slices.Equal(got, []string{want}) || env.reservedTotal() != reserved || strings.Contains(log.String(), "corrected") != (want != c.said) {
			t.Errorf("%v: %v, %d reserved, %s", c, got, env.reservedTotal(), log.String())
		}
	}
}

// What people decline while the database is away does not pile up.
func TestVoid_PendingLimit(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) })
	proxy.disconnect()
	for i := range 4 * MaxPendingVoids {
		env.expectError(CodeNotConfigured, func() (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{QuoteID: fmt.Sprint("quote ", i), Answer: AnswerNo}, phone1)
		})
	}
	if waiting := env.guard.ledger.PendingRetries.Load(); waiting > MaxPendingVoids+8 { // some had not begun to be counted
		t.Errorf("%d wait", waiting)
	}
	proxy.reconnect()
	env.guard.ledger.BackgroundTasks.Wait()
}

// A transaction that hangs ends with the ledger, which may not take long to close.
func TestClose_HungTx(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
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
	env.guard.ledger.Cancel()
	if failure := <-done; failure == nil || time.Since(start) > LockTimeout/2 {
		t.Errorf("%v after %s", failure, time.Since(start))
	}
}

func TestStats_Pool(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	l := openTestLedger(t, withQueryParam(t, newLedgerSource(t), "pool_max_conns", "2"))
	var wg sync.WaitGroup
	release := make(chan struct{})
	var holding atomic.Int64
	both := make(chan struct{})
	for i := range 3 {
		wg.Go(func() {
			_ = l.WithAccountTx(context.Background(), fmt.Sprint(i), func(context.Context, *sql.Tx) error {
				if holding.Add(1) == 2 {
					close(both)
				}
				<-release
				return nil
			})
		})
	}
	<-both
	if s := l.DBStats(); s.MaxOpenConnections != 2 || s.InUse != 2 || s.Idle != 0 {
		t.Errorf("%+v", s)
	}
	close(release)
	wg.Wait()
}

// Calls that come while the ledger is opened wait for that together, each for as
// long as it may.
func TestOpenLedger_SingleFlight(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	g := New(nil, Options{OpenLedger: func(ctx context.Context) (*Ledger, error) {
		if opened.Add(1) == 1 {
			close(started)
		}
		select {
		case <-release:
			return OpenLedger(ctx, "")
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
	g = New(nil, Options{OpenLedger: func(ctx context.Context) (*Ledger, error) { close(blocked); <-ctx.Done(); return nil, ctx.Err() }})
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
