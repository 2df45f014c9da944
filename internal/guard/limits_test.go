package guard

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// withLimits are options without confirmation and with other limits.
func withLimits(change func(*Limits)) func(*Options) {
	return func(o *Options) {
		o.Confirm = ConfirmOff
		change(&o.Limits)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	t.Run("one call", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, withLimits(func(l *Limits) { l.PerCall = 70 }))
		env.expectOK(env.send("Hi", SpendOptions{}, phone1, phone2))
		env.expectError(CodeLimitExceeded)(env.send("Ho", SpendOptions{}, phone1, phone2, phone3)).
			says("UGX 105", "WESENDALL_MAX_PER_CALL", "operator")
		// The user's agreement lifts no limit.
		agreed := SpendOptions{Elicit: elicitYes, AllowDuplicate: true}
		env.expectError(CodeLimitExceeded)(env.send("Ho", agreed, phone1, phone2, phone3))
	})
	t.Run("one day in Kampala", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, withLimits(func(l *Limits) { l.PerDay = 105 }))
		env.set("2026-11-24T20:59:58Z") // two seconds before midnight
		if remaining := env.expectOK(env.send("a", SpendOptions{}, phone1, phone2)).BudgetRemaining; remaining != 35 {
			t.Errorf("UGX %d are left", remaining)
		}
		env.expectError(CodeLimitExceeded)(env.send("b", SpendOptions{}, phone1, phone2)).
			says("UGX 35 are left", "WESENDALL_MAX_PER_DAY")
		env.expectOK(env.send("b", SpendOptions{}, phone1))
		env.restart()
		env.expectError(CodeLimitExceeded)(env.send("c", SpendOptions{}, phone1))
		env.set("2026-11-24T21:00:00Z")
		env.expectOK(env.send("c", SpendOptions{}, phone1))
	})
	t.Run("top-ups", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, withLimits(func(l *Limits) { l.TopUp, l.PerDay, l.PerCall = 1500, 0, 0 }))
		env.expectOK(env.topUp(1000, SpendOptions{}, phone1))
		env.expectError(CodeLimitExceeded)(env.topUp(1501, SpendOptions{}, phone2))
		env.expectError(CodeLimitExceeded)(env.topUp(501, SpendOptions{}, phone2)).
			says("UGX 500 are left", "WESENDALL_MAX_TOPUP")
		env.expectOK(env.topUp(500, SpendOptions{}, phone2))
	})
	t.Run("recipients", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, withLimits(func(l *Limits) { l.Recipients = 1 }))
		env.expectOK(env.send("Hi", SpendOptions{}, phone1, "0700 000 010"))
		env.expectError(CodeLimitExceeded)(env.send("Ho", SpendOptions{}, phone1, phone2))
		env.expectError(CodeLimitExceeded)(env.sendGroup("Ho", SpendOptions{}))
	})
}

func TestLimits_Countries(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Countries = ConfirmOff, []string{"256", "254"} })
	env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, "+254700000001"))
	failure := env.expectError(CodeDestinationNotAllowed)(env.send("Hi", SpendOptions{}, phone1, "+16502530000"))
	failure.says("+16502530000", "WESENDALL_ALLOWED_COUNTRIES")
	if strings.Contains(failure.Message, phone1) {
		t.Errorf("an allowed number is refused: %s", failure.Message)
	}
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1, "+16502530000")).Quote
	if q.ID != "" || q.Recipients != 1 || len(q.Rejected) != 1 || q.Rejected[0].Input != "+16502530000" ||
		!strings.Contains(q.Rejected[0].Reason, "WESENDALL_ALLOWED_COUNTRIES") {
		t.Errorf("%+v", q)
	}
	env.expectError(CodeDestinationNotAllowed)(env.topUp(500, SpendOptions{}, "+16502530000"))
	addContact := func() (*Receipt, *Error) {
		_, err := env.guard.AddContacts(t.Context(), client.AddContactsRequest{
			WalletID: sandbox.WalletID, GroupID: sandbox.GroupID, Contacts: []client.Contact{{Phone: "+16502530000"}},
		})
		return nil, env.asGuardError(err)
	}
	env.expectError(CodeDestinationNotAllowed)(addContact())
}

func TestBudget_Release(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 35 })
	_, failure := env.send("Hi", SpendOptions{}, phoneRefunded)
	if failure == nil || failure.Code != "send_failed" {
		t.Fatal(failure)
	}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateFailed, ledger.StateSent}) {
		t.Error(got)
	}

	env = newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 35 })
	_, failure = env.send("Hi", SpendOptions{}, phoneUnknown)
	if failure == nil || failure.Code != CodeOutcomeUnknown || failure.Money != client.MoneyUnknown {
		t.Fatal(failure)
	}
	env.expectError(CodeLimitExceeded)(env.send("Hi", SpendOptions{}, phone1))
	if got := env.states(); !slices.Equal(got, []ledger.State{"unknown"}) {
		t.Error(got)
	}
	l, err := env.guard.openLedger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spends, err := l.List(t.Context(), env.now())
	if err != nil || len(spends) != 1 {
		t.Fatalf("%v, %v", spends, err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, "maybe"); err == nil {
		t.Error("a state that is no outcome was accepted")
	}
	if err := l.Resolve(t.Context(), "nope", ledger.StateFailed); err == nil ||
		!strings.Contains(err.Error(), `no spend "nope"`) || strings.Contains(err.Error(), "known") {
		t.Error(err)
	}
	if err := l.Resolve(t.Context(), spends[0].ID, ledger.StateFailed); err != nil {
		t.Error(err)
	}
	err = l.Resolve(t.Context(), spends[0].ID, ledger.StateSent)
	if err == nil || !strings.Contains(err.Error(), "is known: failed") {
		t.Error(err)
	}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
}

// A failure releases what was reserved, even if the quote was more expensive.
func TestBudget_ReleaseOnFailure(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmByQuote, 700 })
	price := mutableBody(balanceBody(70))
	env.setResponse("/balance", price)
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phoneRefunded)).Quote
	price.Store(balanceBody(35))
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Fatal(err)
	}
	if _, failure := env.send("Hi", SpendOptions{QuoteID: q.ID}, phoneRefunded); codeOf(failure) != "send_failed" {
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
	env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{QuoteID: q.ID}, phoneRefunded)).
		says("failed without a charge")
}

func TestUnlimited(t *testing.T) {
	t.Parallel()
	l := Unlimited()
	for _, n := range []int64{l.PerCall, l.PerDay, l.TopUp, l.ConfirmAbove, int64(l.Recipients) << 22} {
		if n < 1<<50 || n > math.MaxInt64/2 { // or sums would overflow
			t.Errorf("%+v", l)
		}
	}
}
