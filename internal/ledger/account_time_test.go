package ledger

import (
	"context"
	"testing"
	"time"
)

// A wall clock that is set back reopens neither a day's budget nor the hour of
// unconfirmed spending, also not of a day that has ended.
func TestReserve_ClockGoesBack(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, back := range map[string]time.Duration{"an hour": time.Hour, "a day": day, "a year": 365 * day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newReserveEnv(t)
			p := testPolicy()
			p.ConfirmOff, p.CallerLimits = true, &Limits{PerCall: 100, PerDay: 70, ConfirmAbove: 1000}
			env.clock.advance(day) // the day before has a budget of its own
			env.spend(t, callerIntent("one"), p, StateSent)
			env.clock.advance(-back)
			env.spend(t, callerIntent("two"), p, StateSent)
			d, err := env.Reserve(context.Background(), callerIntent("three"), p)
			if err != nil || d.Refusal.Reason != RefusedPerDayLimit || !d.Refusal.CallerLimit {
				t.Errorf("the token's budget is open again: %+v, %v", d, err)
			}
			p.CallerLimits, p.Limits.PerDay = nil, 100
			if d, err := env.Reserve(context.Background(), testIntent("three"), p); err != nil ||
				d.Refusal.Reason != RefusedPerDayLimit || d.RemainingUGX != 30 {
				t.Errorf("the day is open again: %+v, %v", d, err)
			}
			other := testIntent("three")
			other.Account = "base other"
			mustReserve(t, env.Ledger, other, p)
			env.clock.advance(back + day)
			if d := mustReserve(t, env.Ledger, testIntent("three"), p); d.RemainingUGX != 65 {
				t.Errorf("of the next day %d are left", d.RemainingUGX)
			}
		})
	}
}

func TestReserve_ClockGoesBackWithinHour(t *testing.T) {
	t.Parallel()
	env := newReserveEnv(t)
	p := testPolicy()
	p.Limits.ConfirmAbove = 100
	env.spend(t, testIntent("one"), p, StateSent)
	env.clock.advance(-30 * time.Hour)
	env.spend(t, testIntent("two"), p, StateSent)
	// Forward to 59 minutes after the first spend: both are of the last hour.
	env.clock.advance(30*time.Hour + 59*time.Minute)
	d, err := env.Reserve(context.Background(), testIntent("three"), p)
	if err != nil || d.Confirm.Reason != ConfirmHourlyThreshold || d.Confirm.UnconfirmedUGX != 70 {
		t.Errorf("%+v, %v", d, err)
	}
}

// A quote that is made while the clock is behind can be used, and a spend that is cut
// off then has an unknown outcome a minute later, by the clock.
func TestReserve_WhileClockIsBehind(t *testing.T) {
	t.Parallel()
	env := newReserveEnv(t)
	p := testPolicy()
	env.spend(t, testIntent("one"), p, StateSent)
	env.clock.advance(-30 * time.Hour)
	env.makeQuote(t, testIntent("two"), p, false)
	p.UseQuote, p.Confirmed = env.quote, true
	mustReserve(t, env.Ledger, testIntent("two"), p)
	env.clock.advance(CallTimeout)
	spends, err := env.List(context.Background(), time.Time{})
	if err != nil || len(spends) != 2 {
		t.Fatal(spends, err)
	}
	for _, s := range spends {
		if s.ID == env.quote && s.State != StateUnknown {
			t.Errorf("it is %s", s.State)
		}
	}
	// A spend that cost nothing moves no time.
	failed := newReserveEnv(t)
	q := testPolicy()
	q.Limits.PerDay = 35
	failed.clock.advance(48 * time.Hour)
	failed.spend(t, testIntent("one"), q, StateFailed)
	failed.clock.advance(-48 * time.Hour)
	mustReserve(t, failed.Ledger, testIntent("two"), q)
	failed.clock.advance(48 * time.Hour)
	mustReserve(t, failed.Ledger, testIntent("three"), q)
}
