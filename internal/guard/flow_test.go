package guard

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Calls that are cancelled at any moment leave the ledger and the charges equal.
func TestCancel_LedgerConsistent(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) {
		o.Confirm = ConfirmOff
		if !ledgertest.UsingPostgres() {
			// In memory the ledger lives in one connection, which a cancelled call must not end.
			o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
				return ledger.Open(ctx, "", o)
			}
		}
	})
	env.expectOK(env.send("kept", SpendOptions{}, phone1))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			_, err := env.guard.Send(ctx, sendRequest(fmt.Sprint("Hi ", i), phone1), SpendOptions{})
			if failure := env.asGuardError(err); failure != nil && failure.Code != CodeUnreachable {
				t.Error(failure)
			}
		})
	}
	wg.Wait()
	env.expectError(CodeDuplicateSend)(env.send("kept", SpendOptions{}, phone1))
	_, charged := env.charges(t)
	if got := len(charged); got != env.requestCount() || env.countState(ledger.StateSent) != got {
		t.Errorf("%d charges, %d requests, %v", got, env.requestCount(), env.states())
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 100_000, func(o *Options) { o.Confirm = ConfirmOff })
	if got := env.totals(); got != (ledger.Totals{}) {
		t.Errorf("empty ledger: %+v", got)
	}
	env.expectOK(env.send("sent", SpendOptions{}, phone1, phone2))
	_, failure := env.send("refused", SpendOptions{}, phoneRefunded)
	if failure == nil || failure.Money != client.MoneyRefunded {
		t.Fatalf("%v", failure)
	}
	env.expectOK(env.topUp(500, SpendOptions{}, phone1))
	env.advance(time.Minute)
	lost := env.now()
	if _, failure := env.send("lost", SpendOptions{}, phoneUnknown); failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatalf("%v", failure)
	}
	var during ledger.Totals
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodPost {
			during = env.totals()
		}
		pass(w)
	})
	env.expectOK(env.send("runs", SpendOptions{}, phone1, phone2, phone3))
	env.setFault(nil)

	want := ledger.Totals{
		Sends: ledger.KindTotals{
			Spent: 70, Reserved: 105, Unknown: 35, UnknownCount: 1,
			OldestUnknown: time.UnixMilli(lost.UnixMilli()), MaxAccountTotal: 210,
		},
		TopUps: ledger.KindTotals{Spent: 500, MaxAccountTotal: 500},
	}
	if during != want {
		t.Errorf("while a send runs:\n%+v, want\n%+v", during, want)
	}
	want.Sends.Spent, want.Sends.Reserved = 175, 0
	if got := env.totals(); got != want {
		t.Errorf("after the send:\n%+v, want\n%+v", got, want)
	}
	// On the next day in Kampala nothing is spent; the unknown outcome is still open.
	env.advance(24 * time.Hour)
	want.Sends.Spent, want.Sends.MaxAccountTotal, want.TopUps = 0, 0, ledger.KindTotals{}
	if got := env.totals(); got != want {
		t.Errorf("on the next day:\n%+v, want\n%+v", got, want)
	}
	for _, s := range env.spends() {
		if s.State == ledger.StateUnknown {
			if err := env.guard.opened().Resolve(t.Context(), s.ID, ledger.StateSent); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := env.totals(); got != (ledger.Totals{}) {
		t.Errorf("after it is settled: %+v", got)
	}
}

// totals are the totals in the guard's snapshot.
func (env *testEnv) totals() ledger.Totals {
	env.Helper()
	w, err := env.guard.Snapshot(context.Background())
	if err != nil {
		env.Fatal(err)
	}
	return w.Totals
}
