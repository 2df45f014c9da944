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
)

// A person who agrees to a repetition was told which calls it repeats.
func TestARepetitionIsAgreedToOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Confirm = ByQuote })
	var quotes []string
	for range 3 {
		quotes = append(quotes, r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true, AllowDuplicate: true}, one) }).Quote.ID)
	}
	use := func(id string) func() (*Receipt, *Error) {
		return func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Quote: id}, one) }
	}
	r.works(use(quotes[0]))
	for _, id := range quotes[1:] { // which were made when there was nothing to repeat
		failure := r.fails(ConfirmationRequired, use(id))
		if !strings.Contains(failure.Message, "does not say that it repeats one of 24 November 12:00 (UGX 35)") {
			t.Error(failure.Message)
		}
		r.fails(ConfirmationRequired, use(id)) // and are burnt
	}
	told := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true, AllowDuplicate: true}, one) }).Quote
	r.works(use(told.ID))
}

// Two calls are asked about at the same time, and both are agreed to.
func TestTwoQuestionsAtOnceSendOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	outer := func(context.Context, string) (Answer, error) {
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Ask: yes}, one) })
		return Yes, nil
	}
	_, failure := r.send("Hi", How{AllowDuplicate: true, Ask: outer}, one)
	if failure == nil || failure.Code != ConfirmationRequired || r.asked() != 1 {
		t.Errorf("%v, %d requests", failure, r.asked())
	}
}

func TestARepeatedTopUpNamesTheEarlierOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.topUp(500, How{Ask: yes}, one) })
	failure := r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.topUp(500, How{Ask: yes}, one) })
	if !strings.Contains(failure.Message, "Look at get_balance") || failure.Next != "get_balance" {
		t.Error(failure.Message)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return No, nil }
	r.fails(Declined, func() (*Receipt, *Error) { return r.topUp(500, How{AllowDuplicate: true, Ask: ask}, one) })
	if !strings.Contains(question, "it repeats one of 24 November 12:00 (UGX 500)") {
		t.Error(question)
	}
}

// Where several calls reached some of the same, the open ones come first.
func TestEveryOverlapIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	if _, failure := r.send("Hi", How{}, "+256700000408"); failure == nil {
		t.Fatal("no unknown outcome")
	}
	r.pass(time.Minute)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, two) })
	failure := r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, one, two, "+256700000408") })
	overlap := slices.Sorted(slices.Values(failure.Overlap))
	if !slices.Equal(overlap, []string{two, "+256700000408"}) || !strings.Contains(failure.Message, "nobody knows. So it was with 1 other call. 2 of these recipients are covered.") {
		t.Errorf("%v: %s", overlap, failure.Message)
	}
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return No, nil }
	r.fails(Declined, func() (*Receipt, *Error) {
		return r.send("Hi", How{AllowDuplicate: true, Ask: ask}, one, two, "+256700000408")
	})
	if !strings.Contains(question, "one of 24 November 12:00 (UGX 35), whose outcome nobody knows, and one of 24 November 12:01 (UGX 35)") {
		t.Error(question)
	}
}

// Who declines, declines whatever quote was presented.
func TestADeclineBurnsThePresentedQuote(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) }).Quote
	r.fails(Declined, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID, Ask: no}, one) })
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID}, one) })
}

// An answer counts where there was a question.
func TestAnAnswerToNoQuestionCountsForNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Auto, Elicit, ByQuote} {
		r := newRig(t, 5000, func(o *Options) { o.Confirm, o.Limits.ConfirmAbove = mode, 0 })
		q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) }).Quote
		failure := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID, Answer: Yes}, one) })
		if !strings.Contains(failure.Message, "nobody was asked") {
			t.Errorf("%s: %s", mode, failure.Message)
		}
	}
}

// Nobody agreed where nobody need be asked: another process may ask.
func TestWhatNobodyWasAskedAboutIsNotConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Confirm = Off })
	r.works(func() (*Receipt, *Error) { return r.send(strings.Repeat("a", 1600), How{}, one, two) })
	if spends := r.spends(); len(spends) != 1 || spends[0].Confirmed {
		t.Errorf("%+v", spends)
	}
	r.options.Confirm = Auto
	r.restart()
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send(strings.Repeat("b", 1600), How{}, one) })
}

// A ledger that was removed goes on existing for this process alone.
func TestARemovedLedgerStopsSpending(t *testing.T) {
	t.Parallel()
	filesAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	if err := os.Rename(r.file, r.file+".old"); err != nil {
		t.Fatal(err)
	}
	failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	if !strings.Contains(failure.Message, "removed or replaced") {
		t.Error(failure.Message)
	}
	if err := os.Rename(r.file+".old", r.file); err != nil {
		t.Fatal(err)
	}
	r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
}

// The same is sent by somebody else between the judgement and the question: the
// question says so.
func TestAQuestionKnowsOfWhatWasJustSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	r.works(func() (*Receipt, *Error) { return r.send("so that the price is known", How{Ask: yes}, one) })
	var taken atomic.Bool
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(q.URL.Path, "/balance") && taken.CompareAndSwap(false, true) {
			r.works(func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Ask: yes}, one) })
		}
		pass(w)
	})
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return No, nil }
	_, failure := r.send("Hi", How{AllowDuplicate: true, Ask: ask}, one)
	if failure == nil || !strings.Contains(question, "it repeats one of 24 November 12:00 (UGX 35)") {
		t.Errorf("%v: %s", failure, question)
	}
}

func TestALedgerThatIsRemovedWhileAPersonThinks(t *testing.T) {
	t.Parallel()
	filesAlone(t)
	for _, name := range []string{"", "-wal"} {
		r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		ask := func(context.Context, string) (Answer, error) { return Yes, os.Remove(r.file + name) }
		failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{Ask: ask}, one) })
		if !strings.Contains(failure.Message, "put it back") {
			t.Error(failure.Message)
		}
	}
}

// A quote that a call came with ends with the call, though a person was asked
// about another.
func TestAPresentedQuoteEndsWithItsCall(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(presented, asked string) How{
		"said no at once":   func(p, _ string) How { return How{Quote: p, Ask: no} },
		"said no later":     func(p, a string) How { return How{Quote: a, Presented: p, Answer: No, Ask: later} },
		"said yes at once":  func(p, _ string) How { return How{Quote: p, Ask: yes} },
		"said yes later on": func(p, a string) How { return How{Quote: a, Presented: p, Answer: Yes, Ask: later} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, time.Second })
			q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) }).Quote
			asked := ""
			if strings.Contains(name, "later") {
				asked = r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID, Ask: later}, one) }).Quote.ID
			}
			_, _ = r.send("Hi", how(q.ID, asked), one)
			if sent := r.asked() == 1; sent != strings.Contains(name, "yes") {
				t.Fatalf("%d requests", r.asked())
			}
			r.pass(2 * time.Second)
			r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: q.ID}, one) })
		})
	}
}

// A repetition names what it repeats; fewer of those are still all named.
func TestAQuoteMayNameMoreThanIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	r.pass(5 * time.Minute)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, two) })
	q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true, AllowDuplicate: true}, one, two) }).Quote
	r.pass(6 * time.Minute) // and the first is out of the window
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Quote: q.ID}, one, two) })
}
