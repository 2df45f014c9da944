package ledger

import (
	"context"
	"fmt"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// During an outage only a limited number of voided quotes waits for the database.
func TestVoid_PendingLimit(t *testing.T) {
	t.Parallel()
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * maxPendingVoids {
		if err := l.Void(t.Context(), testIntent("Hi"), fmt.Sprint("quote ", i)); err == nil {
			t.Fatal("a closed database was written")
		}
	}
	if waiting := l.pendingRetries.Load(); waiting > maxPendingVoids {
		t.Errorf("%d voids wait", waiting)
	}
	closed, cancel := context.WithCancel(t.Context())
	cancel()
	_ = l.Close(closed)
}

// A quote of a call that reaches fewer targets than it names is judged by those that
// are reached, and covers all of them.
func TestQuote_NamesMoreThanReached(t *testing.T) {
	t.Parallel()
	env := newReserveEnv(t)
	all := testIntent("Hi")
	all.Targets, all.Recipients, all.TotalUGX = []string{"a", "b", "c"}, 3, testLimits.PerCall+1
	fewer := all
	fewer.Targets, fewer.Recipients, fewer.TotalUGX = []string{"a"}, 1, 35
	fewer.QuotedTargets, fewer.QuotedUGX = all.Targets, all.TotalUGX
	q, d, err := env.Quote(t.Context(), fewer, testPolicy(), false)
	if err != nil || d.Verdict != Reserved || d.TotalUGX != 35 {
		t.Fatalf("%+v, %v", d, err)
	}
	var recipients int
	var totalUGX int64
	err = env.db.QueryRow(`SELECT recipients, total FROM spends WHERE id = $1`, q.ID).Scan(&recipients, &totalUGX)
	if err != nil || recipients != 3 || totalUGX != all.TotalUGX {
		t.Errorf("%d recipients, UGX %d, %v", recipients, totalUGX, err)
	}
	use := testPolicy()
	use.UseQuote, use.Confirmed = q.ID, true
	if d, err = env.Reserve(t.Context(), all, use); err != nil || d.Refusal.Reason != RefusedPerCallLimit {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = env.Reserve(t.Context(), fewer, use); err != nil || d.Verdict != Reserved || d.TotalUGX != 35 {
		t.Errorf("%+v, %v", d, err)
	}
}
