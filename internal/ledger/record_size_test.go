package ledger

import (
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A corrected size releases the rest of the budget, of the account and of the
// caller, once and only downwards.
func TestRecordSize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		recipients      int   // of the intent
		corrected, want int64 // totals
		wantRecipients  int
		resolved        State // by hand, before
	}{
		"a lower total":                    {corrected: 770, want: 770, wantRecipients: 22},
		"the same total":                   {corrected: 9000, want: 9000, wantRecipients: 22},
		"a higher total":                   {corrected: 9001, want: 9000, wantRecipients: 0},
		"a known size stays":               {recipients: 3, corrected: 770, want: 9000, wantRecipients: 3},
		"after it was settled as failed":   {corrected: 770, want: 770, wantRecipients: 22, resolved: StateFailed},
		"after it was settled as sent":     {corrected: 770, want: 770, wantRecipients: 22, resolved: StateSent},
		"after its deadline, not settled":  {corrected: 770, want: 770, wantRecipients: 22, resolved: StateUnknown},
		"a group of one, for one shilling": {corrected: 1, want: 1, wantRecipients: 22},
	} {
		for _, callers := range []int{1, 2} { // budgets that count it
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				clock := newTestClock()
				l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now})
				in := testIntent("Hi")
				in.Tool, in.Recipients, in.TotalUGX = "send_group_sms", c.recipients, 9000
				p := Policy{Limits: testLimits, ConfirmOff: true}
				if callers == 2 {
					in.Caller, p.CallerLimits = "anna", &Limits{PerCall: 9000, PerDay: 9000}
				}
				d := mustReserve(t, l, in, p)
				if c.resolved != "" {
					clock.advance(CallTimeout)
				}
				if c.resolved == StateSent || c.resolved == StateFailed {
					if err := l.Resolve(t.Context(), d.Spend.ID, c.resolved); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 { // it may be tried again
					if err := l.RecordSize(t.Context(), d.Spend, 22, c.corrected); err != nil {
						t.Fatal(err)
					}
				}
				spends, err := l.List(t.Context(), time.Time{})
				if err != nil || len(spends) != 1 {
					t.Fatal(spends, err)
				}
				s := spends[0]
				if s.State != StateSent || s.TotalUGX != c.want || s.Recipients != c.wantRecipients {
					t.Errorf("%+v", s)
				}
				if got := reservedTotal(t, l); got != int64(callers)*c.want {
					t.Errorf("%d are reserved, want %d × %d", got, callers, c.want)
				}
				in.Content, in.Recipients, in.TotalUGX = []string{"Ho"}, 0, 9000-c.want
				if in.TotalUGX > 0 { // the rest can be spent
					mustReserve(t, l, in, p)
				}
			})
		}
	}
}
