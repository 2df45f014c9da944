package guard

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestCallerLimits_OnlyTighten(t *testing.T) {
	t.Parallel()
	type spend = func(testCaller) (*Receipt, *Error)
	oneText := func(s testCaller) (*Receipt, *Error) { return s.send("Hi", SpendOptions{}, phone1) } // UGX 35
	twoTexts := func(s testCaller) (*Receipt, *Error) { return s.send("Hi", SpendOptions{}, phone1, phone2) }
	topUp := func(s testCaller) (*Receipt, *Error) { return s.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) }
	group := func(s testCaller) (*Receipt, *Error) { return s.sendGroup("Hi", SpendOptions{}) } // of two
	for name, c := range map[string]struct {
		server, own func(*Limits)
		do          spend
		code, says  string
	}{
		"no limits of its own":             {nil, nil, twoTexts, "", ""},
		"per call":                         {nil, func(l *Limits) { l.PerCall = 69 }, twoTexts, CodeLimitExceeded, "it takes UGX 70, and one call may take UGX 69 (the limit of this token)"},
		"per call, just so":                {nil, func(l *Limits) { l.PerCall = 70 }, twoTexts, "", ""},
		"per call, the server's":           {func(l *Limits) { l.PerCall = 69 }, nil, twoTexts, CodeLimitExceeded, "one call may take UGX 69 (WESENDALL_MAX_PER_CALL)"},
		"per call, looser":                 {func(l *Limits) { l.PerCall = 69 }, func(l *Limits) { l.PerCall = 70 }, twoTexts, CodeLimitExceeded, "WESENDALL_MAX_PER_CALL"},
		"per day":                          {nil, func(l *Limits) { l.PerDay = 69 }, twoTexts, CodeLimitExceeded, "it takes UGX 70, and UGX 69 are left of today's limit (the limit of this token)"},
		"per day, the server's":            {func(l *Limits) { l.PerDay = 69 }, nil, twoTexts, CodeLimitExceeded, "UGX 69 are left of today's limit (WESENDALL_MAX_PER_DAY)"},
		"nothing a day":                    {nil, func(l *Limits) { l.PerDay = 0 }, oneText, CodeLimitExceeded, "UGX 0 are left"},
		"top-ups":                          {nil, func(l *Limits) { l.TopUp = 499 }, topUp, CodeLimitExceeded, "one call may take UGX 499 (the limit of this token)"},
		"top-ups, not by sends' limits":    {nil, func(l *Limits) { l.PerCall, l.PerDay = 0, 0 }, topUp, "", ""},
		"top-ups, the server's":            {func(l *Limits) { l.TopUp = 499 }, nil, topUp, CodeLimitExceeded, "WESENDALL_MAX_TOPUP"},
		"recipients":                       {nil, func(l *Limits) { l.Recipients = 1 }, twoTexts, CodeLimitExceeded, "2 numbers, and one call may reach 1 (the limit of this token)"},
		"recipients, the server's":         {func(l *Limits) { l.Recipients = 1 }, nil, twoTexts, CodeLimitExceeded, "WESENDALL_MAX_RECIPIENTS"},
		"recipients of a group":            {nil, func(l *Limits) { l.Recipients = 1 }, group, CodeLimitExceeded, "the limit of this token"},
		"confirmation":                     {nil, func(l *Limits) { l.ConfirmAbove = 69 }, twoTexts, CodeConfirmationRequired, "more than UGX 69"},
		"confirmation, just so":            {nil, func(l *Limits) { l.ConfirmAbove = 70 }, twoTexts, "", ""},
		"confirmation, the server's":       {func(l *Limits) { l.ConfirmAbove = 69 }, nil, twoTexts, CodeConfirmationRequired, "more than UGX 69"},
		"confirmation of all, looser":      {func(l *Limits) { l.ConfirmAbove = 69 }, func(l *Limits) { l.ConfirmAbove = 1000 }, twoTexts, CodeConfirmationRequired, "more than UGX 69"},
		"recipients of a group, by server": {func(l *Limits) { l.Recipients = 1 }, nil, group, CodeLimitExceeded, "WESENDALL_MAX_RECIPIENTS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) {
				if c.server != nil {
					c.server(&o.Limits)
				}
			})
			caller := env.newTokenCaller("t", c.own)
			if c.code == "" {
				env.expectOK(c.do(caller))
				return
			}
			env.expectError(c.code)(c.do(caller)).says(c.says)
		})
	}
}

func TestCallerLimits_UnknownGroupSize(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 900, nil)
	groups := mutableBody(fmt.Sprintf(`{"data":[{"id":%q}]}`, sandbox.GroupID))
	env.setResponse("/groups", groups)
	few, many := env.newTokenCaller("few", func(l *Limits) { l.Recipients = 25 }), env.newTokenCaller("many", func(l *Limits) { l.Recipients = 26 })
	env.expectError(CodeLimitExceeded)(few.sendGroup("Hi", SpendOptions{})).says(CallerLimitName)
	env.expectOK(many.sendGroup("Hi", SpendOptions{}))
}

func TestCallerLimits_DuplicateWindow(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	long, short := env.newTokenCaller("long", func(l *Limits) { l.DuplicateWindow = time.Hour }), env.newTokenCaller("short", func(l *Limits) { l.DuplicateWindow = time.Second })
	env.expectOK(long.send("Hi", SpendOptions{}, phone1))
	env.advance(9 * time.Minute)
	env.expectError(CodeDuplicateSend)(short.send("Hi", SpendOptions{}, phone1))
	env.advance(2 * time.Minute)
	env.expectError(CodeDuplicateSend)(long.send("Hi", SpendOptions{}, phone1))
	if q := env.expectOK(long.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1)).Quote; len(q.Notes) != 1 {
		t.Errorf("%q", q.Notes)
	}
	env.expectOK(short.send("Hi", SpendOptions{}, phone1))
}

// What a token spends counts for it and for the account, and so does what it
// does not spend after all.
func TestCallerLimits_OwnBudget(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 105, 1500 })
	a := env.newTokenCaller("a", func(l *Limits) { l.PerDay, l.TopUp = 70, 500 })
	b := env.newTokenCaller("b", nil)
	if got := env.expectOK(a.send("Hi", SpendOptions{}, phone1)); got.BudgetRemaining != 35 {
		t.Errorf("UGX %d are left to A", got.BudgetRemaining)
	}
	if _, failure := a.send("Refused", SpendOptions{}, phoneRefunded); failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	env.expectOK(a.send("Ho", SpendOptions{}, phone1))
	env.expectError(CodeLimitExceeded)(a.send("He", SpendOptions{}, phone1)).says("UGX 0 are left of today's limit (the limit of this token)")
	if got := env.expectOK(b.send("He", SpendOptions{}, phone1)); got.BudgetRemaining != 0 {
		t.Errorf("UGX %d are left to B", got.BudgetRemaining)
	}
	env.expectError(CodeLimitExceeded)(b.send("Hu", SpendOptions{}, phone1)).says("WESENDALL_MAX_PER_DAY")
	env.expectOK(a.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeLimitExceeded)(a.topUp(500, SpendOptions{Elicit: elicitYes}, phone2)).says(CallerLimitName)
	env.expectOK(b.topUp(1000, SpendOptions{Elicit: elicitYes}, phone1))
	env.expectError(CodeLimitExceeded)(b.topUp(500, SpendOptions{Elicit: elicitYes}, phone2)).says("WESENDALL_MAX_TOPUP")
	env.set("2026-11-24T21:00:00Z") // midnight in Kampala
	env.expectOK(a.send("He", SpendOptions{}, phone1))
}

// An outcome that nobody knows stays in the token's budget until a person has
// settled it.
func TestCallerLimits_UnknownOutcome(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a := env.newTokenCaller("a", func(l *Limits) { l.PerDay = 35 })
	_, failure := a.send("Hi", SpendOptions{}, phoneUnknown)
	if failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatal(failure)
	}
	env.expectError(CodeLimitExceeded)(a.send("Ho", SpendOptions{}, phone1))
	if err := env.guard.opened().Resolve(t.Context(), failure.SpendID, ledger.StateFailed); err != nil {
		t.Fatal(err)
	}
	env.expectOK(a.send("Ho", SpendOptions{}, phone1))
}

// The hour's sum that a token's own limit looks at is the token's.
func TestCallerLimits_ConfirmHour(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 140 })
	a, b := env.newTokenCaller("a", func(l *Limits) { l.ConfirmAbove = 70 }), env.newTokenCaller("b", nil)
	env.expectOK(b.send("Hi", SpendOptions{}, phone1))
	env.expectOK(a.send("Ho", SpendOptions{}, phone1))
	env.expectOK(a.send("He", SpendOptions{}, phone1))
	env.expectError(CodeConfirmationRequired)(a.send("Hu", SpendOptions{}, phone1)).says("with UGX 70 of the last hour")
	env.expectOK(b.send("Hu", SpendOptions{}, phone1))
	env.expectError(CodeConfirmationRequired)(b.send("Hy", SpendOptions{}, phone1))
}

// Who has no limits of its own leaves no row of its own.
func TestCallerLimits_OnlyLimited(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, _, _ := env.newCallers()
	env.expectOK(a.send("Hi", SpendOptions{}, phone1))
	_, _ = a.send("Refused", SpendOptions{}, phoneRefunded)
	if rows := env.dumpLedger(); strings.Count(rows, " send ") != 1 {
		t.Error(rows)
	}
}

// Many at once never get past the token's limit, nor past the account's.
func TestCallerLimits_Race(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay = 35 * 8 })
	a, b := env.newTokenCaller("a", func(l *Limits) { l.PerDay = 35 * 3 }), env.newTokenCaller("b", func(l *Limits) { l.PerDay = 35 * 6 })
	var wg sync.WaitGroup
	var sent [2]atomic.Int64
	for i := range 12 {
		for n, caller := range []testCaller{a, b} {
			wg.Go(func() {
				_, failure := caller.send(fmt.Sprint(caller.id, i), SpendOptions{}, phone1)
				switch {
				case failure == nil:
					sent[n].Add(1)
				case failure.Code != CodeLimitExceeded:
					t.Error(failure)
				}
			})
		}
	}
	wg.Wait()
	byA, byB := sent[0].Load(), sent[1].Load()
	if byA > 3 || byB > 6 || byA+byB != 8 {
		t.Errorf("A sent %d and B %d", byA, byB)
	}
	if balance, charged := env.charges(t); balance != 5000-8*35 || len(charged) != 8 {
		t.Errorf("UGX %d are left, %v", balance, charged)
	}
}
