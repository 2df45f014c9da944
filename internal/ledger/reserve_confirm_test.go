package ledger

import "testing"

// confirmCases reach every ConfirmReason.
var confirmCases = []struct {
	name    string
	prepare func(*testing.T, *reserveEnv) (Intent, Policy)
	want    Confirmation
	always  bool // needed even where confirmations are off
}{
	{
		name: "a top-up", want: Confirmation{Reason: ConfirmTopUp},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) { return topUpIntent(), testPolicy() },
	},
	{
		name: "an allowed duplicate", want: Confirmation{Reason: ConfirmDuplicate}, always: true,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.spend(t, testIntent("Hi"), testPolicy(), StateSent)
			p := testPolicy()
			p.AllowDuplicate = true
			return testIntent("Hi"), p
		},
	},
	{
		name: "a send near an unknown outcome", want: Confirmation{Reason: ConfirmUnsettled}, always: true,
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.spend(t, testIntent("first"), testPolicy(), StateUnknown)
			return testIntent("Hi"), testPolicy()
		},
	},
	{
		name: "a total above the threshold", want: Confirmation{Reason: ConfirmThreshold, ThresholdUGX: 34},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.Limits.ConfirmAbove = 34
			return testIntent("Hi"), p
		},
	},
	{
		name: "a total above the caller's threshold", want: Confirmation{Reason: ConfirmThreshold, ThresholdUGX: 34},
		prepare: func(*testing.T, *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.CallerLimits = &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 34}
			return callerIntent("Hi"), p
		},
	},
	{
		name: "a total above the threshold with the last hour",
		want: Confirmation{Reason: ConfirmHourlyThreshold, ThresholdUGX: 69, UnconfirmedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			p := testPolicy()
			p.Limits.ConfirmAbove = 69
			env.spend(t, testIntent("first"), p, StateSent)
			return testIntent("Hi"), p
		},
	},
	{
		name: "a total above the caller's threshold with the caller's last hour",
		want: Confirmation{Reason: ConfirmHourlyThreshold, ThresholdUGX: 69, UnconfirmedUGX: 35},
		prepare: func(t *testing.T, env *reserveEnv) (Intent, Policy) {
			env.spend(t, testIntent("of another caller"), testPolicy(), StateSent)
			p := testPolicy()
			p.CallerLimits = &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 69}
			env.spend(t, callerIntent("first"), p, StateSent)
			return callerIntent("Hi"), p
		},
	},
}

// Each need for a confirmation has its reason and figures and stores nothing. A quote
// that the user confirmed meets it.
func TestReserve_NeedsConfirmation(t *testing.T) {
	t.Parallel()
	reached := map[ConfirmReason]bool{}
	for _, c := range confirmCases {
		reached[c.want.Reason] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newReserveEnv(t)
			in, p := c.prepare(t, env)
			count, _ := listed(t, env.Ledger)
			reserved := reservedTotal(t, env.Ledger)
			d, err := env.Reserve(t.Context(), in, p)
			if err != nil || d.Verdict != NeedsConfirmation || d.Confirm != c.want || d.Spend != (SpendRef{}) {
				t.Errorf("%+v, %v, want %+v", d, err, c.want)
			}
			if now, _ := listed(t, env.Ledger); now != count || reservedTotal(t, env.Ledger) != reserved {
				t.Errorf("%d spends with UGX %d, before %d with %d", now, reservedTotal(t, env.Ledger), count, reserved)
			}
			env.makeQuote(t, in, p, true)
			p.UseQuote, p.UserAnswered, p.Confirmed = env.quote, true, true
			if d := mustReserve(t, env.Ledger, in, p); d.Spend.ID != env.quote || d.TotalUGX != in.TotalUGX {
				t.Errorf("the confirmed quote is %s: %+v", env.quote, d)
			}
			if now := reservedTotal(t, env.Ledger); now <= reserved {
				t.Errorf("UGX %d are reserved, before %d", now, reserved)
			}
		})
	}
	for reason := ConfirmTopUp; reason <= ConfirmHourlyThreshold; reason++ {
		if !reached[reason] {
			t.Errorf("no case reaches reason %d", reason)
		}
	}
}

// Where confirmations are off, only duplicates and sends near an unknown outcome need one.
func TestReserve_ConfirmOff(t *testing.T) {
	t.Parallel()
	for _, c := range confirmCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newReserveEnv(t)
			in, p := c.prepare(t, env)
			p.ConfirmOff = true
			want := Reserved
			if c.always {
				want = NeedsConfirmation
			}
			if d, err := env.Reserve(t.Context(), in, p); err != nil || d.Verdict != want {
				t.Errorf("%+v, %v, want verdict %d", d, err, want)
			}
		})
	}
}
