package guard

import (
	"encoding/json"
	"testing"
)

// A receipt tells how the spend was confirmed, in every mode.
func TestReceipt_Confirmed(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 100_000, nil)
	for want, receipt := range map[Confirmed]*Receipt{
		ConfirmedNotDue: env.expectOK(env.send("one", SpendOptions{}, phone1)),
		ConfirmedByUser: env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1)),
		ConfirmedByQuote: env.expectOK(env.send("two",
			SpendOptions{QuoteID: env.expectOK(env.send("two", SpendOptions{DryRun: true}, phone1)).Quote.ID}, phone1)),
	} {
		if receipt.Confirmed != want {
			t.Errorf("%s, want %s", receipt.Confirmed, want)
		}
	}
	quote := env.expectError(CodeConfirmationRequired)(env.topUp(600, SpendOptions{InputRequired: true}, phone2)).Quote
	receipt := env.expectOK(env.topUp(600, SpendOptions{InputRequired: true, QuoteID: quote.ID, Answer: AnswerYes}, phone2))
	if receipt.Confirmed != ConfirmedByUser {
		t.Error(receipt.Confirmed)
	}
}

// The balance of an answer is only shown: any shape but a plain number is not known.
func TestReceipt_ReportedBalance(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]int64{
		`{"balance":4965}`: 4965, `{"balance":4965.5}`: 4965, `{"balance":0}`: 0, `{"balance":"4965"}`: -1,
		`{"balance":-1}`: -1, `{"balance":null}`: -1, `{"balance":1e300}`: -1, `[]`: -1, `{"Balance":1}`: -1,
	} {
		got := int64(-1)
		if reported := reportedBalance(json.RawMessage(data)); reported != nil {
			got = *reported
		}
		if got != want {
			t.Errorf("%s: %d, want %d", data, got, want)
		}
	}
	env := newTestEnv(t, 5000, nil)
	if got := env.expectOK(env.send("one", SpendOptions{}, phone1)).ReportedBalanceUGX; got == nil || *got != 4965 {
		t.Error(got)
	}
}
