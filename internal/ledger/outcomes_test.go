package ledger

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// The response comes after the user has settled the spend: the response counts.
func TestAttempt_LateOutcomeOverridesResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ resolved, outcome State }{
		{StateFailed, StateSent}, {StateSent, StateFailed}, {StateSent, StateUnknown}, {StateSent, StateSent},
	} {
		var log bytes.Buffer
		clock := newTestClock()
		logger := slog.New(slog.NewTextHandler(&log, nil))
		l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Logger: logger})
		in := testIntent("Hi")
		in.Caller = "anna"
		d := mustReserve(t, l, in, Policy{
			Limits: testLimits, CallerLimits: &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 100}, ConfirmOff: true,
		})
		clock.advance(CallTimeout)
		if err := l.Resolve(t.Context(), d.Spend.ID, c.resolved); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the write may be retried
			if err := l.RecordOutcome(t.Context(), d.Spend, c.outcome, ""); err != nil {
				t.Fatal(err)
			}
		}
		want := c.outcome
		if c.outcome == StateUnknown {
			want = c.resolved
		}
		reserved := int64(70) // the account's and the caller's
		if want == StateFailed {
			reserved = 0
		}
		if _, state := listed(t, l); state != want || reservedTotal(t, l) != reserved ||
			strings.Contains(log.String(), "corrected") != (want != c.resolved) {
			t.Errorf("%v: %v, %d reserved, %s", c, state, reservedTotal(t, l), log.String())
		}
	}
}
