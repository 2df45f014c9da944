package ledger

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

func TestMain(m *testing.M) { os.Exit(ledgertest.Run(m)) }

// testClock is a clock that a test moves.
type testClock struct{ ns atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.ns.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *testClock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func openTestLedger(t testing.TB, source string, o Options) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), source, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), foregroundTimeout)
		defer cancel()
		_ = l.Close(ctx)
	})
	return l
}

var testLimits = Limits{
	PerCall: 50_000, PerDay: 100_000, TopUp: 500_000, Recipients: 1_000, ConfirmAbove: 1_000,
	DuplicateWindow: 10 * time.Minute,
}

func testIntent(message string) Intent {
	return Intent{
		Account: "base wallet", Tool: "send_sms", Kind: KindSend,
		Content: []string{message}, Targets: []string{"+256700000010"},
		Recipients: 1, Units: 1, TotalUGX: 35,
	}
}

// callerIntent is testIntent of the caller anna.
func callerIntent(message string) Intent {
	in := testIntent(message)
	in.Caller = "anna"
	return in
}

func topUpIntent() Intent {
	return Intent{
		Account: "base wallet", Tool: "topup_wallet", Kind: KindTopUp,
		Content: []string{"500"}, Targets: []string{"+256700000010"}, TotalUGX: 500,
	}
}

func mustReserve(t testing.TB, l *Ledger, in Intent, p Policy) Decision {
	t.Helper()
	d, err := l.Reserve(context.Background(), in, p)
	if err != nil || d.Verdict != Reserved {
		t.Fatalf("%+v, %v", d, err)
	}
	return d
}

// listed returns the number of spends, and the state if there is only one.
func listed(t testing.TB, l *Ledger) (count int, state State) {
	t.Helper()
	spends, err := l.List(context.Background(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(spends) == 1 {
		state = spends[0].State
	}
	return len(spends), state
}

func reservedTotal(t testing.TB, l *Ledger) (total int64) {
	t.Helper()
	if err := l.db.QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals`).Scan(&total); err != nil {
		t.Error(err)
	}
	return total
}
