package guard

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// totals is what the guard shows.
func (env *testEnv) totals() ledger.Totals {
	env.Helper()
	w, err := env.guard.Snapshot(context.Background())
	if err != nil {
		env.Fatal(err)
	}
	return w.Totals
}

func TestTotals(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 100_000, func(o *Options) { o.Confirm = ConfirmOff })
	if got := env.totals(); got != (ledger.Totals{}) {
		t.Errorf("of an empty ledger: %+v", got)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.send("sent", SpendOptions{}, phone1, phone2) })
	if _, failure := env.send("refused", SpendOptions{}, "+256700000502"); failure == nil || failure.Money != client.MoneyRefunded {
		t.Fatalf("%v", failure)
	}
	env.expectOK(func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{}, phone1) })
	env.advance(time.Minute)
	lost := env.now()
	if _, failure := env.send("lost", SpendOptions{}, "+256700000408"); failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatalf("%v", failure)
	}
	var during ledger.Totals
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodPost {
			during = env.totals()
		}
		pass(w)
	})
	env.expectOK(func() (*Receipt, *Error) { return env.send("runs", SpendOptions{}, phone1, phone2, phone3) })
	env.setFault(nil)

	want := ledger.Totals{
		Sends: ledger.KindTotals{
			Spent: 70, Reserved: 105, Unknown: 35, UnknownCount: 1, OldestUnknown: time.UnixMilli(lost.UnixMilli()), MaxAccountTotal: 210,
		},
		TopUps: ledger.KindTotals{Spent: 500, MaxAccountTotal: 500},
	}
	if during != want {
		t.Errorf("while one runs:\n%+v, want\n%+v", during, want)
	}
	want.Sends.Spent, want.Sends.Reserved = 175, 0
	if got := env.totals(); got != want {
		t.Errorf("when it has ended:\n%+v, want\n%+v", got, want)
	}
	// On the next day of Kampala nothing is spent, and the unknown is still there.
	env.advance(24 * time.Hour)
	want.Sends.Spent, want.Sends.MaxAccountTotal, want.TopUps = 0, 0, ledger.KindTotals{}
	if got := env.totals(); got != want {
		t.Errorf("on the next day:\n%+v, want\n%+v", got, want)
	}
	for _, s := range env.spends() {
		if s.State == ledger.StateUnknown {
			l, err := env.guard.openLedger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Resolve(t.Context(), s.ID, ledger.StateSent); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := env.totals(); got != (ledger.Totals{}) {
		t.Errorf("when it is settled: %+v", got)
	}
}
