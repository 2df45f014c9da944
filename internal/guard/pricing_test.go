package guard

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestPrice_Missing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"the balance has no cost":         `{"success":true,"data":{"balance":5000}}`,
		"the answer is empty":             `{}`,
		"the cost is 0":                   `{"data":{"balance":5000,"cost_per_sms":0}}`,
		"the cost is below 0":             `{"success":true,"data":{"balance":5000,"cost_per_sms":-35}}`,
		"balance and cost are both texts": `{"success":true,"data":{"balance":"5000","cost_per_sms":"35"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			env.setResponse("/balance", mutableBody(body))
			env.expectError(CodeBadResponse)(env.send("Hi", SpendOptions{}, phone1)).says("Nothing was sent")
			env.expectError(CodeBadResponse)(env.sendGroup("Hi", SpendOptions{}))
		})
	}
}

func TestPrice_TTL(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	reads := env.countGets("/balance")
	for i := range 3 {
		env.expectOK(env.send(fmt.Sprint("Hi ", i), SpendOptions{}, phone1))
	}
	env.advance(time.Minute - time.Nanosecond)
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	env.advance(time.Nanosecond)
	env.expectOK(env.send("Ho", SpendOptions{}, phone1))
	if reads.Load() != 2 {
		t.Errorf("the price was read %d times", reads.Load())
	}
}

// The latest balance sets the price, whichever call read it.
func TestPrice_Latest(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerCall = 500 })
	price := mutableBody(balanceBody(35))
	env.setResponse("/balance", price)
	recipients := []string{}
	for i := range 10 {
		recipients = append(recipients, fmt.Sprintf("+2567000000%d", 20+i))
	}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	price.Store(balanceBody(350))
	// With the cached price it costs UGX 350; a quote reads the price again: UGX 3,500.
	q := env.expectOK(env.send("Ho", SpendOptions{DryRun: true}, recipients...)).Quote
	if q.TotalUGX != 3500 || q.CostPerSMS != 350 {
		t.Errorf("%+v", q)
	}
	env.expectError(CodeLimitExceeded)(env.send("Ho", SpendOptions{Elicit: elicitYes}, recipients...))
	price.Store(balanceBody(35))
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if got := env.expectOK(env.send("Ho", SpendOptions{}, recipients...)); got.Quote.TotalUGX != 350 {
		t.Errorf("%+v", got.Quote)
	}
	// The price rises unseen: the limit refuses before the user is asked.
	env.options.Limits.ConfirmAbove = 0
	env.restart()
	env.expectOK(env.send("He", SpendOptions{Elicit: elicitYes}, phone1))
	price.Store(balanceBody(350))
	ask := func(context.Context, string) (Answer, error) { t.Error("the user was asked"); return AnswerYes, nil }
	env.expectError(CodeLimitExceeded)(env.send("Hu", SpendOptions{Elicit: ask}, recipients...))
}

// A quote may have a higher price than the one this process has cached, and the
// price may rise before the user answers.
func TestPrice_IncreaseChecked(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.PerCall = 500 })
	price := mutableBody(balanceBody(35))
	env.setResponse("/balance", price)
	recipients := []string{phone1, phone2, phone3, phone4}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	original := env.guard
	price.Store(balanceBody(350))
	env.restart()
	q := env.expectOK(env.send("Ho", SpendOptions{DryRun: true}, recipients...)).Quote
	env.guard = original
	env.expectError(CodeLimitExceeded)(env.send("Ho", SpendOptions{QuoteID: q.ID}, recipients...))

	price.Store(balanceBody(35))
	env.options.Limits.ConfirmAbove = 0
	env.restart()
	ask := func(context.Context, string) (Answer, error) { price.Store(balanceBody(70)); return AnswerYes, nil }
	env.expectError(CodeConfirmationRequired)(env.send("He", SpendOptions{Elicit: ask}, recipients...)).
		says("UGX 280, not the UGX 140")
}
