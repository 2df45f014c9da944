package guard

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// In each mode and with each kind of client, only a clear yes spends.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode     ConfirmMode
		name     string
		ask      Elicitor
		code     string // "" spends
		then     string // the result of the same call with the quote's id
		askLater bool
	}{
		{ConfirmAuto, "the user accepts", elicitYes, "", "", false},
		{ConfirmAuto, "the user declines", elicitNo, CodeDeclined, "", false},
		{ConfirmAuto, "the answer is invalid", elicitInvalid, CodeDeclined, "", false},
		{ConfirmAuto, "the user never answers", elicitError, CodeDeclined, "", false},
		{ConfirmAuto, "the user answers in a later call", nil, CodeConfirmationRequired, "", true},
		{ConfirmAuto, "cannot be asked", nil, CodeConfirmationRequired, "spends", false},
		{ConfirmElicit, "the user accepts", elicitYes, "", "", false},
		{ConfirmElicit, "the user declines", elicitNo, CodeDeclined, "", false},
		{ConfirmElicit, "cannot be asked", nil, CodeConfirmationRequired, "no quote", false},
		{ConfirmByQuote, "the user would accept", elicitYes, CodeConfirmationRequired, "spends", false},
		{ConfirmByQuote, "cannot be asked", nil, CodeConfirmationRequired, "spends", false},
		{ConfirmOff, "cannot be asked", nil, "", "", false},
	} {
		t.Run(string(c.mode)+", "+c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = c.mode })
			for _, call := range []func(SpendOptions) (*Receipt, *Error){
				func(opts SpendOptions) (*Receipt, *Error) { return env.topUp(500, opts, phone1) },
				func(opts SpendOptions) (*Receipt, *Error) {
					return env.send(strings.Repeat("a", 1600), opts, phone1, phone2, phone3)
				},
			} {
				if c.code == "" {
					env.expectOK(call(SpendOptions{Elicit: c.ask, InputRequired: c.askLater}))
					continue
				}
				failure := env.expectError(c.code)(call(SpendOptions{Elicit: c.ask, InputRequired: c.askLater})).says("othing was sent")
				switch c.then {
				case "spends":
					if failure.ConfirmationPrompt != "" {
						t.Error("there is a question, but the client cannot ask it")
					}
					env.expectOK(call(SpendOptions{Elicit: c.ask, InputRequired: c.askLater, QuoteID: failure.Quote.ID}))
				case "no quote":
					if failure.Quote != nil {
						t.Errorf("%+v", failure.Quote)
					}
				}
			}
		})
	}
}

// Another call sends the same after the ledger's decision and before the question:
// the question names it as a duplicate.
func TestConfirmPrompt_RecentDuplicate(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	env.expectOK(env.send("so that the price is known", SpendOptions{Elicit: elicitYes}, phone1))
	var taken atomic.Bool
	env.setFault(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(q.URL.Path, "/balance") && taken.CompareAndSwap(false, true) {
			env.expectOK(env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, phone1))
		}
		pass(w)
	})
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	_, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: ask}, phone1)
	if failure == nil || !strings.Contains(question, "it repeats one of 2026-11-24T12:00:00+03:00 (UGX 35)") {
		t.Errorf("%v: %s", failure, question)
	}
}

// A broadcast that is split into small sends needs a confirmation.
func TestConfirm_HourlyThreshold(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	countAsked := func(from, count int) (asked int) {
		for i := range count {
			_, failure := env.send(fmt.Sprintf("Hi %d", from+i), SpendOptions{}, phone1)
			if failure != nil && failure.Code == CodeConfirmationRequired {
				asked++
			}
		}
		return asked
	}
	if got := countAsked(0, 30); got != 2 { // 28 × 35 = 980
		t.Errorf("%d of 30 needed a confirmation", got)
	}
	env.expectOK(env.send("agreed", SpendOptions{Elicit: elicitYes}, phone1)) // confirmed spends do not count
	env.restart()
	if got := countAsked(100, 1); got != 1 {
		t.Error("another process forgot what was spent")
	}
	env.advance(time.Hour + time.Second)
	if got := countAsked(200, 28); got != 0 {
		t.Errorf("%d needed a confirmation an hour later", got)
	}
}

// A user who declines also voids the quote that the call came with.
func TestDecline_VoidsQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote
	env.expectError(CodeDeclined)(env.send("Hi", SpendOptions{QuoteID: q.ID, Elicit: elicitNo}, phone1))
	env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1))
}

const (
	noQuote      = "none"
	unknownQuote = "abc"
)

// laterAnswerCases are answers in a call after the one that asked the user.
var laterAnswerCases = []struct {
	name    string
	answer  Answer
	quoteID string        // "" is the quote that the user was asked about
	to      string        // "" is the recipient of the quote
	delay   time.Duration // between the question and the answer
	other   bool          // another caller answers
	code    string        // "" spends
	usable  bool          // the quote can still be confirmed after the refusal
}{
	{name: "the user says yes", answer: AnswerYes},
	{name: "the user says no", answer: AnswerNo, code: CodeDeclined},
	{name: "a yes names no quote", answer: AnswerYes, quoteID: noQuote, code: CodeConfirmationRequired, usable: true},
	{
		name: "a yes names another quote", answer: AnswerYes, quoteID: unknownQuote,
		code: CodeConfirmationRequired, usable: true,
	},
	{name: "a yes comes with another recipient", answer: AnswerYes, to: phone2, code: CodeConfirmationRequired},
	{name: "a yes comes too late", answer: AnswerYes, delay: 10 * time.Minute, code: CodeConfirmationRequired},
	{name: "another caller says yes", answer: AnswerYes, other: true, code: CodeConfirmationRequired},
	{name: "the quote comes without an answer", code: CodeConfirmationRequired, usable: true},
}

// An answer in a later call, as in the stateless protocol (2026-07-28), counts only
// for the quote that the user was asked about.
func TestAnswer_BoundToQuote(t *testing.T) {
	t.Parallel()
	for _, c := range laterAnswerCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			failure := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{InputRequired: true}, phone1))
			if failure.ConfirmationPrompt == "" {
				t.Fatal("there is no question")
			}
			env.advance(c.delay)
			if c.other {
				env.guard = env.guard.ForCaller(env.newClient(t, env.url), "b", nil)
			}
			opts := SpendOptions{InputRequired: true, QuoteID: cmp.Or(c.quoteID, failure.Quote.ID), Answer: c.answer}
			if c.quoteID == noQuote {
				opts.QuoteID = ""
			}
			again := func() (*Receipt, *Error) { return env.send("Hi", opts, cmp.Or(c.to, phone1)) }
			if c.code == "" {
				env.expectOK(again())
				env.expectError(CodeDuplicateSend)(again()) // a replay
				if _, charged := env.charges(t); len(charged) != 1 {
					t.Errorf("%v", charged)
				}
				return
			}
			env.expectError(c.code)(again())
			yes := SpendOptions{InputRequired: true, QuoteID: failure.Quote.ID, Answer: AnswerYes}
			if c.usable {
				env.expectOK(env.send("Hi", yes, phone1))
				return
			}
			env.expectError(CodeConfirmationRequired)(env.send("Hi", yes, phone1))
		})
	}
}

// A yes about a quote that the user was not asked about does not count.
func TestAnswer_WithoutQuestion(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmAuto, ConfirmElicit, ConfirmByQuote} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.ConfirmAbove = mode, 0 })
		q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote
		env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: q.ID, Answer: AnswerYes}, phone1)).
			says("nobody was asked")
	}
}

// Without confirmation a spend is stored as unconfirmed: another process may ask.
func TestAnswer_UnaskedQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	env.expectOK(env.send(strings.Repeat("a", 1600), SpendOptions{}, phone1, phone2))
	if spends := env.spends(); len(spends) != 1 || spends[0].Confirmed {
		t.Errorf("%+v", spends)
	}
	env.options.Confirm = ConfirmAuto
	env.restart()
	env.expectError(CodeConfirmationRequired)(env.send(strings.Repeat("b", 1600), SpendOptions{}, phone1))
}
