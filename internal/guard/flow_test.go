package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestDryRun(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	q := env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hello “you”", SpendOptions{DryRun: true}, "0700 000 010, 256700000010", "12", "0700000011")
	}).Quote
	if q.ID != "" || q.Recipients != 2 || !slices.Equal(q.RecipientNumbers, []string{phone1, phone2}) || len(q.Rejected) != 1 || q.Rejected[0] != (RejectedNumber{"12", "has too few digits"}) ||
		q.Length != 11 || q.Units != 1 || q.CostPerSMS != 35 || q.TotalUGX != 70 || q.BalanceUGX != 5000 || q.BalanceAfterUGX != 4930 ||
		q.Carrier.Encoding != "UCS-2" || len(q.Carrier.NonGSMChars) != 2 {
		t.Errorf("%+v", q)
	}
	q = env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote
	if len(q.ID) < 26 || !q.ExpiresAt.Equal(env.now().Add(10*time.Minute)) {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) }).Quote; q.Recipients != 2 || q.TotalUGX != 70 || len(q.Notes) != 1 {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(func() (*Receipt, *Error) { return env.topUp(700, SpendOptions{DryRun: true}, phone1) }).Quote; q.TotalUGX != 700 || q.BalanceAfterUGX != 5700 {
		t.Errorf("%+v", q)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("+2567000000%02d", i))
	}
	if q = env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, many...) }).Quote; q.Recipients != 60 || len(q.RecipientNumbers) != 50 {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(func() (*Receipt, *Error) {
		return env.send(strings.Repeat("a", 1600), SpendOptions{DryRun: true}, many[:20]...)
	}).Quote; q.BalanceAfterUGX >= 0 || len(q.Notes) != 1 {
		t.Errorf("nothing says that the balance is too small: %+v", q)
	}
	if env.requestCount() != 0 || len(env.states()) != 0 {
		t.Errorf("%d requests, rows %v", env.requestCount(), env.states())
	}
}

func elicitYes(context.Context, string) (Answer, error)     { return AnswerYes, nil }
func elicitNo(context.Context, string) (Answer, error)      { return AnswerNo, nil }
func elicitInvalid(context.Context, string) (Answer, error) { return Answer(7), nil }
func elicitError(context.Context, string) (Answer, error) {
	return AnswerNone, errors.New("no answer in time")
}

// In each mode, against each kind of client: only a clean yes spends.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode     ConfirmMode
		name     string
		ask      Elicitor
		code     string // "" spends
		then     string // and what the same with the quote's id comes to
		askLater bool
	}{
		{ConfirmAuto, "accepts", elicitYes, "", "", false},
		{ConfirmAuto, "declines", elicitNo, CodeDeclined, "", false},
		{ConfirmAuto, "answers nonsense", elicitInvalid, CodeDeclined, "", false},
		{ConfirmAuto, "never answers", elicitError, CodeDeclined, "", false},
		{ConfirmAuto, "answers later", nil, CodeConfirmationRequired, "", true},
		{ConfirmAuto, "cannot be asked", nil, CodeConfirmationRequired, "spends", false},
		{ConfirmElicit, "accepts", elicitYes, "", "", false},
		{ConfirmElicit, "declines", elicitNo, CodeDeclined, "", false},
		{ConfirmElicit, "cannot be asked", nil, CodeConfirmationRequired, "no quote", false},
		{ConfirmByQuote, "would accept", elicitYes, CodeConfirmationRequired, "spends", false},
		{ConfirmByQuote, "cannot be asked", nil, CodeConfirmationRequired, "spends", false},
		{ConfirmOff, "cannot be asked", nil, "", "", false},
	} {
		t.Run(string(c.mode)+", "+c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = c.mode })
			for name, call := range map[string]func(SpendOptions) (*Receipt, *Error){
				"a top-up": func(opts SpendOptions) (*Receipt, *Error) { return env.topUp(500, opts, phone1) },
				"a big send": func(opts SpendOptions) (*Receipt, *Error) {
					return env.send(strings.Repeat("a", 1600), opts, phone1, phone2, phone3)
				},
			} {
				if c.code == "" {
					env.expectOK(func() (*Receipt, *Error) { return call(SpendOptions{Elicit: c.ask, AskLater: c.askLater}) })
					continue
				}
				failure := env.expectError(c.code, func() (*Receipt, *Error) { return call(SpendOptions{Elicit: c.ask, AskLater: c.askLater}) })
				if !strings.Contains(failure.Message, "othing was sent") {
					t.Errorf("%s: %s", name, failure.Message)
				}
				switch c.then {
				case "spends":
					if failure.ConfirmationPrompt != "" {
						t.Error("a question that nobody can answer")
					}
					env.expectOK(func() (*Receipt, *Error) {
						return call(SpendOptions{Elicit: c.ask, AskLater: c.askLater, QuoteID: failure.Quote.ID})
					})
				case "no quote":
					if failure.Quote != nil {
						t.Errorf("%+v", failure.Quote)
					}
				}
			}
		})
	}
}

func TestConfirmPrompt(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	var asked []string
	ask := func(_ context.Context, q string) (Answer, error) { asked = append(asked, q); return AnswerNo, nil }
	raw := strings.Repeat("a", 1600)
	_, _ = env.send(raw, SpendOptions{Elicit: ask}, phone1, phone2, phone3, "+256700000017")
	_, _ = env.topUp(2500, SpendOptions{Elicit: ask}, phone1)
	for i, want := range [][]string{
		{strings.Repeat("a", 200) + "…", "4 recipients (+256700000010, +256700000011, +256700000016, …)", "UGX 1,400", "10 units each", "UGX 3,600", "costs more than UGX 1000"},
		{"Ask +256700000010 to pay UGX 2,500", "The wallet holds UGX 5,000, and UGX 7,500 once that is paid", "asks somebody for money"},
	} {
		for _, each := range want {
			if !strings.Contains(asked[i], each) {
				t.Errorf("no %q in %s", each, asked[i])
			}
		}
		if strings.Contains(asked[i], "\n") {
			t.Errorf("more than a paragraph: %s", asked[i])
		}
	}
}

// An answer that comes with a later call, as in 2026-07-28, counts for the
// question's own quote alone.
func TestAnswer_BoundToQuote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how   func(id string) SpendOptions
		to    string
		pass  time.Duration
		other bool // caller
		code  string
	}{
		"yes": {how: func(id string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: id, Answer: AnswerYes}
		}},
		"no": {how: func(id string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: id, Answer: AnswerNo}
		}, code: CodeDeclined},
		"yes to nothing": {how: func(string) SpendOptions { return SpendOptions{AskLater: true, Answer: AnswerYes} }, code: CodeConfirmationRequired},
		"yes to another": {how: func(string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: "abc", Answer: AnswerYes}
		}, code: CodeConfirmationRequired},
		"yes, but to others": {how: func(id string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: id, Answer: AnswerYes}
		}, to: phone2, code: CodeConfirmationRequired},
		"yes, too late": {how: func(id string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: id, Answer: AnswerYes}
		}, pass: 10 * time.Minute, code: CodeConfirmationRequired},
		"yes, by another": {how: func(id string) SpendOptions {
			return SpendOptions{AskLater: true, QuoteID: id, Answer: AnswerYes}
		}, other: true, code: CodeConfirmationRequired},
		"the id and no answer": {how: func(id string) SpendOptions { return SpendOptions{AskLater: true, QuoteID: id} }, code: CodeConfirmationRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			failure := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{AskLater: true}, phone1) })
			if failure.ConfirmationPrompt == "" {
				t.Fatal("there is no question")
			}
			env.advance(c.pass)
			to := phone1
			if c.to != "" {
				to = c.to
			}
			if c.other {
				env.guard = env.guard.ForCaller(env.newClient(t, env.url), "b", nil)
			}
			again := func() (*Receipt, *Error) { return env.send("Hi", c.how(failure.Quote.ID), to) }
			if c.code == "" {
				env.expectOK(again)
				env.expectError(CodeDuplicateSend, again) // a replay
				if _, charged := env.charges(t); len(charged) != 1 {
					t.Errorf("%v", charged)
				}
				return
			}
			env.expectError(c.code, again)
			if name == "the id and no answer" || name == "yes to nothing" || name == "yes to another" {
				return
			}
			// Each of them voids the quote.
			env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) {
				return env.send("Hi", SpendOptions{AskLater: true, QuoteID: failure.Quote.ID, Answer: AnswerYes}, phone1)
			})
		})
	}
}

func TestQuote_GroupGrew(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
	q := env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) }).Quote
	if _, err := env.directClient.AddContacts(t.Context(), client.AddContactsRequest{WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: phone3}}}); err != nil {
		t.Fatal(err)
	}
	failure := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{QuoteID: q.ID}) })
	if !strings.Contains(failure.Message, "3 recipients, not the 2 of the quote") {
		t.Error(failure.Message)
	}
}

// A broadcast that is split into small sends is asked about.
func TestConfirm_HourlyThreshold(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	sends := func(from, count int) (asked int) {
		for i := range count {
			_, failure := env.send(fmt.Sprintf("Hi %d", from+i), SpendOptions{}, phone1)
			if failure != nil && failure.Code == CodeConfirmationRequired {
				asked++
			}
		}
		return asked
	}
	if got := sends(0, 30); got != 2 { // 28 × 35 = 980
		t.Errorf("%d of 30 were asked about", got)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("agreed", SpendOptions{Elicit: elicitYes}, phone1) }) // and does not count
	env.restart()
	if got := sends(100, 1); got != 1 {
		t.Error("another process forgot what was spent")
	}
	env.advance(time.Hour + time.Second)
	if got := sends(200, 28); got != 0 {
		t.Errorf("%d were asked about an hour later", got)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	off := func(change func(*Limits)) func(*Options) {
		return func(o *Options) {
			o.Confirm = ConfirmOff
			change(&o.Limits)
		}
	}
	t.Run("a call", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, off(func(l *Limits) { l.PerCall = 70 }))
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, phone2) })
		failure := env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1, phone2, phone3) })
		if !strings.Contains(failure.Message, "UGX 105") || !strings.Contains(failure.Message, "WESENDALL_MAX_PER_CALL") || !strings.Contains(failure.Message, "operator") {
			t.Error(failure.Message)
		}
		// Agreement lifts no limit.
		env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) {
			return env.send("Ho", SpendOptions{Elicit: elicitYes, AllowDuplicate: true}, phone1, phone2, phone3)
		})
	})
	t.Run("a day in Kampala", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, off(func(l *Limits) { l.PerDay = 105 }))
		env.set("2026-11-24T20:59:58Z") // two seconds before midnight
		if remaining := env.expectOK(func() (*Receipt, *Error) { return env.send("a", SpendOptions{}, phone1, phone2) }).BudgetRemaining; remaining != 35 {
			t.Errorf("UGX %d are left", remaining)
		}
		failure := env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("b", SpendOptions{}, phone1, phone2) })
		if !strings.Contains(failure.Message, "UGX 35 are left") || !strings.Contains(failure.Message, "WESENDALL_MAX_PER_DAY") {
			t.Error(failure.Message)
		}
		env.expectOK(func() (*Receipt, *Error) { return env.send("b", SpendOptions{}, phone1) })
		env.restart()
		env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("c", SpendOptions{}, phone1) })
		env.set("2026-11-24T21:00:00Z")
		env.expectOK(func() (*Receipt, *Error) { return env.send("c", SpendOptions{}, phone1) })
	})
	t.Run("top-ups", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, off(func(l *Limits) { l.TopUp, l.PerDay, l.PerCall = 1500, 0, 0 }))
		env.expectOK(func() (*Receipt, *Error) { return env.topUp(1000, SpendOptions{}, phone1) })
		env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.topUp(1501, SpendOptions{}, phone2) })
		failure := env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.topUp(501, SpendOptions{}, phone2) })
		if !strings.Contains(failure.Message, "UGX 500 are left") || !strings.Contains(failure.Message, "WESENDALL_MAX_TOPUP") {
			t.Error(failure.Message)
		}
		env.expectOK(func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{}, phone2) })
	})
	t.Run("recipients", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, off(func(l *Limits) { l.Recipients = 1 }))
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, "0700 000 010") })
		env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1, phone2) })
		env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.sendGroup("Ho", SpendOptions{}) })
	})
	t.Run("countries", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Countries = ConfirmOff, []string{"256", "254"} })
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, "+254700000001") })
		failure := env.expectError(CodeDestinationNotAllowed, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, "+16502530000") })
		if !strings.Contains(failure.Message, "+16502530000") || strings.Contains(failure.Message, phone1) || !strings.Contains(failure.Message, "WESENDALL_ALLOWED_COUNTRIES") {
			t.Error(failure.Message)
		}
		q := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1, "+16502530000") }).Quote
		if q.ID != "" || q.Recipients != 1 || len(q.Rejected) != 1 || q.Rejected[0].Input != "+16502530000" || !strings.Contains(q.Rejected[0].Reason, "WESENDALL_ALLOWED_COUNTRIES") {
			t.Errorf("%+v", q)
		}
		env.expectError(CodeDestinationNotAllowed, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{}, "+16502530000") })
		env.expectError(CodeDestinationNotAllowed, func() (*Receipt, *Error) {
			_, err := env.guard.AddContacts(t.Context(), client.AddContactsRequest{WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: "+16502530000"}}})
			return nil, env.asGuardError(err)
		})
	})
}

func TestBudget_Release(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 35 })
	_, failure := env.send("Hi", SpendOptions{}, "+256700000502")
	if failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateFailed, ledger.StateSent}) {
		t.Error(got)
	}

	env = newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 35 })
	if _, failure = env.send("Hi", SpendOptions{}, "+256700000408"); failure == nil || failure.Code != CodeOutcomeUnknown || failure.Money != client.MoneyUnknown {
		t.Fatal(failure)
	}
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	if got := env.states(); !slices.Equal(got, []ledger.State{"unknown"}) {
		t.Error(got)
	}
	l, err := env.guard.openLedger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spends, err := l.List(t.Context(), env.now())
	if err != nil || len(spends) != 1 {
		t.Fatalf("%v, %v", spends, err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, "maybe"); err == nil {
		t.Error("an outcome that is none")
	}
	if err := errors.Join(l.Resolve(t.Context(), "nope", ledger.StateFailed), l.Resolve(t.Context(), spends[0].ID, ledger.StateFailed)); err == nil || !strings.Contains(err.Error(), `no spend "nope"`) || strings.Contains(err.Error(), "known") {
		t.Error(err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, ledger.StateSent); err == nil || !strings.Contains(err.Error(), "is known: failed") {
		t.Error(err)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 10_000 })
	env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{}, phone1, "0700 000 010", "256700000010", phone2)
	})
	if _, charged := env.charges(t); len(charged) != 2 {
		t.Fatalf("%v", charged)
	}
	env.advance(9 * time.Minute)
	failure := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone3, phone2) })
	if !slices.Equal(failure.DuplicateRecipients, []string{phone2}) || !strings.Contains(failure.Message, "12:00:00 on 24 November (UGX 70), and that was accepted") || failure.NextTool != "list_sms_history" {
		t.Errorf("%+v", failure)
	}
	env.restart()
	env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone2) })
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone3) })
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone2) })
	env.advance(time.Minute)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone2) }) // the window is over

	// Twice on purpose: a person is asked, and the question names the first.
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerYes, nil }
	env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: ask}, phone2)
	})
	if !strings.Contains(question, "repeats one of 24 November 12:10") {
		t.Error(question)
	}
	env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{AllowDuplicate: true}, phone2) })
	env.expectOK(func() (*Receipt, *Error) { return env.send("new", SpendOptions{AllowDuplicate: true}, phone2) }) // is no duplicate

	// A quote that was made without it does not stand for a repetition.
	plain := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone2) }).Quote
	env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: plain.ID}, phone2)
	})
	quote := env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone2)
	}).Quote
	if !slices.Contains(quote.Notes, "it repeats one of 24 November 12:10 (UGX 35) and one of 24 November 12:10 (UGX 35)") {
		t.Errorf("%+v", quote)
	}
	env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: quote.ID}, phone2)
	})

	// Groups and top-ups have their own.
	env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	env.expectOK(func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) })
	if failure = env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{Elicit: elicitYes}, "0700000010") }); failure.NextTool != "get_balance" {
		t.Errorf("%+v", failure)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.topUp(600, SpendOptions{Elicit: elicitYes}, phone1) })
}

func TestDuplicate_UnknownOutcome(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	if _, failure := env.send("Hi", SpendOptions{}, "+256700000408"); failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatal(failure)
	}
	env.advance(30 * 24 * time.Hour)
	env.restart()
	failure := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, "+256700000408") })
	if !strings.Contains(failure.Message, "unknown outcome") {
		t.Error(failure.Message)
	}
	if _, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, "+256700000408"); failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Error(failure)
	}
	if env.requestCount() != 2 {
		t.Errorf("%d requests", env.requestCount())
	}
}

// Two identical calls at the same instant, in one process and in two.
func TestDuplicate_Concurrent(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	first := env.guard
	env.restart()
	for i := range 20 {
		var wg sync.WaitGroup
		for _, g := range []*Guard{first, first, env.guard, env.guard} {
			wg.Go(func() {
				_, err := g.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i), Recipient: client.Recipients{phone1}}, SpendOptions{})
				if failure := env.asGuardError(err); failure != nil && failure.Code != CodeDuplicateSend {
					t.Error(failure)
				}
			})
		}
		wg.Wait()
	}
	if _, charged := env.charges(t); len(charged) != 20 || env.requestCount() != 20 {
		t.Errorf("%d requests, %v", env.requestCount(), charged)
	}
}

func TestLedger_FailureBlocksSpendsOnly(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "corrupt.db")
	if err := os.WriteFile(corrupt, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"corrupt": corrupt, "a directory": dir, "no directory can be made": filepath.Join(corrupt, "x", "ledger.db")} {
		env := newTestEnv(t, 5000, nil)
		env.ledgerSource = path
		failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
		if !strings.Contains(failure.Message, "WESENDALL_LEDGER") {
			t.Errorf("%s: %s", name, failure.Message)
		}
		env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{}, phone1) })
		env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) })
		if _, err := env.guard.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID}); err != nil {
			t.Errorf("%s: reading stopped too: %v", name, err)
		}
		env.ledgerSource = filepath.Join(t.TempDir(), "fixed.db")
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	}
}

func TestTopUp_OnePayer(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for _, payer := range []string{" , ", "", "0700000010, 0700000011"} {
		failure := env.expectError(CodeInvalidArguments, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{Elicit: elicitYes}, payer) })
		if !strings.Contains(failure.Message, "phone_number: must be one phone number") {
			t.Error(failure.Message)
		}
	}
}

func TestPrice_Missing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no cost": `{"success":true,"data":{"balance":5000}}`, "nothing": `{}`, "a cost of nothing": `{"data":{"balance":5000,"cost_per_sms":0}}`,
		"a cost below": `{"success":true,"data":{"balance":5000,"cost_per_sms":-35}}`, "text": `{"success":true,"data":{"balance":"5000","cost_per_sms":"35"}}`,
	} {
		env := newTestEnv(t, 5000, nil)
		env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
			if strings.HasSuffix(r.URL.Path, "/balance") {
				_, _ = w.Write([]byte(body))
				return
			}
			pass(w)
		})
		failure := env.expectError(CodeBadResponse, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
		if !strings.Contains(failure.Message, "Nothing was sent") {
			t.Errorf("%s: %s", name, failure.Message)
		}
		env.expectError(CodeBadResponse, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	}
}

func TestPrice_TTL(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	reads := 0
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(r.URL.Path, "/balance") {
			reads++
		}
		pass(w)
	})
	for i := range 3 {
		env.expectOK(func() (*Receipt, *Error) { return env.send(fmt.Sprint("Hi ", i), SpendOptions{}, phone1) })
	}
	env.advance(10 * time.Minute)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	if reads != 2 {
		t.Errorf("the price was read %d times", reads)
	}
}

// If a group's size cannot be read, the wallet's whole balance counts against the
// limits.
func TestGroup_UnknownSizeCost(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 900, func(o *Options) { o.Limits.PerDay = 1000 })
	answer := `{"success":true,"data":[{"name":"Customers"}]}`
	env.setFault(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, "/groups") {
			_, _ = w.Write([]byte(answer))
			return
		}
		pass(w)
	})
	if q := env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) }).Quote; q.TotalUGX != 900 || len(q.Notes) != 2 {
		t.Errorf("%+v", q)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.sendGroup("Ho", SpendOptions{}) })
}

func TestGroupSize(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		`{"groups":[{"id":"g","contact_count":3}]}`:                   3,
		`[{"id":"h","contactCount":1},{"id":"g","contactCount":2}]`:   2,
		`{"data":{"items":[{"_id":"g","_count":{"contacts":7}}]}}`:    7,
		`[{"groupId":"g","contacts":[{"phone":"x"},{"phone":"y"}]}]`:  -1, // which may be a part of them
		`[{"id":"g","contacts":4}]`:                                   4,
		`[{"id":"g","contact_count":0}]`:                              0,
		`[{"id":"g","members":3}]`:                                    -1,
		`[{"id":"g","contact_count":"3"}]`:                            -1,
		`[{"id":"g","contact_count":2.5}]`:                            -1,
		`[{"id":"g","contact_count":-1}]`:                             -1,
		`[{"id":"h","contact_count":3}]`:                              -1,
		`[{"id":"g","contact_count":3},{"id":"g","contact_count":4}]`: -1,
		`"g"`: -1, `nonsense`: -1, `null`: -1,
	} {
		size, _, known := groupSize([]byte(raw), "g")
		if known != (want >= 0) || known && size != want {
			t.Errorf("%s: %d, %v", raw, size, known)
		}
	}
}

func TestCancel_LedgerConsistent(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) {
		o.Confirm = ConfirmOff
		if !ledgertest.UsingPostgres() {
			o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) { return ledger.Open(ctx, "", o) } // whose connection it is
		}
	})
	env.expectOK(func() (*Receipt, *Error) { return env.send("kept", SpendOptions{}, phone1) })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			_, err := env.guard.Send(ctx, client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i), Recipient: client.Recipients{phone1}}, SpendOptions{})
			if failure := env.asGuardError(err); failure != nil && failure.Code != CodeUnreachable {
				t.Error(failure)
			}
		})
	}
	wg.Wait()
	env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("kept", SpendOptions{}, phone1) })
	_, charged := env.charges(t)
	if got := len(charged); got != env.requestCount() || env.countState(ledger.StateSent) != got {
		t.Errorf("%d charged, %d asked, %v", got, env.requestCount(), env.states())
	}
}

func TestPrivacy_SQLite(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("private words", SpendOptions{}, phone1) })
	_, _ = env.send("private words", SpendOptions{DryRun: true}, phone2)
	for _, name := range []string{env.ledgerSource, env.ledgerSource + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
}
