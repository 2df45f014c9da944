package guard

import (
	"context"
	"database/sql"
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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

func TestADryRunQuotesAndSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	q := r.works(func() (*Receipt, *Error) {
		return r.send("Hello “you”", How{DryRun: true}, "0700 000 010, 256700000010", "12", "0700000011")
	}).Quote
	if q.ID != "" || q.Recipients != 2 || !slices.Equal(q.Numbers, []string{one, two}) || len(q.Refused) != 1 || q.Refused[0] != (Refused{"12", "has too few digits"}) ||
		q.Length != 11 || q.Units != 1 || q.CostPerSMS != 35 || q.Total != 70 || q.Balance != 5000 || q.BalanceAfter != 4930 ||
		q.Carrier.Encoding != "UCS-2" || len(q.Carrier.Forcing) != 2 {
		t.Errorf("%+v", q)
	}
	q = r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) }).Quote
	if len(q.ID) < 26 || !q.ExpiresAt.Equal(r.now().Add(10*time.Minute)) {
		t.Errorf("%+v", q)
	}
	if q = r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) }).Quote; q.Recipients != 2 || q.Total != 70 || len(q.Notes) != 1 {
		t.Errorf("%+v", q)
	}
	if q = r.works(func() (*Receipt, *Error) { return r.topUp(700, How{DryRun: true}, one) }).Quote; q.Total != 700 || q.BalanceAfter != 5700 {
		t.Errorf("%+v", q)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("+2567000000%02d", i))
	}
	if q = r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, many...) }).Quote; q.Recipients != 60 || len(q.Numbers) != 50 {
		t.Errorf("%+v", q)
	}
	if q = r.works(func() (*Receipt, *Error) { return r.send(strings.Repeat("a", 1600), How{DryRun: true}, many[:20]...) }).Quote; q.BalanceAfter >= 0 || len(q.Notes) != 1 {
		t.Errorf("nothing says that the balance is too small: %+v", q)
	}
	if r.asked() != 0 || len(r.states()) != 0 {
		t.Errorf("%d requests, rows %v", r.asked(), r.states())
	}
}

func yes(context.Context, string) (Answer, error)      { return Yes, nil }
func no(context.Context, string) (Answer, error)       { return No, nil }
func nonsense(context.Context, string) (Answer, error) { return Answer(7), nil }
func later(context.Context, string) (Answer, error)    { return NotAsked, ErrLater }
func lost(context.Context, string) (Answer, error)     { return NotAsked, errors.New("no answer in time") }

// In each mode, against each kind of client: only a clean yes spends.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode Mode
		name string
		ask  Asker
		code string // "" spends
		then string // and what the same with the quote's id comes to
	}{
		{Auto, "accepts", yes, "", ""},
		{Auto, "declines", no, Declined, ""},
		{Auto, "answers nonsense", nonsense, Declined, ""},
		{Auto, "never answers", lost, Declined, ""},
		{Auto, "answers later", later, ConfirmationRequired, ""},
		{Auto, "cannot be asked", nil, ConfirmationRequired, "spends"},
		{Elicit, "accepts", yes, "", ""},
		{Elicit, "declines", no, Declined, ""},
		{Elicit, "cannot be asked", nil, ConfirmationRequired, "no quote"},
		{ByQuote, "would accept", yes, ConfirmationRequired, "spends"},
		{ByQuote, "cannot be asked", nil, ConfirmationRequired, "spends"},
		{Off, "cannot be asked", nil, "", ""},
	} {
		t.Run(string(c.mode)+", "+c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Confirm = c.mode })
			for name, call := range map[string]func(How) (*Receipt, *Error){
				"a top-up":   func(h How) (*Receipt, *Error) { return r.topUp(500, h, one) },
				"a big send": func(h How) (*Receipt, *Error) { return r.send(strings.Repeat("a", 1600), h, one, two, six) },
			} {
				if c.code == "" {
					r.works(func() (*Receipt, *Error) { return call(How{Ask: c.ask}) })
					continue
				}
				failure := r.fails(c.code, func() (*Receipt, *Error) { return call(How{Ask: c.ask}) })
				if !strings.Contains(failure.Message, "othing was sent") {
					t.Errorf("%s: %s", name, failure.Message)
				}
				switch c.then {
				case "spends":
					if failure.Question != "" {
						t.Error("a question that nobody can answer")
					}
					r.works(func() (*Receipt, *Error) { return call(How{Ask: c.ask, Quote: failure.Quote.ID}) })
				case "no quote":
					if failure.Quote != nil {
						t.Errorf("%+v", failure.Quote)
					}
				}
			}
		})
	}
}

func TestTheQuestionSaysWhatToWhomAndHowMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	var asked []string
	ask := func(_ context.Context, q string) (Answer, error) { asked = append(asked, q); return No, nil }
	text := strings.Repeat("a", 1600)
	_, _ = r.send(text, How{Ask: ask}, one, two, six, "+256700000017")
	_, _ = r.topUp(2500, How{Ask: ask}, one)
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
func TestAnAnswerCountsForItsOwnQuestion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how   func(id string) How
		to    string
		pass  time.Duration
		other bool // caller
		code  string
	}{
		"yes":                  {how: func(id string) How { return How{Ask: later, Quote: id, Answer: Yes} }},
		"no":                   {how: func(id string) How { return How{Ask: later, Quote: id, Answer: No} }, code: Declined},
		"yes to nothing":       {how: func(string) How { return How{Ask: later, Answer: Yes} }, code: ConfirmationRequired},
		"yes to another":       {how: func(string) How { return How{Ask: later, Quote: "abc", Answer: Yes} }, code: ConfirmationRequired},
		"yes, but to others":   {how: func(id string) How { return How{Ask: later, Quote: id, Answer: Yes} }, to: two, code: ConfirmationRequired},
		"yes, too late":        {how: func(id string) How { return How{Ask: later, Quote: id, Answer: Yes} }, pass: 10 * time.Minute, code: ConfirmationRequired},
		"yes, by another":      {how: func(id string) How { return How{Ask: later, Quote: id, Answer: Yes} }, other: true, code: ConfirmationRequired},
		"the id and no answer": {how: func(id string) How { return How{Ask: later, Quote: id} }, code: ConfirmationRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			failure := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Ask: later}, one) })
			if failure.Question == "" {
				t.Fatal("there is no question")
			}
			r.pass(c.pass)
			to := one
			if c.to != "" {
				to = c.to
			}
			if c.other {
				r.guard = r.guard.For(r.client(t, r.url), "b", nil)
			}
			again := func() (*Receipt, *Error) { return r.send("Hi", c.how(failure.Quote.ID), to) }
			if c.code == "" {
				r.works(again)
				r.fails(DuplicateSend, again) // a replay
				if _, charged := r.record(t); len(charged) != 1 {
					t.Errorf("%v", charged)
				}
				return
			}
			r.fails(c.code, again)
			if name == "the id and no answer" || name == "yes to nothing" || name == "yes to another" {
				return
			}
			// Whatever it was, the quote is burnt.
			r.fails(ConfirmationRequired, func() (*Receipt, *Error) {
				return r.send("Hi", How{Ask: later, Quote: failure.Quote.ID, Answer: Yes}, one)
			})
		})
	}
}

func TestAQuoteForAGroupThatGrewIsVoid(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Confirm = ByQuote })
	q := r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) }).Quote
	if _, err := r.plain.AddContacts(t.Context(), client.AddContactsRequest{WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: six}}}); err != nil {
		t.Fatal(err)
	}
	failure := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{Quote: q.ID}) })
	if !strings.Contains(failure.Message, "3 recipients, not the 2 of the quote") {
		t.Error(failure.Message)
	}
}

// A broadcast that is split into small sends is asked about.
func TestTheHourOfUnconfirmedSpendsIsAskedAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, nil)
	sends := func(from, count int) (asked int) {
		for i := range count {
			_, failure := r.send(fmt.Sprintf("Hi %d", from+i), How{}, one)
			if failure != nil && failure.Code == ConfirmationRequired {
				asked++
			}
		}
		return asked
	}
	if got := sends(0, 30); got != 2 { // 28 × 35 = 980
		t.Errorf("%d of 30 were asked about", got)
	}
	r.works(func() (*Receipt, *Error) { return r.send("agreed", How{Ask: yes}, one) }) // and does not count
	r.restart()
	if got := sends(100, 1); got != 1 {
		t.Error("another process forgot what was spent")
	}
	r.pass(time.Hour + time.Second)
	if got := sends(200, 28); got != 0 {
		t.Errorf("%d were asked about an hour later", got)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	off := func(change func(*Limits)) func(*Options) {
		return func(o *Options) {
			o.Confirm = Off
			change(&o.Limits)
		}
	}
	t.Run("a call", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, off(func(l *Limits) { l.PerCall = 70 }))
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one, two) })
		failure := r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Ho", How{}, one, two, six) })
		if !strings.Contains(failure.Message, "UGX 105") || !strings.Contains(failure.Message, "WESENDALL_MAX_PER_CALL") || !strings.Contains(failure.Message, "operator") {
			t.Error(failure.Message)
		}
		// Agreement lifts no limit.
		r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Ho", How{Ask: yes, AllowDuplicate: true}, one, two, six) })
	})
	t.Run("a day in Kampala", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, off(func(l *Limits) { l.PerDay = 105 }))
		r.set("2026-11-24T20:59:58Z") // two seconds before midnight
		if left := r.works(func() (*Receipt, *Error) { return r.send("a", How{}, one, two) }).Left; left != 35 {
			t.Errorf("UGX %d are left", left)
		}
		failure := r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("b", How{}, one, two) })
		if !strings.Contains(failure.Message, "UGX 35 are left") || !strings.Contains(failure.Message, "WESENDALL_MAX_PER_DAY") {
			t.Error(failure.Message)
		}
		r.works(func() (*Receipt, *Error) { return r.send("b", How{}, one) })
		r.restart()
		r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("c", How{}, one) })
		r.set("2026-11-24T21:00:00Z")
		r.works(func() (*Receipt, *Error) { return r.send("c", How{}, one) })
	})
	t.Run("top-ups", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, off(func(l *Limits) { l.TopUp, l.PerDay, l.PerCall = 1500, 0, 0 }))
		r.works(func() (*Receipt, *Error) { return r.topUp(1000, How{}, one) })
		r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.topUp(1501, How{}, two) })
		failure := r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.topUp(501, How{}, two) })
		if !strings.Contains(failure.Message, "UGX 500 are left") || !strings.Contains(failure.Message, "WESENDALL_MAX_TOPUP") {
			t.Error(failure.Message)
		}
		r.works(func() (*Receipt, *Error) { return r.topUp(500, How{}, two) })
	})
	t.Run("recipients", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, off(func(l *Limits) { l.Recipients = 1 }))
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one, "0700 000 010") })
		r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Ho", How{}, one, two) })
		r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.sendGroup("Ho", How{}) })
	})
	t.Run("countries", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, func(o *Options) { o.Confirm, o.Countries = Off, []string{"256", "254"} })
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, "+254700000001") })
		failure := r.fails(DestinationNotAllowed, func() (*Receipt, *Error) { return r.send("Hi", How{}, one, "+16502530000") })
		if !strings.Contains(failure.Message, "+16502530000") || strings.Contains(failure.Message, one) || !strings.Contains(failure.Message, "WESENDALL_ALLOWED_COUNTRIES") {
			t.Error(failure.Message)
		}
		q := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one, "+16502530000") }).Quote
		if q.ID != "" || q.Recipients != 1 || len(q.Refused) != 1 || q.Refused[0].Number != "+16502530000" || !strings.Contains(q.Refused[0].Reason, "WESENDALL_ALLOWED_COUNTRIES") {
			t.Errorf("%+v", q)
		}
		r.fails(DestinationNotAllowed, func() (*Receipt, *Error) { return r.topUp(500, How{}, "+16502530000") })
		r.fails(DestinationNotAllowed, func() (*Receipt, *Error) {
			_, err := r.guard.AddContacts(t.Context(), client.AddContactsRequest{WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: "+16502530000"}}})
			return nil, r.ours(err)
		})
	})
}

func TestWhatIsKnownToBeUnspentIsReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = Off, 35 })
	_, failure := r.send("Hi", How{}, "+256700000502")
	if failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	if got := r.states(); !slices.Equal(got, []string{"failed", "sent"}) {
		t.Error(got)
	}

	r = newRig(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = Off, 35 })
	if _, failure = r.send("Hi", How{}, "+256700000408"); failure == nil || failure.Code != OutcomeUnknown || failure.Money != client.Unknown {
		t.Fatal(failure)
	}
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	if got := r.states(); !slices.Equal(got, []string{"unknown"}) {
		t.Error(got)
	}
	l, err := r.guard.ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spends, err := l.Spends(t.Context(), r.now())
	if err != nil || len(spends) != 1 {
		t.Fatalf("%v, %v", spends, err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, "maybe"); err == nil {
		t.Error("an outcome that is none")
	}
	if err := errors.Join(l.Resolve(t.Context(), "nope", failed), l.Resolve(t.Context(), spends[0].ID, failed)); err == nil || !strings.Contains(err.Error(), `no spend "nope"`) || strings.Contains(err.Error(), "known") {
		t.Error(err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, sent); err == nil || !strings.Contains(err.Error(), "is known: failed") {
		t.Error(err)
	}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Limits.ConfirmAbove = 10_000 })
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one, "0700 000 010", "256700000010", two) })
	if _, charged := r.record(t); len(charged) != 2 {
		t.Fatalf("%v", charged)
	}
	r.pass(9 * time.Minute)
	failure := r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, six, two) })
	if !slices.Equal(failure.Overlap, []string{two}) || !strings.Contains(failure.Message, "12:00:00 on 24 November (UGX 70), and that was accepted") || failure.Next != "list_sms_history" {
		t.Errorf("%+v", failure)
	}
	r.restart()
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, two) })
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, six) })
	r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, two) })
	r.pass(time.Minute)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, two) }) // the window is over

	// Twice on purpose: a person is asked, and the question names the first.
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return Yes, nil }
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Ask: ask}, two) })
	if !strings.Contains(question, "repeats one of 24 November 12:10") {
		t.Error(question)
	}
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true}, two) })
	r.works(func() (*Receipt, *Error) { return r.send("new", How{AllowDuplicate: true}, two) }) // is no duplicate

	// A quote that was made without it does not stand for a repetition.
	plain := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, two) }).Quote
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Quote: plain.ID}, two) })
	told := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true, AllowDuplicate: true}, two) }).Quote
	if !slices.Contains(told.Notes, "it repeats one of 24 November 12:10 (UGX 35) and one of 24 November 12:10 (UGX 35)") {
		t.Errorf("%+v", told)
	}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{AllowDuplicate: true, Quote: told.ID}, two) })

	// Groups and top-ups have their own.
	r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	r.works(func() (*Receipt, *Error) { return r.topUp(500, How{Ask: yes}, one) })
	if failure = r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.topUp(500, How{Ask: yes}, "0700000010") }); failure.Next != "get_balance" {
		t.Errorf("%+v", failure)
	}
	r.works(func() (*Receipt, *Error) { return r.topUp(600, How{Ask: yes}, one) })
}

func TestAnUnknownOutcomeStaysRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	if _, failure := r.send("Hi", How{}, "+256700000408"); failure == nil || failure.Code != OutcomeUnknown {
		t.Fatal(failure)
	}
	r.pass(30 * 24 * time.Hour)
	r.restart()
	failure := r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, one, "+256700000408") })
	if !strings.Contains(failure.Message, "nobody knows") {
		t.Error(failure.Message)
	}
	if _, failure := r.send("Hi", How{AllowDuplicate: true, Ask: yes}, "+256700000408"); failure == nil || failure.Code != OutcomeUnknown {
		t.Error(failure)
	}
	if r.asked() != 2 {
		t.Errorf("%d requests", r.asked())
	}
}

// Two identical calls at the same instant, in one process and in two.
func TestTwinsAreSentOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, nil)
	first := r.guard
	r.restart()
	for i := range 20 {
		var wg sync.WaitGroup
		for _, g := range []*Guard{first, first, r.guard, r.guard} {
			wg.Go(func() {
				_, err := g.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i), Recipient: client.Recipients{one}}, How{})
				if failure := r.ours(err); failure != nil && failure.Code != DuplicateSend {
					t.Error(failure)
				}
			})
		}
		wg.Wait()
	}
	if _, charged := r.record(t); len(charged) != 20 || r.asked() != 20 {
		t.Errorf("%d requests, %v", r.asked(), charged)
	}
}

func TestALedgerThatFailsStopsSpendingAlone(t *testing.T) {
	t.Parallel()
	filesAlone(t)
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "corrupt.db")
	if err := os.WriteFile(corrupt, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"corrupt": corrupt, "a directory": dir, "no directory can be made": filepath.Join(corrupt, "x", "ledger.db")} {
		r := newRig(t, 5000, nil)
		r.file = path
		failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
		if !strings.Contains(failure.Message, "WESENDALL_LEDGER") {
			t.Errorf("%s: %s", name, failure.Message)
		}
		r.fails(NotConfigured, func() (*Receipt, *Error) { return r.topUp(500, How{}, one) })
		r.fails(NotConfigured, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) })
		if _, err := r.guard.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID}); err != nil {
			t.Errorf("%s: reading stopped too: %v", name, err)
		}
		r.file = filepath.Join(t.TempDir(), "mended.db")
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	}
	t.Run("the disk is full", func(t *testing.T) {
		r := newRig(t, 5000, nil)
		l, err := r.guard.ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.db.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
			t.Fatal(err)
		}
		full := false
		for i := range 200 { // until the pages that it has are full
			if _, failure := r.send(fmt.Sprint("Hi ", i), How{Ask: yes}, one); failure != nil {
				full = failure.Code == NotConfigured && strings.Contains(failure.Message, "full")
				break
			}
		}
		before := r.asked()
		if _, charged := r.record(t); !full || len(charged) != before {
			t.Errorf("full: %v, %d charged, %d asked", full, len(charged), before)
		}
	})
}

func TestATopUpHasOnePayer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	for _, payer := range []string{" , ", "", "0700000010, 0700000011"} {
		failure := r.fails(InvalidArguments, func() (*Receipt, *Error) { return r.topUp(500, How{Ask: yes}, payer) })
		if !strings.Contains(failure.Message, "phone_number: must be one phone number") {
			t.Error(failure.Message)
		}
	}
}

func TestNothingIsSentWithoutAPrice(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no cost": `{"success":true,"data":{"balance":5000}}`, "nothing": `{}`, "a cost of nothing": `{"data":{"balance":5000,"cost_per_sms":0}}`,
		"a cost below": `{"success":true,"data":{"balance":5000,"cost_per_sms":-35}}`, "text": `{"success":true,"data":{"balance":"5000","cost_per_sms":"35"}}`,
	} {
		r := newRig(t, 5000, nil)
		r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
			if strings.HasSuffix(q.URL.Path, "/balance") {
				_, _ = w.Write([]byte(body))
				return
			}
			pass(w)
		})
		failure := r.fails(BadResponse, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
		if !strings.Contains(failure.Message, "Nothing was sent") {
			t.Errorf("%s: %s", name, failure.Message)
		}
		r.fails(BadResponse, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	}
}

func TestAPriceIsKeptForTenMinutes(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, nil)
	reads := 0
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(q.URL.Path, "/balance") {
			reads++
		}
		pass(w)
	})
	for i := range 3 {
		r.works(func() (*Receipt, *Error) { return r.send(fmt.Sprint("Hi ", i), How{}, one) })
	}
	r.pass(10 * time.Minute)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	if reads != 2 {
		t.Errorf("the price was read %d times", reads)
	}
}

// Where a group's size cannot be read, all that the wallet holds is held
// against the limits.
func TestAGroupOfUnknownSizeMayCostAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, 900, func(o *Options) { o.Limits.PerDay = 1000 })
	answer := `{"success":true,"data":[{"name":"Customers"}]}`
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, "/groups") {
			_, _ = w.Write([]byte(answer))
			return
		}
		pass(w)
	})
	if q := r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) }).Quote; q.Total != 900 || len(q.Notes) != 2 {
		t.Errorf("%+v", q)
	}
	r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{}) })
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return r.sendGroup("Ho", How{}) })
}

func TestSizesOfGroups(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
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
		size, _, known := sizeOf([]byte(text), "g")
		if known != (want >= 0) || known && size != want {
			t.Errorf("%s: %d, %v", text, size, known)
		}
	}
}

func TestCancelsDoNotHurtTheLedger(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) {
		o.Confirm = Off
		if !onPostgres() {
			o.Ledger = func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, "") } // whose connection it is
		}
	})
	r.works(func() (*Receipt, *Error) { return r.send("kept", How{}, one) })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			_, err := r.guard.Send(ctx, client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i), Recipient: client.Recipients{one}}, How{})
			if failure := r.ours(err); failure != nil && failure.Code != Unreachable {
				t.Error(failure)
			}
		})
	}
	wg.Wait()
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("kept", How{}, one) })
	_, charged := r.record(t)
	if got := len(charged); got != r.asked() || strings.Count(strings.Join(r.states(), " "), sent) != got {
		t.Errorf("%d charged, %d asked, %v", got, r.asked(), r.states())
	}
}

func TestTheLedgerHasNoTextAndNoNumber(t *testing.T) {
	t.Parallel()
	filesAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("private words", How{}, one) })
	_, _ = r.send("private words", How{DryRun: true}, two)
	for _, name := range []string{r.file, r.file + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
}

func TestOldRowsArePruned(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	_, _ = r.send("Hi", How{}, "+256700000408")
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	l, err := r.guard.ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Many more than are pruned at once, behind one that never is.
	if _, err := l.db.ExecContext(t.Context(), `WITH RECURSIVE old(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM old WHERE value < 2500)
		INSERT INTO spends (id, account, caller, tool, content, arguments, recipients, units, total, state, confirmed, created, deadline, day)
		SELECT 'old' || value, '', '', '', $1, $1, 1, 1, 35, 'sent', 0, $2, 0, 0 FROM old`, []byte{}, r.now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	r.pass(91 * 24 * time.Hour)
	for range 3 {
		if err := l.tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error { _, err := l.prune(ctx, tx); return err }); err != nil {
			t.Fatal(err)
		}
	}
	l.late.Wait() // which may have been at it, too
	if got := r.states(); !slices.Equal(got, []string{"unknown"}) {
		t.Error(len(got))
	}
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, "+256700000408") })
}
