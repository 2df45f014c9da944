package guard

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/sandbox"
)

// token is a caller with the server's credentials, and limits of its own.
func (r *rig) token(name string, change func(*Limits)) somebody {
	r.Helper()
	s := r.caller(name, sandbox.APIKey, sandbox.APISecret, sandbox.WalletID)
	own := NoLimits()
	if change != nil {
		change(&own)
	}
	s.own = &own
	return s
}

func TestATokensLimitsOnlyTighten(t *testing.T) {
	t.Parallel()
	type spend = func(somebody) (*Receipt, *Error)
	oneText := func(s somebody) (*Receipt, *Error) { return s.send("Hi", How{}, one) } // UGX 35
	twoTexts := func(s somebody) (*Receipt, *Error) { return s.send("Hi", How{}, one, two) }
	topUp := func(s somebody) (*Receipt, *Error) { return s.topUp(500, How{Ask: yes}, one) }
	group := func(s somebody) (*Receipt, *Error) { return s.sendGroup("Hi", How{}) } // of two
	for name, c := range map[string]struct {
		server, own func(*Limits)
		do          spend
		code, says  string
	}{
		"no limits of its own":             {nil, nil, twoTexts, "", ""},
		"per call":                         {nil, func(l *Limits) { l.PerCall = 69 }, twoTexts, LimitExceeded, "it takes UGX 70, and one call may take UGX 69 (the limit of this token)"},
		"per call, just so":                {nil, func(l *Limits) { l.PerCall = 70 }, twoTexts, "", ""},
		"per call, the server's":           {func(l *Limits) { l.PerCall = 69 }, nil, twoTexts, LimitExceeded, "one call may take UGX 69 (WESENDALL_MAX_PER_CALL)"},
		"per call, looser":                 {func(l *Limits) { l.PerCall = 69 }, func(l *Limits) { l.PerCall = 70 }, twoTexts, LimitExceeded, "WESENDALL_MAX_PER_CALL"},
		"per day":                          {nil, func(l *Limits) { l.PerDay = 69 }, twoTexts, LimitExceeded, "it takes UGX 70, and UGX 69 are left of today's limit (the limit of this token)"},
		"per day, the server's":            {func(l *Limits) { l.PerDay = 69 }, nil, twoTexts, LimitExceeded, "UGX 69 are left of today's limit (WESENDALL_MAX_PER_DAY)"},
		"nothing a day":                    {nil, func(l *Limits) { l.PerDay = 0 }, oneText, LimitExceeded, "UGX 0 are left"},
		"top-ups":                          {nil, func(l *Limits) { l.TopUp = 499 }, topUp, LimitExceeded, "one call may take UGX 499 (the limit of this token)"},
		"top-ups, not by sends' limits":    {nil, func(l *Limits) { l.PerCall, l.PerDay = 0, 0 }, topUp, "", ""},
		"top-ups, the server's":            {func(l *Limits) { l.TopUp = 499 }, nil, topUp, LimitExceeded, "WESENDALL_MAX_TOPUP"},
		"recipients":                       {nil, func(l *Limits) { l.Recipients = 1 }, twoTexts, LimitExceeded, "2 numbers, and one call may reach 1 (the limit of this token)"},
		"recipients, the server's":         {func(l *Limits) { l.Recipients = 1 }, nil, twoTexts, LimitExceeded, "WESENDALL_MAX_RECIPIENTS"},
		"recipients of a group":            {nil, func(l *Limits) { l.Recipients = 1 }, group, LimitExceeded, "the limit of this token"},
		"confirmation":                     {nil, func(l *Limits) { l.ConfirmAbove = 69 }, twoTexts, ConfirmationRequired, "more than UGX 69"},
		"confirmation, just so":            {nil, func(l *Limits) { l.ConfirmAbove = 70 }, twoTexts, "", ""},
		"confirmation, the server's":       {func(l *Limits) { l.ConfirmAbove = 69 }, nil, twoTexts, ConfirmationRequired, "more than UGX 69"},
		"confirmation of all, looser":      {func(l *Limits) { l.ConfirmAbove = 69 }, func(l *Limits) { l.ConfirmAbove = 1000 }, twoTexts, ConfirmationRequired, "more than UGX 69"},
		"recipients of a group, by server": {func(l *Limits) { l.Recipients = 1 }, nil, group, LimitExceeded, "WESENDALL_MAX_RECIPIENTS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) {
				if c.server != nil {
					c.server(&o.Limits)
				}
			})
			who := r.token("t", c.own)
			if c.code == "" {
				r.works(func() (*Receipt, *Error) { return c.do(who) })
				return
			}
			if got := r.fails(c.code, func() (*Receipt, *Error) { return c.do(who) }); !strings.Contains(got.Message, c.says) {
				t.Error(got.Message)
			}
		})
	}
}

func TestAGroupOfUnknownSizeIsHeldAgainstATokensRecipients(t *testing.T) {
	t.Parallel()
	r := newRig(t, 900, nil)
	groups := said(fmt.Sprintf(`{"data":[{"id":%q}]}`, sandbox.GroupID))
	r.says("/groups", groups)
	few, many := r.token("few", func(l *Limits) { l.Recipients = 25 }), r.token("many", func(l *Limits) { l.Recipients = 26 })
	if got := r.fails(LimitExceeded, func() (*Receipt, *Error) { return few.sendGroup("Hi", How{}) }); !strings.Contains(got.Message, ofCaller) {
		t.Error(got.Message)
	}
	r.works(func() (*Receipt, *Error) { return many.sendGroup("Hi", How{}) })
}

func TestATokensWindowOnlyGrows(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	long, short := r.token("long", func(l *Limits) { l.DuplicateWindow = time.Hour }), r.token("short", func(l *Limits) { l.DuplicateWindow = time.Second })
	r.works(func() (*Receipt, *Error) { return long.send("Hi", How{}, one) })
	r.pass(9 * time.Minute)
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return short.send("Hi", How{}, one) })
	r.pass(2 * time.Minute)
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return long.send("Hi", How{}, one) })
	if q := r.works(func() (*Receipt, *Error) { return long.send("Hi", How{DryRun: true, AllowDuplicate: true}, one) }).Quote; len(q.Notes) != 1 {
		t.Errorf("%q", q.Notes)
	}
	r.works(func() (*Receipt, *Error) { return short.send("Hi", How{}, one) })
}

// What a token spends counts for it and for the account, and so does what it
// does not spend after all.
func TestATokenIsCountedForItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 105, 1500 })
	a := r.token("a", func(l *Limits) { l.PerDay, l.TopUp = 70, 500 })
	b := r.token("b", nil)
	if got := r.works(func() (*Receipt, *Error) { return a.send("Hi", How{}, one) }); got.Left != 35 {
		t.Errorf("UGX %d are left to A", got.Left)
	}
	if _, failure := a.send("Refused", How{}, "+256700000502"); failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	r.works(func() (*Receipt, *Error) { return a.send("Ho", How{}, one) })
	if got := r.fails(LimitExceeded, func() (*Receipt, *Error) { return a.send("He", How{}, one) }); !strings.Contains(got.Message, "UGX 0 are left of today's limit (the limit of this token)") {
		t.Error(got.Message)
	}
	if got := r.works(func() (*Receipt, *Error) { return b.send("He", How{}, one) }); got.Left != 0 {
		t.Errorf("UGX %d are left to B", got.Left)
	}
	if got := r.fails(LimitExceeded, func() (*Receipt, *Error) { return b.send("Hu", How{}, one) }); !strings.Contains(got.Message, "WESENDALL_MAX_PER_DAY") {
		t.Error(got.Message)
	}
	r.works(func() (*Receipt, *Error) { return a.topUp(500, How{Ask: yes}, one) })
	if got := r.fails(LimitExceeded, func() (*Receipt, *Error) { return a.topUp(500, How{Ask: yes}, two) }); !strings.Contains(got.Message, ofCaller) {
		t.Error(got.Message)
	}
	r.works(func() (*Receipt, *Error) { return b.topUp(1000, How{Ask: yes}, one) })
	if got := r.fails(LimitExceeded, func() (*Receipt, *Error) { return b.topUp(500, How{Ask: yes}, two) }); !strings.Contains(got.Message, "WESENDALL_MAX_TOPUP") {
		t.Error(got.Message)
	}
	r.set("2026-11-24T21:00:00Z") // midnight in Kampala
	r.works(func() (*Receipt, *Error) { return a.send("He", How{}, one) })
}

// An outcome that nobody knows stays in the token's budget until a person has
// settled it.
func TestAnUnknownOutcomeStaysInTheTokensBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	a := r.token("a", func(l *Limits) { l.PerDay = 35 })
	_, failure := a.send("Hi", How{}, "+256700000408")
	if failure == nil || failure.Code != OutcomeUnknown {
		t.Fatal(failure)
	}
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return a.send("Ho", How{}, one) })
	if err := r.guard.book.Resolve(t.Context(), failure.Spend, failed); err != nil {
		t.Fatal(err)
	}
	r.works(func() (*Receipt, *Error) { return a.send("Ho", How{}, one) })
}

// The hour's sum that a token's own limit looks at is the token's.
func TestATokensHourIsItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 140 })
	a, b := r.token("a", func(l *Limits) { l.ConfirmAbove = 70 }), r.token("b", nil)
	r.works(func() (*Receipt, *Error) { return b.send("Hi", How{}, one) })
	r.works(func() (*Receipt, *Error) { return a.send("Ho", How{}, one) })
	r.works(func() (*Receipt, *Error) { return a.send("He", How{}, one) })
	if got := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return a.send("Hu", How{}, one) }); !strings.Contains(got.Message, "with UGX 70 of the last hour") {
		t.Error(got.Message)
	}
	r.works(func() (*Receipt, *Error) { return b.send("Hu", How{}, one) })
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return b.send("Hy", How{}, one) })
}

// Who has no limits of its own leaves no row of its own.
func TestOnlyWhoIsLimitedIsCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	a, _, _ := r.callers()
	r.works(func() (*Receipt, *Error) { return a.send("Hi", How{}, one) })
	_, _ = a.send("Refused", How{}, "+256700000502")
	if rows := r.written(); strings.Count(rows, " send ") != 1 {
		t.Error(rows)
	}
}

// Many at once never get past the token's limit, nor past the account's.
func TestTokensRaceForTheirBudgets(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.PerDay = 35 * 8 })
	a, b := r.token("a", func(l *Limits) { l.PerDay = 35 * 3 }), r.token("b", func(l *Limits) { l.PerDay = 35 * 6 })
	var all sync.WaitGroup
	var sent [2]atomic.Int64
	for i := range 12 {
		for n, who := range []somebody{a, b} {
			all.Go(func() {
				_, failure := who.send(fmt.Sprint(who.id, i), How{}, one)
				switch {
				case failure == nil:
					sent[n].Add(1)
				case failure.Code != LimitExceeded:
					t.Error(failure)
				}
			})
		}
	}
	all.Wait()
	byA, byB := sent[0].Load(), sent[1].Load()
	if byA > 3 || byB > 6 || byA+byB != 8 {
		t.Errorf("A sent %d and B %d", byA, byB)
	}
	if balance, charged := r.record(t); balance != 5000-8*35 || len(charged) != 8 {
		t.Errorf("UGX %d are left, %v", balance, charged)
	}
}

func TestNoLimitsAreNone(t *testing.T) {
	t.Parallel()
	l := NoLimits()
	for _, n := range []int64{l.PerCall, l.PerDay, l.TopUp, l.ConfirmAbove, int64(l.Recipients) << 22} {
		if n < 1<<50 || n > math.MaxInt64/2 { // or sums would overflow
			t.Errorf("%+v", l)
		}
	}
}
