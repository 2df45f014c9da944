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

// reserved is what all days hold.
func (r *rig) reserved() (total int64) {
	r.Helper()
	if err := r.guard.book.db.QueryRow(`SELECT coalesce(sum(total), 0) FROM days`).Scan(&total); err != nil {
		r.Error(err)
	}
	return total
}

// Whoever lost the commit of a quote settles that attempt once the database is
// back, and never what somebody else did with the same quote meanwhile.
func TestALostCommitSettlesItsOwnAttempt(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	for to, state := range map[string]string{one: sent, "+256700000408": unknown} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ByQuote, 35 })
			direct := r.file
			wire := r.onCable()
			r.restart()
			id := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, to) }).Quote.ID
			away := r.guard
			wire.commit = func(client, server net.Conn, _ []byte) { reset(server); reset(client); wire.cut() }
			r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: id}, to) })

			r.file = direct
			r.restart() // another replica
			here := r.guard
			here.api = around{here.api, func() { wire.mend(); away.book.late.Wait() }, func() {}}
			_, _ = r.send("Hi", How{Quote: id}, to)
			here.book.late.Wait()
			if got := r.states(); !slices.Equal(got, []string{state}) || r.reserved() != 35 {
				t.Errorf("%v, %d reserved", got, r.reserved())
			}
			r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, to) })
			if _, charged := r.record(t); !maps.Equal(charged, map[string]int{"Hi " + to: 1}) {
				t.Errorf("%v", charged)
			}
		})
	}
}

// A person settled what was not known, and then the answer comes after all: the
// vendor knows better.
func TestALateOutcomeCorrectsAPerson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, is string }{{failed, sent}, {sent, failed}, {sent, unknown}, {sent, sent}} {
		var log bytes.Buffer
		r := newRig(t, 5000, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		l, err := r.guard.ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.admit(t.Context(), &intent{account: "a", caller: "anna", tool: sendTool, content: []string{"Hi"}, targets: []string{one}, total: 35},
			terms{limits: Defaults().Limits, own: &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 100}, unasked: true})
		if err != nil || v.id == "" {
			t.Fatalf("%+v %v", v, err)
		}
		r.pass(callTime)
		if err := l.Resolve(t.Context(), v.id, c.said); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be tried again
			if err := l.outcome(t.Context(), v, c.is, ""); err != nil {
				t.Fatal(err)
			}
		}
		want := c.is
		if c.is == unknown {
			want = c.said
		}
		reserved := map[string]int64{sent: 70, failed: 0}[want] // of the account, and of the caller
		if got := r.states(); !slices.Equal(got, []string{want}) || r.reserved() != reserved || strings.Contains(log.String(), "corrected") != (want != c.said) {
			t.Errorf("%v: %v, %d reserved, %s", c, got, r.reserved(), log.String())
		}
	}
}

// What people decline while the database is away does not pile up.
func TestDeclinesDoNotPileUp(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	wire := r.onCable()
	r.restart()
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) })
	wire.cut()
	for i := range 4 * maxBurns {
		r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: fmt.Sprint("quote ", i), Answer: No}, one) })
	}
	if waiting := r.guard.book.waiting.Load(); waiting > maxBurns+8 { // some had not begun to be counted
		t.Errorf("%d wait", waiting)
	}
	wire.mend()
	r.guard.book.late.Wait()
}

// A transaction that hangs ends with the ledger, which may not take long to close.
func TestAHungTransactionEndsWithTheLedger(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	wire := r.onCable()
	r.restart()
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) })
	hung := make(chan struct{})
	wire.commit = func(net.Conn, net.Conn, []byte) { close(hung) } // and nobody forwards it
	done := make(chan *Error)
	go func() { _, failure := r.send("Hi", How{}, one); done <- failure }()
	<-hung
	start := time.Now()
	r.guard.book.end()
	if failure := <-done; failure == nil || time.Since(start) > lockWait/2 {
		t.Errorf("%v after %s", failure, time.Since(start))
	}
}

func TestTheFiguresOfThePoolAreItsOwn(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	l := opened(t, with(t, newLedgerSource(t), "pool_max_conns", "2"))
	var took sync.WaitGroup
	release := make(chan struct{})
	var held atomic.Int64
	both := make(chan struct{})
	for i := range 3 {
		took.Go(func() {
			_ = l.accountTx(context.Background(), fmt.Sprint(i), func(context.Context, *sql.Tx) error {
				if held.Add(1) == 2 {
					close(both)
				}
				<-release
				return nil
			})
		})
	}
	<-both
	if s := l.Stats(); s.MaxOpenConnections != 2 || s.InUse != 2 || s.Idle != 0 {
		t.Errorf("%+v", s)
	}
	close(release)
	took.Wait()
}

// Calls that come while the ledger is opened wait for that together, each for as
// long as it may.
func TestTheLedgerIsOpenedOnceForAll(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	begun, release := make(chan struct{}), make(chan struct{})
	g := New(nil, Options{Ledger: func(ctx context.Context) (*Ledger, error) {
		if opened.Add(1) == 1 {
			close(begun)
		}
		select {
		case <-release:
			return OpenLedger(ctx, "")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := g.ledger(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.ledger(short); err == nil {
		t.Error("who may not wait has a ledger")
	}
	close(release)
	all.Wait()
	if opened.Load() != 1 {
		t.Errorf("it was opened %d times", opened.Load())
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}

	// Closing ends an opening, however long that would take.
	hung := make(chan struct{})
	g = New(nil, Options{Ledger: func(ctx context.Context) (*Ledger, error) { close(hung); <-ctx.Done(); return nil, ctx.Err() }})
	all.Go(func() {
		if _, err := g.ledger(context.WithoutCancel(t.Context())); err == nil {
			t.Error("it opened")
		}
	})
	<-hung
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}
