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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// says has the vendor answer a GET of a path with a body, which may change.
func (r *rig) says(path string, body *atomic.Value) {
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, path) {
			_, _ = w.Write([]byte(body.Load().(string)))
			return
		}
		pass(w)
	})
}

// said is an answer that may be changed while it is given.
func said(text string) *atomic.Value {
	v := &atomic.Value{}
	v.Store(text)
	return v
}

func priceOf(cost int) string {
	return fmt.Sprintf(`{"success":true,"data":{"balance":5000,"cost_per_sms":%d}}`, cost)
}

func groupOf(size int) string {
	return fmt.Sprintf(`{"success":true,"data":{"groups":[{"id":%q,"contact_count":%d}]}}`, sandbox.GroupID, size)
}

// A group may grow while the person thinks.
func TestAGroupIsReadAgainOnceAPersonAgreed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		code string
	}{"grew": {11, ConfirmationRequired}, "grew above the limit": {1001, LimitExceeded}, "stayed": {10, ""}, "shrank": {9, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			groups := said(groupOf(10))
			r.says("/groups", groups)
			ask := func(_ context.Context, question string) (Answer, error) {
				if !strings.Contains(question, "the 10 contacts of the group") || !strings.Contains(question, "UGX 350") {
					t.Error(question)
				}
				groups.Store(groupOf(c.size))
				return Yes, nil
			}
			send := func() (*Receipt, *Error) { return r.sendGroup("Hi", How{Ask: ask}) }
			if c.code != "" {
				r.fails(c.code, send)
				return
			}
			if got := r.works(send); got.Quote.Recipients != c.size || got.Left != 100_000-int64(c.size)*35 {
				t.Errorf("%+v, %d left", got.Quote, got.Left)
			}
		})
	}
}

func TestAnEmptyGroupIsNotSentTo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Confirm = Off })
	groups := said(groupOf(0))
	r.says("/groups", groups)
	failure := r.fails(InvalidArguments, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	if !strings.Contains(failure.Message, "no contacts") {
		t.Error(failure.Message)
	}
}

// A list of contacts in the answer may be a part of them, and is no size.
func TestAGroupOfUnknownSizeIsHeldAgainstTheRecipientsToo(t *testing.T) {
	t.Parallel()
	r := newRig(t, 900, func(o *Options) { o.Confirm, o.Limits.Recipients = Off, 25 })
	groups := said(fmt.Sprintf(`{"data":[{"id":%q,"contacts":[]}]}`, sandbox.GroupID))
	r.says("/groups", groups)
	failure := r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	if !strings.Contains(failure.Message, "WESENDALL_MAX_RECIPIENTS") {
		t.Error(failure.Message)
	}
	r.options.Limits.Recipients = 26 // 25.7 is what UGX 900 pay for
	r.restart()
	r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
}

// What the vendor says last is the price, whichever call asked.
func TestThePriceIsTheLastOneTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.PerCall = 500 })
	price := said(priceOf(35))
	r.says("/balance", price)
	ten := []string{}
	for i := range 10 {
		ten = append(ten, fmt.Sprintf("+2567000000%d", 20+i))
	}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	price.Store(priceOf(350))
	// The price that is kept says UGX 350. The question's own look says 3,500.
	if q := r.works(func() (*Receipt, *Error) { return r.send("Ho", How{DryRun: true}, ten...) }).Quote; q.Total != 3500 || q.CostPerSMS != 350 {
		t.Errorf("%+v", q)
	}
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Ho", How{Ask: yes}, ten...) })
	price.Store(priceOf(35))
	if _, err := r.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if got := r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, ten...) }); got.Quote.Total != 350 {
		t.Errorf("%+v", got.Quote)
	}
	// It rises while nobody looks: the limit holds before anybody is asked.
	r.options.Limits.ConfirmAbove = 0
	r.restart()
	r.works(func() (*Receipt, *Error) { return r.send("He", How{Ask: yes}, one) })
	price.Store(priceOf(350))
	r.fails(LimitExceeded, func() (*Receipt, *Error) {
		return r.send("Hu", How{Ask: func(context.Context, string) (Answer, error) { t.Error("asked"); return Yes, nil }}, ten...)
	})
}

// A quote may know of a price that this process does not, and a price may rise
// while a person thinks.
func TestADearerPriceIsHeldAgainstTheLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Limits.PerCall = 500 })
	price := said(priceOf(35))
	r.says("/balance", price)
	four := []string{one, two, six, "+256700000017"}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	here := r.guard
	price.Store(priceOf(350))
	r.restart()
	q := r.works(func() (*Receipt, *Error) { return r.send("Ho", How{DryRun: true}, four...) }).Quote
	r.guard = here
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Ho", How{Quote: q.ID}, four...) })

	price.Store(priceOf(35))
	r.options.Limits.ConfirmAbove = 0
	r.restart()
	ask := func(context.Context, string) (Answer, error) { price.Store(priceOf(70)); return Yes, nil }
	failure := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("He", How{Ask: ask}, four...) })
	if !strings.Contains(failure.Message, "UGX 280, not the UGX 140") {
		t.Error(failure.Message)
	}
}

// What a failure releases is what was reserved, though the quote was dearer.
func TestAFailureReleasesWhatWasReserved(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Confirm, o.Limits.PerDay = ByQuote, 700 })
	price := said(priceOf(70))
	r.says("/balance", price)
	q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, "+256700000502") }).Quote
	price.Store(priceOf(35))
	if _, err := r.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if _, failure := r.send("Hi", How{Quote: q.ID}, "+256700000502"); failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	spent := int64(0)
	for i := range 30 {
		if _, failure := r.send(fmt.Sprint("Hi ", i), How{}, one); failure == nil {
			spent += 35
		}
	}
	if spent != 700 {
		t.Errorf("UGX %d of 700 were spent", spent)
	}
	failure := r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID}, "+256700000502") })
	if !strings.Contains(failure.Message, "failed without a charge") {
		t.Error(failure.Message)
	}
}

func TestAQuestionHidesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return No, nil }
	_, _ = r.send("Hi\x1b[8m\u202e \u200bthere", How{Ask: ask}, one)
	if !strings.Contains(question, "“Hi[8m there”") {
		t.Errorf("%q", question)
	}
}

func TestAnUnknownOutcomeSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	_, failure := r.send("Hi", How{}, one, "+256700000408")
	spends := r.spends()
	if failure == nil || failure.Code != OutcomeUnknown || len(spends) != 1 || failure.Spend != spends[0].ID {
		t.Fatalf("%+v, %+v", failure, spends)
	}
	for _, want := range []string{"+256700000010, +256700000408, about UGX 70", "in the ledger it is " + failure.Spend, "ledger resolve", "stays in the day's budget", "Do not send again", "list_sms_history", "get_balance"} {
		if !strings.Contains(failure.Message, want) {
			t.Errorf("no %q in %s", want, failure.Message)
		}
	}
}

// Upstream calls are counted, not the calls of tools.
func TestTheRate(t *testing.T) {
	t.Parallel()
	var r *rig
	var slept []time.Duration
	r = newRig(t, 5000, func(o *Options) {
		o.Rate, o.Confirm = 1, Off
		o.Sleep = func(ctx context.Context, d time.Duration) error {
			slept = append(slept, d)
			r.pass(d)
			return ctx.Err()
		}
	})
	var told []string
	ctx := WithProgress(t.Context(), func(text string, now bool) {
		if now {
			told = append(told, text)
		}
	})
	send := func(ctx context.Context, message string) *Error {
		_, err := r.guard.SendGroup(ctx, client.GroupSendRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}, How{})
		return r.ours(err)
	}
	history := func() { _, _ = r.guard.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID}) }
	for range 3 { // of the five that may come at once
		history()
	}
	if failure := send(ctx, "Hi"); failure != nil { // groups, balance, send: the third waits
		t.Fatal(failure)
	}
	if !slices.Equal(slept, []time.Duration{time.Second}) || len(told) != 1 || !strings.HasPrefix(told[0], "Waiting 1.0 s for a turn") {
		t.Errorf("%v, %q", slept, told)
	}
	// A call that is cancelled while it waits is not written down.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if failure := send(gone, "Ho"); failure == nil || failure.Code != Unreachable || r.asked() != 1 || len(r.states()) != 1 {
		t.Errorf("%v, %d requests, %v", failure, r.asked(), r.states())
	}
	// What is refused takes no turn, nor does who gave up.
	r.pass(5 * time.Second)
	slept = nil
	for range 20 {
		if failure := send(t.Context(), "Hi"); failure == nil || failure.Code != DuplicateSend && failure.Code != RateLimited {
			t.Fatal(failure)
		}
		r.pass(time.Second) // for the reading of the group
	}
	if len(slept) > 0 {
		t.Errorf("%v", slept)
	}
	r.guard.sleep = func(context.Context, time.Duration) error { return context.Canceled }
	for range 20 {
		history()
	}
	r.pass(time.Second)
	if _, err := r.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Errorf("those who gave up are waited for: %v", err)
	}
	// A queue that is too long refuses.
	r.guard.sleep = func(context.Context, time.Duration) error { return nil } // they all come at once
	for range 20 {
		history()
	}
	failure := send(t.Context(), "Hu")
	if failure == nil || failure.Code != RateLimited || failure.RetryAfter < 1 || !strings.Contains(failure.Message, "WESENDALL_RATE") || r.asked() != 1 {
		t.Errorf("%+v", failure)
	}
}
