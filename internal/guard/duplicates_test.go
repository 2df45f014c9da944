package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDuplicates(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 10_000 })
	env.expectOK(env.send("Hi", SpendOptions{}, phone1, "0700 000 010", "256700000010", phone2))
	if _, charged := env.charges(t); len(charged) != 2 {
		t.Fatalf("%v", charged)
	}
	env.advance(9 * time.Minute)
	failure := env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone3, phone2))
	failure.says("2026-11-24T12:00:00+03:00 (UGX 70), and that was accepted")
	if !slices.Equal(failure.DuplicateRecipients, []string{phone2}) || failure.NextTool != "list_sms_history" {
		t.Errorf("%+v", failure)
	}
	env.restart()
	env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone2))
	env.expectOK(env.send("Hi", SpendOptions{}, phone3))
	env.expectOK(env.send("Ho", SpendOptions{}, phone2))
	env.advance(time.Minute)
	env.expectOK(env.send("Hi", SpendOptions{}, phone2)) // the window is over
}

// An intended duplicate needs a confirmation that names the first send.
func TestDuplicates_Allowed(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 10_000 })
	env.advance(10 * time.Minute)
	env.expectOK(env.send("Hi", SpendOptions{}, phone2))
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerYes, nil }
	env.expectOK(env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: ask}, phone2))
	if !strings.Contains(question, "repeats one of 2026-11-24T12:10:00+03:00") {
		t.Error(question)
	}
	env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{AllowDuplicate: true}, phone2))
	env.expectOK(env.send("new", SpendOptions{AllowDuplicate: true}, phone2)) // not a duplicate

	// A quote made without allow_duplicate does not cover a duplicate.
	plain := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone2)).Quote
	withPlain := SpendOptions{AllowDuplicate: true, QuoteID: plain.ID}
	env.expectError(CodeConfirmationRequired)(env.send("Hi", withPlain, phone2))
	quote := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone2)).Quote
	if !slices.Contains(quote.Notes,
		"it repeats one of 2026-11-24T12:10:00+03:00 (UGX 35) and one of 2026-11-24T12:10:00+03:00 (UGX 35)") {
		t.Errorf("%+v", quote)
	}
	env.expectOK(env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: quote.ID}, phone2))
}

func TestDuplicates_GroupsAndTopUps(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 10_000 })
	env.expectOK(env.send("Hi", SpendOptions{}, phone1)) // no duplicate of what follows
	env.expectOK(env.sendGroup("Hi", SpendOptions{}))
	env.expectError(CodeDuplicateSend)(env.sendGroup("Hi", SpendOptions{}))
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	failure := env.expectError(CodeDuplicateSend)(env.topUp(500, SpendOptions{Elicit: elicitYes}, "0700000010"))
	if failure.NextTool != "get_balance" {
		t.Errorf("%+v", failure)
	}
	env.expectOK(env.topUp(600, SpendOptions{Elicit: elicitYes}, phone1))
}

func TestDuplicate_UnknownOutcome(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	if _, failure := env.send("Hi", SpendOptions{}, phoneUnknown); failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatal(failure)
	}
	env.advance(30 * 24 * time.Hour)
	env.restart()
	env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1, phoneUnknown)).says("unknown outcome")
	_, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, phoneUnknown)
	if failure == nil || failure.Code != CodeOutcomeUnknown {
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
				_, err := g.Send(t.Context(), sendRequest(fmt.Sprint("Hi ", i), phone1), SpendOptions{})
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

// A quote confirms a duplicate only if it names the spends that are repeated.
func TestDuplicate_ConfirmOnce(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Confirm = ConfirmByQuote })
	var quotes []string
	for range 3 {
		receipt := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1))
		quotes = append(quotes, receipt.Quote.ID)
	}
	use := func(id string) (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: id}, phone1)
	}
	env.expectOK(use(quotes[0]))
	for _, id := range quotes[1:] { // made when nothing had been sent
		env.expectError(CodeConfirmationRequired)(use(id)).
			says("does not say that it repeats one of 2026-11-24T12:00:00+03:00 (UGX 35)")
		env.expectError(CodeConfirmationRequired)(use(id)) // the quote is void
	}
	quote := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1)).Quote
	env.expectOK(use(quote.ID))
}

// The user is asked about two equal calls at once and accepts both: one is sent.
func TestDuplicate_ConcurrentConfirm(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	outer := func(context.Context, string) (Answer, error) {
		env.expectOK(env.send("Hi", SpendOptions{AllowDuplicate: true, Elicit: elicitYes}, phone1))
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
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	failure := env.expectError(CodeDuplicateSend)(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	if failure.says("Look at get_balance"); failure.NextTool != "get_balance" {
		t.Errorf("the next tool is %q", failure.NextTool)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	env.expectError(CodeDeclined)(env.topUp(500, SpendOptions{AllowDuplicate: true, Elicit: ask}, phone1))
	if !strings.Contains(question, "it repeats one of 2026-11-24T12:00:00+03:00 (UGX 500)") {
		t.Error(question)
	}
}

// If several calls reached some of the recipients, those with an unknown outcome come first.
func TestDuplicate_ListsOverlap(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	if _, failure := env.send("Hi", SpendOptions{}, phoneUnknown); failure == nil {
		t.Fatal("no unknown outcome")
	}
	env.advance(time.Minute)
	env.expectOK(env.send("Hi", SpendOptions{}, phone2))
	failure := env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1, phone2, phoneUnknown))
	overlap := slices.Sorted(slices.Values(failure.DuplicateRecipients))
	failure.says("has an unknown outcome. So it was with 1 other call. It was addressed to ",
		"1 other recipient can be sent without them.")
	if !slices.Equal(overlap, []string{phone2, phoneUnknown}) {
		t.Errorf("the overlap is %v", overlap)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	allowed := SpendOptions{AllowDuplicate: true, Elicit: ask}
	env.expectError(CodeDeclined)(env.send("Hi", allowed, phone1, phone2, phoneUnknown))
	if !strings.Contains(question, "one of 2026-11-24T12:00:00+03:00 (UGX 35), with an unknown outcome (id "+env.spends()[0].ID+
		"), which may still arrive, and one of 2026-11-24T12:01:00+03:00 (UGX 35)") {
		t.Error(question)
	}
}
