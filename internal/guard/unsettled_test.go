package guard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// loseSend makes a spend with an unknown outcome, and returns its id.
func (env *testEnv) loseSend(message string) string {
	env.Helper()
	_, failure := env.send(message, SpendOptions{}, phoneUnknown)
	if failure == nil || failure.Code != CodeOutcomeUnknown {
		env.Fatalf("%v", failure)
	}
	return failure.SpendID
}

// Another text to a number with an open outcome needs a confirmation that names it.
// loseTopUp makes a top-up with an unknown outcome, and returns its id.
func (env *testEnv) loseTopUp(amount int64) string {
	env.Helper()
	env.setFault(onPost(rawAfterCharge(func(conn net.Conn, _ []byte) { reset(conn) })))
	_, failure := env.topUp(amount, SpendOptions{Elicit: elicitYes}, phone1)
	if failure == nil || failure.Code != CodeOutcomeUnknown {
		env.Fatal(failure)
	}
	env.setFault(nil)
	return failure.SpendID
}

func TestUnsettled_AnotherTextAsksAndNamesTheOpenSpend(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmAuto, ConfirmByQuote, ConfirmOff} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = mode })
			id := env.loseSend("first")
			failure := env.expectError(CodeConfirmationRequired)(env.send("second", SpendOptions{}, phone1, phoneUnknown))
			if failure.says(id); !strings.Contains(strings.Join(failure.Quote.Notes, " "), id) {
				t.Errorf("no note has the id: %q", failure.Quote.Notes)
			}
			// Another number needs no confirmation.
			env.expectOK(env.send("second", SpendOptions{}, phone2))
			before := env.requestCount()
			_, sent := env.send("second", SpendOptions{QuoteID: failure.Quote.ID}, phone1, phoneUnknown)
			if sent != nil && sent.Code != CodeOutcomeUnknown || env.requestCount() != before+1 {
				t.Errorf("%v, %d requests", sent, env.requestCount()-before)
			}
		})
	}
}

func TestUnsettled_OneYesIsEnough(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	id := env.loseSend("first")
	var asked []string
	elicit := func(_ context.Context, q string) (Answer, error) { asked = append(asked, q); return AnswerYes, nil }
	_, _ = env.send("second", SpendOptions{Elicit: elicit}, phoneUnknown)
	if len(asked) != 1 || !strings.Contains(asked[0], id) {
		t.Fatalf("%q", asked)
	}
	// The second is open now, too. Only the second is named.
	_, _ = env.send("third", SpendOptions{Elicit: elicit}, phoneUnknown)
	if len(asked) != 2 || strings.Contains(asked[1], id) {
		t.Errorf("%q", asked)
	}
}

func TestUnsettled_EndsAfterADayAndWhenSettled(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*testEnv, string) error{
		"a day has passed": func(env *testEnv, _ string) error { env.advance(24*time.Hour + time.Second); return nil },
		"it is settled": func(env *testEnv, id string) error {
			return env.guard.opened().Resolve(context.Background(), id, ledger.StateFailed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			id := env.loseSend("first")
			if err := settle(env, id); err != nil {
				t.Fatal(err)
			}
			if _, failure := env.send("second", SpendOptions{}, phoneUnknown); codeOf(failure) != CodeOutcomeUnknown {
				t.Errorf("%v", failure)
			}
		})
	}
}

// A spend whose outcome became unknown after the quote was made is not covered by
// the quote.
func TestUnsettled_AQuoteNamesWhatWasOpen(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
	quote := env.expectOK(env.send("second", SpendOptions{DryRun: true}, phoneUnknown)).Quote
	id := env.loseSend("first")
	withQuote := SpendOptions{QuoteID: quote.ID}
	env.expectError(CodeConfirmationRequired)(env.send("second", withQuote, phoneUnknown)).says(id)
}

func TestUnsettled_ATopUpOfTheSamePayerNamesTheOpenOne(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	id := env.loseTopUp(5_000)
	var asked []string
	decline := func(_ context.Context, q string) (Answer, error) { asked = append(asked, q); return AnswerNo, nil }
	env.expectError(CodeDeclined)(env.topUp(5_001, SpendOptions{Elicit: decline}, phone1))
	if len(asked) != 1 || !strings.Contains(asked[0], id) {
		t.Errorf("%q does not name %s", asked, id)
	}
}

// A duplicate needs a confirmation even where confirmations are off.
func TestDuplicate_ConfirmOffNeedsAQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	failure := env.expectError(CodeConfirmationRequired)(env.send("hi ", SpendOptions{AllowDuplicate: true}, phone1))
	env.expectOK(env.send("hi ", SpendOptions{AllowDuplicate: true, QuoteID: failure.Quote.ID}, phone1))
	if env.requestCount() != 2 {
		t.Errorf("%d requests", env.requestCount())
	}
}

// Two top-ups of one payer do not both go out on quotes that know nothing of each
// other.
func TestUnsettled_ATopUpQuoteFromBeforeTheOtherTopUp(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmByQuote, ConfirmOff} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = mode })
		first := env.expectOK(env.topUp(5_000, SpendOptions{DryRun: true}, phone1)).Quote
		second := env.expectOK(env.topUp(6_000, SpendOptions{DryRun: true}, phone1)).Quote
		env.expectOK(env.topUp(6_000, SpendOptions{QuoteID: second.ID}, phone1))
		env.expectError(CodeConfirmationRequired)(env.topUp(5_000, SpendOptions{QuoteID: first.ID}, phone1)).
			says("the same payer was asked before", "UGX 6,000")
		// Also without a quote where confirmations are off.
		env.expectError(CodeConfirmationRequired)(env.topUp(5_001, SpendOptions{}, phone1)).says("UGX 6,000")
		env.expectError(CodeConfirmationRequired)(env.topUp(5_001, SpendOptions{}, phone1)).says("UGX 6,000")
	}
}

// One yes covers the spends that it named, and no others.
func TestUnsettled_AYesCoversWhatWasNamed(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 1_000_000, func(o *Options) { o.Limits.ConfirmAbove = 1_000_000 })
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet {
			pass(w)
			return
		}
		reset(hijack(w))
	})
	var numbers []string
	for i := range ledger.MaxUnsettled + 2 {
		numbers = append(numbers, fmt.Sprintf("+2567000000%02d", i+10))
		_, failure := env.send("first", SpendOptions{}, numbers[i])
		if codeOf(failure) != CodeOutcomeUnknown {
			t.Fatal(failure)
		}
	}
	env.setFault(nil)
	var asked string
	elicit := func(_ context.Context, question string) (Answer, error) { asked = question; return AnswerYes, nil }
	env.expectOK(env.send("second", SpendOptions{Elicit: elicit}, numbers...))
	if got := strings.Count(asked, "unknown outcome (id "); got != ledger.MaxUnsettled {
		t.Errorf("%d spends are named", got)
	}
	env.expectOK(env.send("third", SpendOptions{}, numbers[len(numbers)-1]))
	env.expectError(CodeConfirmationRequired)(env.send("third", SpendOptions{}, numbers[0]))
}
