package guard

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A person who agrees to a repetition was told which calls it repeats.
func TestDuplicate_ConfirmOnce(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Confirm = ConfirmByQuote })
	var quotes []string
	for range 3 {
		quotes = append(quotes, env.expectOK(func() (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1)
		}).Quote.ID)
	}
	use := func(id string) func() (*Receipt, *Error) {
		return func() (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: id}, phone1)
		}
	}
	env.expectOK(use(quotes[0]))
	for _, id := range quotes[1:] { // which were made when there was nothing to repeat
		failure := env.expectError(CodeConfirmationRequired, use(id))
		if !strings.Contains(failure.Message, "does not say that it repeats one of 24 November 12:00 (UGX 35)") {
			t.Error(failure.Message)
		}
		env.expectError(CodeConfirmationRequired, use(id)) // and are void
	}
	quote := env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1)
	}).Quote
	env.expectOK(use(quote.ID))
}

// Two calls are asked about at the same time, and both are agreed to.
func TestDuplicate_ConcurrentConfirm(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	outer := func(context.Context, string) (Answer, error) {
		env.expectOK(func() (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, phone1)
		})
		return AnswerYes, nil
	}
	_, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: outer}, phone1)
	if failure == nil || failure.Code != CodeConfirmationRequired || env.requestCount() != 1 {
		t.Errorf("%v, %d requests", failure, env.requestCount())
	}
}

func TestDuplicate_TopUp(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) })
	failure := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) })
	if !strings.Contains(failure.Message, "Look at get_balance") || failure.NextTool != "get_balance" {
		t.Error(failure.Message)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	env.expectError(CodeDeclined, func() (*Receipt, *Error) {
		return env.topUp(500, SpendOptions{AllowDuplicate: true, Elicit: ask}, phone1)
	})
	if !strings.Contains(question, "it repeats one of 24 November 12:00 (UGX 500)") {
		t.Error(question)
	}
}

// Where several calls reached some of the same, the open ones come first.
func TestDuplicate_ListsOverlap(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	if _, failure := env.send("Hi", SpendOptions{}, "+256700000408"); failure == nil {
		t.Fatal("no unknown outcome")
	}
	env.advance(time.Minute)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone2) })
	failure := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, phone2, "+256700000408") })
	overlap := slices.Sorted(slices.Values(failure.DuplicateRecipients))
	if !slices.Equal(overlap, []string{phone2, "+256700000408"}) || !strings.Contains(failure.Message, "has an unknown outcome. So it was with 1 other call. 2 of these recipients are covered.") {
		t.Errorf("%v: %s", overlap, failure.Message)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	env.expectError(CodeDeclined, func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: ask}, phone1, phone2, "+256700000408")
	})
	if !strings.Contains(question, "one of 24 November 12:00 (UGX 35), with an unknown outcome, and one of 24 November 12:01 (UGX 35)") {
		t.Error(question)
	}
}

// Who declines, declines whatever quote was presented.
func TestDecline_VoidsQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	q := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote
	env.expectError(CodeDeclined, func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{QuoteID: q.ID, Elicit: elicitNo}, phone1)
	})
	env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1) })
}

// An answer counts where there was a question.
func TestAnswer_WithoutQuestion(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmAuto, ConfirmElicit, ConfirmByQuote} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.ConfirmAbove = mode, 0 })
		q := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote
		failure := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{QuoteID: q.ID, Answer: AnswerYes}, phone1)
		})
		if !strings.Contains(failure.Message, "nobody was asked") {
			t.Errorf("%s: %s", mode, failure.Message)
		}
	}
}

// Nobody agreed where nobody need be asked: another process may ask.
func TestAnswer_UnaskedQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	env.expectOK(func() (*Receipt, *Error) { return env.send(strings.Repeat("a", 1600), SpendOptions{}, phone1, phone2) })
	if spends := env.spends(); len(spends) != 1 || spends[0].Confirmed {
		t.Errorf("%+v", spends)
	}
	env.options.Confirm = ConfirmAuto
	env.restart()
	env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send(strings.Repeat("b", 1600), SpendOptions{}, phone1) })
}

// A ledger that was removed goes on existing for this process alone.
func TestLedger_Removed(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	if err := os.Rename(env.ledgerSource, env.ledgerSource+".old"); err != nil {
		t.Fatal(err)
	}
	failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	if !strings.Contains(failure.Message, "removed or replaced") {
		t.Error(failure.Message)
	}
	if err := os.Rename(env.ledgerSource+".old", env.ledgerSource); err != nil {
		t.Fatal(err)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
}

// The same is sent by somebody else between the judgement and the question: the
// question says so.
func TestConfirmPrompt_RecentDuplicate(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	env.expectOK(func() (*Receipt, *Error) {
		return env.send("so that the price is known", SpendOptions{Elicit: elicitYes}, phone1)
	})
	var taken atomic.Bool
	env.setFault(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(q.URL.Path, "/balance") && taken.CompareAndSwap(false, true) {
			env.expectOK(func() (*Receipt, *Error) {
				return env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, phone1)
			})
		}
		pass(w)
	})
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	_, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: ask}, phone1)
	if failure == nil || !strings.Contains(question, "it repeats one of 24 November 12:00 (UGX 35)") {
		t.Errorf("%v: %s", failure, question)
	}
}

func TestLedger_RemovedDuringConfirm(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	for _, name := range []string{"", "-wal"} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		ask := func(context.Context, string) (Answer, error) { return AnswerYes, os.Remove(env.ledgerSource + name) }
		failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{Elicit: ask}, phone1) })
		if !strings.Contains(failure.Message, "put it back") {
			t.Error(failure.Message)
		}
	}
}

// A quote that a call came with ends with the call, though a person was asked
// about another.
func TestQuote_VoidedAfterUse(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(presented, asked string) SpendOptions{
		"said no at once": func(p, _ string) SpendOptions { return SpendOptions{QuoteID: p, Elicit: elicitNo} },
		"said no later": func(p, a string) SpendOptions {
			return SpendOptions{QuoteID: a, PresentedQuoteID: p, Answer: AnswerNo, AskLater: true}
		},
		"said yes at once": func(p, _ string) SpendOptions { return SpendOptions{QuoteID: p, Elicit: elicitYes} },
		"said yes later on": func(p, a string) SpendOptions {
			return SpendOptions{QuoteID: a, PresentedQuoteID: p, Answer: AnswerYes, AskLater: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, time.Second })
			q := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote
			asked := ""
			if strings.Contains(name, "later") {
				asked = env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) {
					return env.send("Hi", SpendOptions{QuoteID: q.ID, AskLater: true}, phone1)
				}).Quote.ID
			}
			_, _ = env.send("Hi", how(q.ID, asked), phone1)
			if sent := env.requestCount() == 1; sent != strings.Contains(name, "yes") {
				t.Fatalf("%d requests", env.requestCount())
			}
			env.advance(2 * time.Second)
			env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1) })
		})
	}
}

// A repetition names what it repeats; fewer of those are still all named.
func TestQuote_SupersetOfDuplicates(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	env.advance(5 * time.Minute)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone2) })
	q := env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1, phone2)
	}).Quote
	env.advance(6 * time.Minute) // and the first is out of the window
	env.expectOK(func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: q.ID}, phone1, phone2)
	})
}
