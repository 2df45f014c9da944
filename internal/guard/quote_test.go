package guard

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestDryRun(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	dryRun := SpendOptions{DryRun: true}
	q := env.expectOK(env.send("Hello “you”", dryRun, "0700 000 010, 256700000010", "12", "0700000011")).Quote
	if q.ID != "" || q.Recipients != 2 || !slices.Equal(q.RecipientNumbers, []string{phone1, phone2}) ||
		len(q.Rejected) != 1 || q.Rejected[0] != (RejectedNumber{"12", 3, "has too few digits"}) ||
		q.Length != 11 || q.Units != 1 || q.CostPerSMS != 35 || q.TotalUGX != 70 ||
		q.BalanceUGX != 5000 || *q.BalanceAfterUGX != 4930 ||
		q.Carrier.Encoding != "UCS-2" || len(q.Carrier.NonGSMChars) != 2 {
		t.Errorf("%+v", q)
	}
	q = env.expectOK(env.send("Hi", dryRun, phone1)).Quote
	if len(q.ID) < 26 || !q.ExpiresAt.Equal(env.now().Add(10*time.Minute)) {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(env.sendGroup("Hi", dryRun)).Quote; q.Recipients != 2 || q.TotalUGX != 70 || len(q.Notes) != 1 {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(env.topUp(700, dryRun, phone1)).Quote; q.TotalUGX != 700 || *q.BalanceAfterUGX != 5700 {
		t.Errorf("%+v", q)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("+2567000000%02d", i))
	}
	if q = env.expectOK(env.send("Hi", dryRun, many...)).Quote; q.Recipients != 60 || len(q.RecipientNumbers) != 50 {
		t.Errorf("%+v", q)
	}
	q = env.expectOK(env.send(strings.Repeat("a", 1600), dryRun, many[:20]...)).Quote
	if *q.BalanceAfterUGX >= 0 || len(q.Notes) != 1 {
		t.Errorf("no note says that the balance is too small: %+v", q)
	}
	if env.requestCount() != 0 || len(env.states()) != 0 {
		t.Errorf("%d requests, rows %v", env.requestCount(), env.states())
	}
}

func TestQuote_GroupGrew(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
	q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
	_, err := env.directClient.AddContacts(t.Context(), client.AddContactsRequest{
		WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: phone3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	env.expectError(CodeConfirmationRequired)(env.sendGroup("Hi", SpendOptions{QuoteID: q.ID})).
		says("3 recipients, not the 2 of the quote")
}

// A quote that a call came with is void after the call, even if the user was asked
// about another quote.
func TestQuote_VoidedAfterUse(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(presented, asked string) SpendOptions{
		"the user says no at once": func(p, _ string) SpendOptions { return SpendOptions{QuoteID: p, Elicit: elicitNo} },
		"the user says no later": func(p, a string) SpendOptions {
			return SpendOptions{QuoteID: a, ArgumentQuoteID: p, Answer: AnswerNo, InputRequired: true}
		},
		"the user says yes at once": func(p, _ string) SpendOptions { return SpendOptions{QuoteID: p, Elicit: elicitYes} },
		"the user says yes later": func(p, a string) SpendOptions {
			return SpendOptions{QuoteID: a, ArgumentQuoteID: p, Answer: AnswerYes, InputRequired: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, time.Second })
			q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote
			asked := ""
			if strings.Contains(name, "later") {
				later := SpendOptions{QuoteID: q.ID, InputRequired: true}
				asked = env.expectError(CodeConfirmationRequired)(env.send("Hi", later, phone1)).Quote.ID
			}
			_, _ = env.send("Hi", how(q.ID, asked), phone1)
			if sent := env.requestCount() == 1; sent != strings.Contains(name, "yes") {
				t.Fatalf("%d requests", env.requestCount())
			}
			env.advance(2 * time.Second)
			env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1))
		})
	}
}

// A quote may name more spends than the call repeats by the time it is used.
func TestQuote_SupersetOfDuplicates(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 100_000 })
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	env.advance(5 * time.Minute)
	env.expectOK(env.send("Hi", SpendOptions{}, phone2))
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, phone1, phone2)).Quote
	env.advance(6 * time.Minute) // the first is outside the window now
	env.expectOK(env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: q.ID}, phone1, phone2))
}
