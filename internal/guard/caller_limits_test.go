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

func sendOne(c testCaller) (*Receipt, *Error) { return c.send("Hi", SpendOptions{}, phone1) }         // UGX 35
func sendTwo(c testCaller) (*Receipt, *Error) { return c.send("Hi", SpendOptions{}, phone1, phone2) } // UGX 70
func topUp500(c testCaller) (*Receipt, *Error) {
	return c.topUp(500, SpendOptions{Elicit: elicitYes}, phone1)
}
func sendToGroup(c testCaller) (*Receipt, *Error) { return c.sendGroup("Hi", SpendOptions{}) } // of two contacts

var callerLimitCases = []struct {
	name        string
	server, own func(*Limits)
	do          func(testCaller) (*Receipt, *Error)
	code, says  string // without a code it spends
}{
	{name: "a token without limits", do: sendTwo},
	{
		name: "above the token's limit for a call", do: sendTwo, own: func(l *Limits) { l.PerCall = 69 },
		code: CodeLimitExceeded, says: "it takes UGX 70, and one call may take UGX 69 (the limit of this token)",
	},
	{name: "exactly the token's limit for a call", do: sendTwo, own: func(l *Limits) { l.PerCall = 70 }},
	{
		name: "above the server's limit for a call", do: sendTwo, server: func(l *Limits) { l.PerCall = 69 },
		code: CodeLimitExceeded, says: "one call may take UGX 69 (WESENDALL_MAX_PER_CALL)",
	},
	{
		name: "a token cannot raise the server's limit for a call", do: sendTwo,
		server: func(l *Limits) { l.PerCall = 69 }, own: func(l *Limits) { l.PerCall = 70 },
		code: CodeLimitExceeded, says: "WESENDALL_MAX_PER_CALL",
	},
	{
		name: "above the token's limit for a day", do: sendTwo, own: func(l *Limits) { l.PerDay = 69 },
		code: CodeLimitExceeded, says: "it takes UGX 70, and UGX 69 are left of today's limit (the limit of this token)",
	},
	{
		name: "above the server's limit for a day", do: sendTwo, server: func(l *Limits) { l.PerDay = 69 },
		code: CodeLimitExceeded, says: "UGX 69 are left of today's limit (WESENDALL_MAX_PER_DAY)",
	},
	{
		name: "a token that may spend nothing", do: sendOne, own: func(l *Limits) { l.PerDay = 0 },
		code: CodeLimitExceeded, says: "UGX 0 are left",
	},
	{
		name: "above the token's limit for top-ups", do: topUp500, own: func(l *Limits) { l.TopUp = 499 },
		code: CodeLimitExceeded, says: "one call may take UGX 499 (the limit of this token)",
	},
	{name: "limits for sends do not limit top-ups", do: topUp500, own: func(l *Limits) { l.PerCall, l.PerDay = 0, 0 }},
	{
		name: "above the server's limit for top-ups", do: topUp500, server: func(l *Limits) { l.TopUp = 499 },
		code: CodeLimitExceeded, says: "WESENDALL_MAX_TOPUP",
	},
	{
		name: "more recipients than the token may reach", do: sendTwo, own: func(l *Limits) { l.Recipients = 1 },
		code: CodeLimitExceeded, says: "2 numbers, and one call may reach 1 (the limit of this token)",
	},
	{
		name: "more recipients than the server allows", do: sendTwo, server: func(l *Limits) { l.Recipients = 1 },
		code: CodeLimitExceeded, says: "WESENDALL_MAX_RECIPIENTS",
	},
	{
		name: "a larger group than the token may reach", do: sendToGroup, own: func(l *Limits) { l.Recipients = 1 },
		code: CodeLimitExceeded, says: "the limit of this token",
	},
	{
		name: "above the token's threshold", do: sendTwo, own: func(l *Limits) { l.ConfirmAbove = 69 },
		code: CodeConfirmationRequired, says: "more than UGX 69",
	},
	{name: "exactly the token's threshold", do: sendTwo, own: func(l *Limits) { l.ConfirmAbove = 70 }},
	{
		name: "above the server's threshold", do: sendTwo, server: func(l *Limits) { l.ConfirmAbove = 69 },
		code: CodeConfirmationRequired, says: "more than UGX 69",
	},
	{
		name: "a token cannot raise the server's threshold", do: sendTwo,
		server: func(l *Limits) { l.ConfirmAbove = 69 }, own: func(l *Limits) { l.ConfirmAbove = 1000 },
		code: CodeConfirmationRequired, says: "more than UGX 69",
	},
	{
		name: "a larger group than the server allows", do: sendToGroup, server: func(l *Limits) { l.Recipients = 1 },
		code: CodeLimitExceeded, says: "WESENDALL_MAX_RECIPIENTS",
	},
}

// A token's own limits can only tighten those of the server.
func TestCallerLimits_OnlyTighten(t *testing.T) {
	t.Parallel()
	for _, c := range callerLimitCases {
		t.Run(c.name, func(t *testing.T) {
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
	few := env.newTokenCaller("few", func(l *Limits) { l.Recipients = 25 })
	many := env.newTokenCaller("many", func(l *Limits) { l.Recipients = 26 })
	env.expectError(CodeLimitExceeded)(few.sendGroup("Hi", SpendOptions{})).says(CallerLimitName)
	env.expectOK(many.sendGroup("Hi", SpendOptions{}))
}

func TestCallerLimits_DuplicateWindow(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	long := env.newTokenCaller("long", func(l *Limits) { l.DuplicateWindow = time.Hour })
	short := env.newTokenCaller("short", func(l *Limits) { l.DuplicateWindow = time.Second })
	env.expectOK(long.send("Hi", SpendOptions{}, phone1))
	env.advance(9 * time.Minute)
	env.expectError(CodeDuplicateSend)(short.send("Hi", SpendOptions{}, phone1))
	env.advance(2 * time.Minute)
	env.expectError(CodeDuplicateSend)(long.send("Hi", SpendOptions{}, phone1))
	q := env.expectOK(long.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1)).Quote
	if len(q.Notes) != 1 {
		t.Errorf("%q", q.Notes)
	}
	env.expectOK(short.send("Hi", SpendOptions{}, phone1))
}

// What a token spends counts for the token and for the account; a refund is released
// for both.
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
	env.expectError(CodeLimitExceeded)(a.send("He", SpendOptions{}, phone1)).
		says("UGX 0 are left of today's limit (the limit of this token)")
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

// A spend with an unknown outcome stays in the token's budget until the user settles it.
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

// A token's own threshold counts only what this token spent in the last hour.
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

// A caller without limits of its own has no daily total of its own.
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

// Concurrent sends exceed neither the token's budget nor the account's.
func TestCallerLimits_Race(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay = 35 * 8 })
	a := env.newTokenCaller("a", func(l *Limits) { l.PerDay = 35 * 3 })
	b := env.newTokenCaller("b", func(l *Limits) { l.PerDay = 35 * 6 })
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
