package guard

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// setResponse has the vendor answer a GET of a path with a body, which may change.
func (env *testEnv) setResponse(path string, body *atomic.Value) {
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, path) {
			_, _ = w.Write([]byte(body.Load().(string)))
			return
		}
		pass(w)
	})
}

// mutableBody is an answer that may be changed while it is given.
func mutableBody(text string) *atomic.Value {
	v := &atomic.Value{}
	v.Store(text)
	return v
}

func balanceBody(cost int) string {
	return fmt.Sprintf(`{"success":true,"data":{"balance":5000,"cost_per_sms":%d}}`, cost)
}

func groupsBody(size int) string {
	return fmt.Sprintf(`{"success":true,"data":{"groups":[{"id":%q,"contact_count":%d}]}}`, sandbox.GroupID, size)
}

// A group may grow while the person thinks.
func TestGroup_RereadAfterConfirm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		code string
	}{"grew": {11, CodeConfirmationRequired}, "grew above the limit": {1001, CodeLimitExceeded}, "stayed": {10, ""}, "shrank": {9, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			groups := mutableBody(groupsBody(10))
			env.setResponse("/groups", groups)
			ask := func(_ context.Context, question string) (Answer, error) {
				if !strings.Contains(question, "the 10 contacts of the group") || !strings.Contains(question, "UGX 350") {
					t.Error(question)
				}
				groups.Store(groupsBody(c.size))
				return AnswerYes, nil
			}
			send := func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{Elicit: ask}) }
			if c.code != "" {
				env.expectError(c.code, send)
				return
			}
			if got := env.expectOK(send); got.Quote.Recipients != c.size || got.BudgetRemaining != 100_000-int64(c.size)*35 {
				t.Errorf("%+v, %d left", got.Quote, got.BudgetRemaining)
			}
		})
	}
}

func TestGroup_Empty(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	groups := mutableBody(groupsBody(0))
	env.setResponse("/groups", groups)
	failure := env.expectError(CodeInvalidArguments, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	if !strings.Contains(failure.Message, "no contacts") {
		t.Error(failure.Message)
	}
}

// A list of contacts in the answer may be a part of them, and is no size.
func TestGroup_UnknownSizeRecipients(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 900, func(o *Options) { o.Confirm, o.Limits.Recipients = ConfirmOff, 25 })
	groups := mutableBody(fmt.Sprintf(`{"data":[{"id":%q,"contacts":[]}]}`, sandbox.GroupID))
	env.setResponse("/groups", groups)
	failure := env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
	if !strings.Contains(failure.Message, "WESENDALL_MAX_RECIPIENTS") {
		t.Error(failure.Message)
	}
	env.options.Limits.Recipients = 26 // 25.7 is what UGX 900 pay for
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) })
}

// What the vendor says last is the price, whichever call asked.
func TestPrice_Latest(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerCall = 500 })
	price := mutableBody(balanceBody(35))
	env.setResponse("/balance", price)
	recipients := []string{}
	for i := range 10 {
		recipients = append(recipients, fmt.Sprintf("+2567000000%d", 20+i))
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	price.Store(balanceBody(350))
	// The price that is kept says UGX 350. The question's own look says 3,500.
	if q := env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{DryRun: true}, recipients...) }).Quote; q.TotalUGX != 3500 || q.CostPerSMS != 350 {
		t.Errorf("%+v", q)
	}
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{Elicit: elicitYes}, recipients...) })
	price.Store(balanceBody(35))
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if got := env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, recipients...) }); got.Quote.TotalUGX != 350 {
		t.Errorf("%+v", got.Quote)
	}
	// It rises while nobody looks: the limit holds before anybody is asked.
	env.options.Limits.ConfirmAbove = 0
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.send("He", SpendOptions{Elicit: elicitYes}, phone1) })
	price.Store(balanceBody(350))
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) {
		return env.send("Hu", SpendOptions{Elicit: func(context.Context, string) (Answer, error) { t.Error("asked"); return AnswerYes, nil }}, recipients...)
	})
}

// A quote may know of a price that this process does not, and a price may rise
// while a person thinks.
func TestPrice_IncreaseChecked(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.PerCall = 500 })
	price := mutableBody(balanceBody(35))
	env.setResponse("/balance", price)
	recipients := []string{phone1, phone2, phone3, "+256700000017"}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	original := env.guard
	price.Store(balanceBody(350))
	env.restart()
	q := env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{DryRun: true}, recipients...) }).Quote
	env.guard = original
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{QuoteID: q.ID}, recipients...) })

	price.Store(balanceBody(35))
	env.options.Limits.ConfirmAbove = 0
	env.restart()
	ask := func(context.Context, string) (Answer, error) { price.Store(balanceBody(70)); return AnswerYes, nil }
	failure := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("He", SpendOptions{Elicit: ask}, recipients...) })
	if !strings.Contains(failure.Message, "UGX 280, not the UGX 140") {
		t.Error(failure.Message)
	}
}

// What a failure releases is what was reserved, though the quote was dearer.
func TestBudget_ReleaseOnFailure(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmByQuote, 700 })
	price := mutableBody(balanceBody(70))
	env.setResponse("/balance", price)
	q := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, "+256700000502") }).Quote
	price.Store(balanceBody(35))
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if _, failure := env.send("Hi", SpendOptions{QuoteID: q.ID}, "+256700000502"); failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	spent := int64(0)
	for i := range 30 {
		if _, failure := env.send(fmt.Sprint("Hi ", i), SpendOptions{}, phone1); failure == nil {
			spent += 35
		}
	}
	if spent != 700 {
		t.Errorf("UGX %d of 700 were spent", spent)
	}
	failure := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{QuoteID: q.ID}, "+256700000502") })
	if !strings.Contains(failure.Message, "failed without a charge") {
		t.Error(failure.Message)
	}
}

func TestConfirmPrompt_Sanitized(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	_, _ = env.send("Hi\x1b[8m\u202e \u200bthere", SpendOptions{Elicit: ask}, phone1)
	if !strings.Contains(question, "“Hi[8m there”") {
		t.Errorf("%q", question)
	}
}

func TestUnknownOutcome_Message(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	_, failure := env.send("Hi", SpendOptions{}, phone1, "+256700000408")
	spends := env.spends()
	if failure == nil || failure.Code != CodeOutcomeUnknown || len(spends) != 1 || failure.SpendID != spends[0].ID {
		t.Fatalf("%+v, %+v", failure, spends)
	}
	for _, want := range []string{"+256700000010, +256700000408, about UGX 70", "in the ledger it is " + failure.SpendID, "ledger resolve", "stays in the day's budget", "Do not send again", "list_sms_history", "get_balance"} {
		if !strings.Contains(failure.Message, want) {
			t.Errorf("no %q in %s", want, failure.Message)
		}
	}
}

// Upstream calls are counted, not the calls of tools.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	var env *testEnv
	var delays []time.Duration
	env = newTestEnv(t, 5000, func(o *Options) {
		o.Rate, o.Confirm = 1, ConfirmOff
		o.SleepFunc = func(ctx context.Context, d time.Duration) error {
			delays = append(delays, d)
			env.advance(d)
			return ctx.Err()
		}
	})
	var progressTexts []string
	ctx := WithProgress(t.Context(), func(text string, now bool) {
		if now {
			progressTexts = append(progressTexts, text)
		}
	})
	send := func(ctx context.Context, message string) *Error {
		_, err := env.guard.SendGroup(ctx, client.SendGroupRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}, SpendOptions{})
		return env.asGuardError(err)
	}
	history := func() { _, _ = env.guard.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID}) }
	for range 3 { // of the five that may come at once
		history()
	}
	if failure := send(ctx, "Hi"); failure != nil { // groups, balance, send: the third waits
		t.Fatal(failure)
	}
	if !slices.Equal(delays, []time.Duration{time.Second}) || len(progressTexts) != 1 || !strings.HasPrefix(progressTexts[0], "Waiting 1.0 s for the rate limit") {
		t.Errorf("%v, %q", delays, progressTexts)
	}
	// A call that is cancelled while it waits is not written down.
	cancelledCtx, cancel := context.WithCancel(t.Context())
	cancel()
	if failure := send(cancelledCtx, "Ho"); failure == nil || failure.Code != CodeUnreachable || env.requestCount() != 1 || len(env.states()) != 1 {
		t.Errorf("%v, %d requests, %v", failure, env.requestCount(), env.states())
	}
	// A refusal takes a token like the read of the group; a call that is given up takes none.
	env.advance(5 * time.Second)
	delays = nil
	for range 20 {
		if failure := send(t.Context(), "Hi"); failure == nil || failure.Code != CodeDuplicateSend && failure.Code != CodeRateLimited {
			t.Fatal(failure)
		}
		env.advance(2 * time.Second)
	}
	if len(delays) > 0 {
		t.Errorf("%v", delays)
	}
	env.guard.options.SleepFunc = func(context.Context, time.Duration) error { return context.Canceled }
	for range 20 {
		history()
	}
	env.advance(time.Second)
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Errorf("those who gave up are waited for: %v", err)
	}
	// A queue that is too long refuses.
	env.guard.options.SleepFunc = func(context.Context, time.Duration) error { return nil } // they all come at once
	for range 20 {
		history()
	}
	failure := send(t.Context(), "Hu")
	if failure == nil || failure.Code != CodeRateLimited || failure.RetryAfter < 1 || !strings.Contains(failure.Message, "WESENDALL_RATE") || env.requestCount() != 1 {
		t.Errorf("%+v", failure)
	}
}
