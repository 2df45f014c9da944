package ledger

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// reserveEnv is a ledger with a clock, and what a case has prepared in it.
type reserveEnv struct {
	*Ledger
	clock *testClock
	quote string // the id of the quote to use, if any
}

func newReserveEnv(t *testing.T) *reserveEnv {
	t.Helper()
	clock := newTestClock()
	return &reserveEnv{Ledger: openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now}), clock: clock}
}

// makeQuote makes the quote that the case will use.
func (env *reserveEnv) makeQuote(t *testing.T, in Intent, p Policy, asked bool) {
	t.Helper()
	q, _, err := env.Quote(context.Background(), in, p, asked)
	if err != nil {
		t.Fatal(err)
	}
	env.quote = q.ID
}

// spend reserves an intent and records its outcome.
func (env *reserveEnv) spend(t *testing.T, in Intent, p Policy, outcome State) SpendRef {
	t.Helper()
	d := mustReserve(t, env.Ledger, in, p)
	if err := env.RecordOutcome(context.Background(), d.Spend, outcome, ""); err != nil {
		t.Fatal(err)
	}
	return d.Spend
}

// rowState is the state of a row, which may be a quote.
func (env *reserveEnv) rowState(t *testing.T, id string) (state State) {
	t.Helper()
	if err := env.db.QueryRow(`SELECT state FROM spends WHERE id = $1`, id).Scan(&state); err != nil {
		t.Fatal(err)
	}
	return state
}

// testPolicy is a policy with testLimits and their duplicate window.
// testQuoteTTL is how long quotes of the tests can be used.
const testQuoteTTL = 10 * time.Minute

func testPolicy() Policy {
	return Policy{Limits: testLimits, DuplicateWindow: testLimits.DuplicateWindow, QuoteTTL: testQuoteTTL}
}

// firstMidnight ends the day on which the test clock starts.
var firstMidnight = time.Date(2026, 11, 25, 0, 0, 0, 0, KampalaZone)

// refusalCases reach every RefusalReason. prepare returns the intent and the policy
// of the call that is refused.
var refusalCases = []struct {
	name    string
	prepare func(*testing.T, *reserveEnv) (Intent, Policy)
	want    Refusal
	quote   State // of the quote after the refusal; "" without a quote
}{
	{
		name: "the same was sent before", want: Refusal{Reason: RefusedDuplicate},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.spend(t, testIntent("Hi"), testPolicy(), StateSent)
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "the quote was used before", want: Refusal{Reason: RefusedDuplicate, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			p := testPolicy()
			p.UseQuote, p.Confirmed = env.quote, true
			env.spend(t, testIntent("Hi"), p, StateFailed)
			return testIntent("Hi"), p
		},
		quote: StateFailed,
	},
	{
		name: "one call costs too much", want: Refusal{Reason: RefusedPerCallLimit, LimitUGX: 34},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.Limits.PerCall = 34
			return testIntent("Hi"), p
		},
	},
	{
		name: "one call costs too much for the caller",
		want: Refusal{Reason: RefusedPerCallLimit, CallerLimit: true, LimitUGX: 34},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.CallerLimits = &Limits{PerCall: 34, PerDay: 100}
			return callerIntent("Hi"), p
		},
	},
	{
		name: "a top-up is too large", want: Refusal{Reason: RefusedPerCallLimit, LimitUGX: testLimits.TopUp},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			in := topUpIntent()
			in.TotalUGX = testLimits.TopUp + 1
			return in, testPolicy()
		},
	},
	{
		name: "the day's budget is used up",
		want: Refusal{Reason: RefusedPerDayLimit, LimitUGX: 69, SpentUGX: 35, DayEnds: firstMidnight},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.Limits.PerDay = 69
			env.spend(t, testIntent("first"), p, StateSent)
			return testIntent("Hi"), p
		},
	},
	{
		name: "the caller's budget for the day is used up",
		want: Refusal{Reason: RefusedPerDayLimit, CallerLimit: true, LimitUGX: 69, SpentUGX: 35, DayEnds: firstMidnight},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.CallerLimits = &Limits{PerCall: 100, PerDay: 69, ConfirmAbove: 100}
			env.spend(t, callerIntent("first"), p, StateSent)
			return callerIntent("Hi"), p
		},
	},
	{
		name: "there is no such quote", want: Refusal{Reason: RefusedQuoteNotFound},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.UseQuote = "unknown"
			return testIntent("Hi"), p
		},
	},
	{
		name: "the quote belongs to another caller", want: Refusal{Reason: RefusedQuoteNotFound}, quote: StateQuoted,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, callerIntent("Hi"), testPolicy(), false)
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "the quote belongs to another account", want: Refusal{Reason: RefusedQuoteNotFound}, quote: StateQuoted,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			other := testIntent("Hi")
			other.Account = "base other"
			env.makeQuote(t, other, testPolicy(), false)
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "the quote is for another message", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteMismatch, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			return testIntent("Ho"), testPolicy()
		},
	},
	{
		name: "there are more recipients than in the quote", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteMoreRecipients, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			in := testIntent("Hi")
			in.Recipients = 2
			return in, testPolicy()
		},
	},
	{
		name: "the price is higher than in the quote", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteHigherPrice, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			in := testIntent("Hi")
			in.TotalUGX = 36
			return in, testPolicy()
		},
	},
	{
		name: "the quote is void", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteVoid, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			if err := env.Void(context.Background(), testIntent("Hi"), env.quote); err != nil {
				t.Fatal(err)
			}
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "the quote has expired", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteExpired, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			env.clock.advance(testQuoteTTL)
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "the user answered, but was not asked about the quote", quote: StateVoid,
		want: Refusal{Reason: RefusedQuoteNotAsked, QuotedRecipients: 1, QuotedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			p := testPolicy()
			p.UserAnswered, p.Confirmed = true, true
			return testIntent("Hi"), p
		},
	},
	{
		name: "the quote does not name the duplicate", want: Refusal{Reason: RefusedQuoteDuplicates}, quote: StateVoid,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.AllowDuplicate = true
			env.makeQuote(t, testIntent("Hi"), p, false)
			env.spend(t, testIntent("Hi"), testPolicy(), StateSent)
			p.Confirmed = true
			return testIntent("Hi"), p
		},
	},
	{
		name: "the quote does not name a spend near it", want: Refusal{Reason: RefusedQuoteUnsettled}, quote: StateVoid,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.makeQuote(t, testIntent("Hi"), testPolicy(), false)
			env.spend(t, testIntent("first"), testPolicy(), StateUnknown)
			p := testPolicy()
			p.Confirmed = true
			return testIntent("Hi"), p
		},
	},
}

// Each refusal has its reason and figures, stores nothing, and voids a quote that
// cannot be used any more.
func TestReserve_Refused(t *testing.T) {
	t.Parallel()
	reached := map[RefusalReason]bool{}
	for _, c := range refusalCases {
		reached[c.want.Reason] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newReserveEnv(t)
			in, p := c.prepare(t, env)
			if p.UseQuote == "" {
				p.UseQuote = env.quote
			}
			count, _ := listed(t, env.Ledger)
			reserved := reservedTotal(t, env.Ledger)
			d, err := env.Reserve(t.Context(), in, p)
			if err != nil || d.Verdict != Refused || d.Refusal != c.want || d.Spend != (SpendRef{}) {
				t.Errorf("%+v, %v, want %+v", d, err, c.want)
			}
			if d.TotalUGX != in.TotalUGX {
				t.Errorf("UGX %d are needed, not %d", in.TotalUGX, d.TotalUGX)
			}
			if now, _ := listed(t, env.Ledger); now != count || reservedTotal(t, env.Ledger) != reserved {
				t.Errorf("%d spends with UGX %d, before %d with %d", now, reservedTotal(t, env.Ledger), count, reserved)
			}
			if env.quote != "" {
				if state := env.rowState(t, env.quote); state != c.quote {
					t.Errorf("the quote is %s, want %s", state, c.quote)
				}
			}
		})
	}
	for reason := RefusedDuplicate; reason <= RefusedQuoteUnsettled; reason++ {
		if !reached[reason] {
			t.Errorf("no case reaches reason %d", reason)
		}
	}
}

// A refusal has the figures that a sentence about it needs.
func TestReserve_RefusedFigures(t *testing.T) {
	t.Parallel()
	env := newReserveEnv(t)
	p := testPolicy()
	p.Limits.PerCall, p.Limits.PerDay = 60, 69
	first := env.spend(t, testIntent("Hi"), p, StateSent)
	d, err := env.Reserve(t.Context(), testIntent("Hi"), p)
	if err != nil || d.Duplicates == nil || len(d.Duplicates.Spends) != 1 || len(d.Duplicates.Targets) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	got := d.Duplicates.Spends[0]
	if got.ID != first.ID || got.State != StateSent || got.TotalUGX != 35 || !got.Created.Equal(env.clock.now()) ||
		d.Duplicates.Targets[0] != testIntent("").Targets[0] {
		t.Errorf("%+v", d.Duplicates)
	}
	if d, err = env.Reserve(t.Context(), testIntent("Ho"), p); err != nil || d.CallLimitUGX != 60 || d.RemainingUGX != 34 {
		t.Errorf("%+v, %v", d, err)
	}
	env.clock.advance(24 * time.Hour) // the next day has its own budget
	if d = mustReserve(t, env.Ledger, testIntent("Ho"), p); d.RemainingUGX != 34 {
		t.Errorf("%+v", d)
	}
}

// A process that is suspended inside the transaction must not get more time for its
// request than the row has until its outcome counts as unknown.
func TestReserve_StoredAtIsNotLaterThanTheRow(t *testing.T) {
	t.Parallel()
	var readAt atomic.Int64 // when the clock for the row was last read
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: func() time.Time {
		readAt.Store(time.Now().UnixNano())
		<-time.After(50 * time.Millisecond)
		return time.Unix(0, readAt.Load())
	}})
	d := mustReserve(t, l, testIntent("Hi"), Policy{Limits: testLimits, ConfirmOff: true})
	if d.StoredAt.UnixNano() > readAt.Load() {
		t.Errorf("stored %s after the clock was read", time.Duration(d.StoredAt.UnixNano()-readAt.Load()))
	}
}
