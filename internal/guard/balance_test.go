package guard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// What a balance says about another wallet, another currency or an impossible price
// is for get_balance to show, and for no spend to use.
func TestBalance_Refused(t *testing.T) {
	t.Parallel()
	const rest = `"balance":5000,"cost_per_sms":35`
	for name, c := range map[string]struct{ data, says string }{
		"another wallet":             {`{"wallet_id":"wal_other",` + rest + `}`, `"wal_other"`},
		"another spelling":           {`{"wallet_id":"WAL_SANDBOX",` + rest + `}`, `"WAL_SANDBOX"`},
		"a wallet with a space":      {`{"wallet_id":"wal_sandbox ",` + rest + `}`, `"wal_sandbox "`},
		"an empty wallet":            {`{"wallet_id":"",` + rest + `}`, `""`},
		"a wallet that is a number":  {`{"wallet_id":7,` + rest + `}`, `"7"`},
		"a wallet that is an object": {`{"wallet_id":{"id":"wal_sandbox"},` + rest + `}`, "is about the wallet"},
		"dollars":                    {`{"currency":"USD",` + rest + `}`, `"USD"`},
		"an empty currency":          {`{"currency":"",` + rest + `}`, "currency"},
		"a currency that is a list":  {`{"currency":["UGX"],` + rest + `}`, "currency"},
		"a price of 0.01":            {`{"balance":5000,"cost_per_sms":0.01}`, "UGX 0.01"},
		"a price of 1e-7":            {`{"balance":5000,"cost_per_sms":1e-7}`, "UGX 1e-07"},
		"a price just below 1":       {`{"balance":5000,"cost_per_sms":0.999}`, "UGX 0.999"},
		"a price above 10,000":       {`{"balance":5000,"cost_per_sms":10000.5}`, "not believed"},
		"a huge price":               {`{"balance":5000,"cost_per_sms":1e308}`, "not believed"},
		"a price in another case":    {`{"balance":5000,"Cost_Per_SMS":35}`, "does not say what a unit costs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			env.setResponse("/balance", mutableBody(`{"success":true,"data":`+c.data+`}`))
			for _, opts := range []SpendOptions{{}, {DryRun: true}, {Elicit: elicitYes}} {
				env.expectError(CodeBadResponse)(env.send("Hi", opts, phone1)).says("Nothing was sent", c.says)
				env.expectError(CodeBadResponse)(env.sendGroup("Hi", opts)).says(c.says)
				env.expectError(CodeBadResponse)(env.topUp(500, opts, phone1)).says(c.says)
			}
			env.options.Confirm = ConfirmOff // when no question needs the balance
			env.restart()
			env.expectError(CodeBadResponse)(env.topUp(500, SpendOptions{}, phone1)).says(c.says)
			env.expectReadsWork()
			if n := len(env.spends()); n != 0 {
				t.Errorf("%d spends are stored", n)
			}
		})
	}
}

func TestBalance_Accepted(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"balance":5000,"cost_per_sms":1}`, `{"balance":50000,"cost_per_sms":1000}`,
		`{"balance":5000,"cost_per_sms":35,"wallet_id":null,"currency":null}`,
		`{"balance":5000,"cost_per_sms":35,"wallet_id":"wal_sandbox","currency":"ugx"}`,
	} {
		env := newTestEnv(t, 5000, nil)
		env.setResponse("/balance", mutableBody(`{"success":true,"data":`+data+`}`))
		env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	}
}

// The upstream may answer for another wallet at any later time.
func TestBalance_ChangesWallet(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	body := mutableBody(balanceBody(35))
	env.setResponse("/balance", body)
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	body.Store(`{"success":true,"data":{"wallet_id":"wal_other","balance":5000,"cost_per_sms":35}}`)
	if _, err := env.guard.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err != nil {
		t.Error("reading the balance failed: ", err)
	}
	env.expectError(CodeBadResponse)(env.send("Ho", SpendOptions{}, phone1)).says(`"wal_other"`)
}

// The price expires after a minute; the proof of access after ten.
func TestBalance_OwnLifetimes(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, nil)
	a, _, _ := env.newCallers()
	reads := env.countGets("/balance")
	expectReads := func(want int64, after string) {
		t.Helper()
		if got := reads.Load(); got != want {
			t.Errorf("after %s the balance was read %d times, not %d", after, got, want)
		}
	}
	prove := func() {
		t.Helper()
		if err := a.boundGuard().checkWalletAccess(t.Context(), a.wallet); err != nil {
			t.Error(err)
		}
	}
	env.expectOK(a.send("Hi", SpendOptions{}, phone1))
	expectReads(1, "the first send")
	env.advance(accessTTL - time.Nanosecond)
	prove()
	expectReads(1, "10 minutes less a nanosecond, when the proof is still valid")
	env.expectOK(a.send("Ho", SpendOptions{}, phone1))
	expectReads(2, "a send without a price")
	env.advance(accessTTL)
	prove()
	expectReads(3, "10 minutes")
	env.advance(-time.Hour)
	prove()
	expectReads(4, "a step back of the clock")
	env.setFault(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		w.WriteHeader(http.StatusForbidden)
	})
	env.advance(priceTTL)
	if _, failure := a.send("He", SpendOptions{}, phone1); failure == nil {
		t.Error("sent with a key that is refused")
	}
	if err := a.boundGuard().checkWalletAccess(t.Context(), a.wallet); err == nil {
		t.Error("the proof outlives a refusal")
	}
}

// Without a price nothing is sent, also when it was known a minute ago.
func TestPrice_Unreadable(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, 0} { // 0 is no answer
		env := newTestEnv(t, 5000, nil)
		env.expectOK(env.send("Hi", SpendOptions{}, phone1))
		env.advance(time.Minute)
		env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
			switch {
			case !strings.HasSuffix(r.URL.Path, "/balance"):
				pass(w)
			case status == 0:
				panic(http.ErrAbortHandler)
			default:
				w.WriteHeader(status)
			}
		})
		before := env.requestCount()
		for _, opts := range []SpendOptions{{}, {DryRun: true}, {Elicit: elicitYes}} {
			_, failure := env.send("Ho", opts, phone1)
			if failure == nil || failure.Money != client.MoneyNotCharged ||
				!strings.Contains(failure.Message, "the price could not be read") {
				t.Errorf("%d: %v", status, failure)
			}
		}
		if env.requestCount() != before {
			t.Errorf("%d: a request was sent", status)
		}
	}
}

// answerSends has the upstream answer sends with a body instead of its own.
func (env *testEnv) answerSends(body *atomic.Value) {
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodPost && body.Load().(string) != "" {
			_, _ = w.Write([]byte(body.Load().(string)))
			return
		}
		pass(w)
	})
}

func TestReportedCost_Raises(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"total_cost":             `{"success":true,"data":{"total_cost":3500}}`,
		"cost":                   `{"success":true,"data":{"cost":3500}}`,
		"totalCost":              `{"success":true,"data":{"totalCost":3500}}`,
		"the higher of two":      `{"success":true,"data":{"cost":35,"total_cost":3500}}`,
		"a text":                 `{"success":true,"data":{"total_cost":"3500.00"}}`,
		"with a comma":           `{"success":true,"data":{"cost":"3,500"}}`,
		"with the currency":      `{"success":true,"data":{"cost":"UGX 3500"}}`,
		"with both":              `{"success":true,"data":{"totalCost":"UGX 3,500.00"}}`,
		"with the currency last": `{"success":true,"data":{"cost":"3,500 UGX"}}`,
		"as it is written here":  `{"success":true,"data":{"cost":"3,500/="}}`,
		"an amount":              `{"success":true,"data":{"cost":{"amount":3500}}}`,
		"an amount in UGX":       `{"success":true,"data":{"cost":{"amount":"3,500","currency":"UGX"}}}`,
		"totalCharged":           `{"success":true,"data":{"totalCharged":3500}}`,
		"amount_charged":         `{"success":true,"data":{"amount_charged":3500}}`,
		"charges":                `{"success":true,"data":{"charges":3500}}`,
		"total":                  `{"success":true,"data":{"total":3500}}`,
		"total_ugx":              `{"success":true,"data":{"total_ugx":3500}}`,
		"totalPrice":             `{"success":true,"data":{"totalPrice":3500}}`,
		"TOTALCOST":              `{"success":true,"data":{"TOTALCOST":3500}}`,
		"a fraction, rounded up": `{"success":true,"data":{"total_cost":3499.2}}`,
		"in an object":           `{"success":true,"data":{"batch":{"total_cost":3500}}}`,
		"beside the data":        `{"success":true,"data":{},"cost":3500}`,
		"without an envelope":    `{"id":"x","cost":3500}`,
		"one for each recipient": `{"success":true,"data":{"messages":[{"cost":1750},{"cost":1750}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 50_000, nil)
			env.answerSends(mutableBody(body))
			got := env.expectOK(env.send("Hi", SpendOptions{}, phone1, phone2))
			if got.Quote.TotalUGX != 3500 || !strings.Contains(got.CostNote, "UGX 3,500") ||
				!strings.Contains(got.CostNote, "UGX 70") {
				t.Errorf("%d %q", got.Quote.TotalUGX, got.CostNote)
			}
			if want := env.options.Limits.PerDay - 3500; got.BudgetRemaining != want {
				t.Errorf("UGX %d are left, not %d", got.BudgetRemaining, want)
			}
			spend := env.spends()[0]
			if spend.TotalUGX != 3500 || env.reservedTotal() != 3500 {
				t.Errorf("booked UGX %d, and UGX %d of the day", spend.TotalUGX, env.reservedTotal())
			}
		})
	}
}

func TestReportedCost_NeverLowers(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"total_cost":1}`, `{"cost":0}`, `{"cost":-5000}`, `{"cost":null}`, `{"cost":"free"}`, `{"cost":"9e9"}`,
		`{"cost":1e300}`, `{"cost":[]}`, `{"cost_per_sms":3500}`, `{"unit_cost":3500}`, `{"balance":3500}`,
		`{"cost_balance":3500}`, `{"balance_after_charge":3500}`, `{"unitPrice":3500}`, `{"pricePerUnit":3500}`, `{"costEach":3500}`,
		`{"charged_at":1767000000}`, `{"chargeId":3500}`, `{"total_contacts":3500}`, `{"totalSent":3500}`, `{"total_cost_today":3500}`,
		`{"cost":{"amount":3500,"currency":"USD"}}`, `{"cost":{"per_unit_amount":3500}}`, `{"cost":"3,50"}`, `{"cost":"about 3500"}`,
		`{"cost":"USD 3500"}`, `{"amount":3500}`, `{"id":"3500"}`,
		`{"messages":[{"cost":3500},{"cost":1},{"cost":1}]}`, `[]`, `{}`,
	} {
		env := newTestEnv(t, 50_000, nil)
		env.expectOK(env.send("Hi", SpendOptions{}, phone1))
		env.answerSends(mutableBody(`{"success":true,"data":` + data + `}`))
		got := env.expectOK(env.send("Ho", SpendOptions{}, phone1, phone2))
		if got.Quote.TotalUGX != 70 || got.CostNote != "" || env.reservedTotal() != 105 {
			t.Errorf("%s: UGX %d, %q, UGX %d of the day", data, got.Quote.TotalUGX, got.CostNote, env.reservedTotal())
		}
		reads := env.countGets("/balance")
		if env.expectOK(env.send("He", SpendOptions{}, phone1)); reads.Load() != 0 {
			t.Errorf("%s: the price was read again", data)
		}
	}
	env := newTestEnv(t, 50_000, nil) // a request for money has no cost
	env.answerSends(mutableBody(`{"success":true,"data":{"cost":9000}}`))
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	if env.reservedTotal() != 500 {
		t.Errorf("a top-up booked UGX %d", env.reservedTotal())
	}
}

// The price rises a hundredfold while it is kept: the first answer tells, the
// budget counts it, and the next send knows the new price.
func TestReportedCost_PriceRose(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Limits.PerDay = 7000 })
	a, _, _ := env.newCallers()
	limits := Unlimited()
	limits.PerDay = 100_000
	a.limits = &limits
	price, answer := mutableBody(balanceBody(35)), mutableBody("")
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/balance"):
			_, _ = w.Write([]byte(price.Load().(string)))
		case r.Method == http.MethodPost && answer.Load().(string) != "":
			_, _ = w.Write([]byte(answer.Load().(string)))
		default:
			pass(w)
		}
	})
	env.expectOK(a.send("Hi", SpendOptions{}, phone1))
	price.Store(balanceBody(3500))
	answer.Store(`{"success":true,"data":{"total_cost":3500}}`)
	if got := env.expectOK(a.send("Ho", SpendOptions{}, phone1)); got.Quote.TotalUGX != 3500 || got.CostNote == "" {
		t.Errorf("%+v", got)
	}
	// 35 + 3,500 of 7,000 are spent; another at the new price is too much, and asks nobody.
	ask := func(context.Context, string) (Answer, error) { t.Error("the user was asked"); return AnswerYes, nil }
	env.expectError(CodeLimitExceeded)(a.send("He", SpendOptions{Elicit: ask}, phone1)).says("3,500", "3,465")
	var ofCaller int64
	err := env.db().QueryRow(`SELECT total FROM daily_totals WHERE kind = 'send a'`).Scan(&ofCaller)
	if err != nil || ofCaller != 3535 {
		t.Errorf("the caller's own budget has UGX %d: %v", ofCaller, err)
	}
	if got := fmt.Sprint(env.states()); got != "[sent sent]" {
		t.Error(got)
	}
}
