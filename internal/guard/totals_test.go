package guard

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// totals is what the guard shows.
func (env *testEnv) totals() Totals {
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
	if got := env.totals(); got != (Totals{}) {
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
	var during Totals
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodPost {
			during = env.totals()
		}
		pass(w)
	})
	env.expectOK(func() (*Receipt, *Error) { return env.send("runs", SpendOptions{}, phone1, phone2, phone3) })
	env.setFault(nil)

	want := Totals{
		Sends: KindTotals{
			Spent: 70, Reserved: 105, Unknown: 35, UnknownCount: 1, OldestUnknown: time.UnixMilli(lost.UnixMilli()), MaxAccountTotal: 210,
		},
		TopUps: KindTotals{Spent: 500, MaxAccountTotal: 500},
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
	want.Sends.Spent, want.Sends.MaxAccountTotal, want.TopUps = 0, 0, KindTotals{}
	if got := env.totals(); got != want {
		t.Errorf("on the next day:\n%+v, want\n%+v", got, want)
	}
	for _, s := range env.spends() {
		if s.State == StateUnknown {
			l, err := env.guard.openLedger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.ResolveSpend(t.Context(), s.ID, StateSent); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := env.totals(); got != (Totals{}) {
		t.Errorf("when it is settled: %+v", got)
	}
}

// A process that died leaves a row in progress: it is unknown once its time is
// over.
func TestTotals_AfterCrash(t *testing.T) {
	t.Parallel()
	l, err := OpenLedger(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at := newClock()
	l.Now = at.now
	intent := Intent{Account: "a", Tool: "send_sms", Targets: []string{phone1}, Recipients: 1, Units: 1, TotalUGX: 35}
	if _, err := l.Reserve(t.Context(), &intent, Policy{ConfirmOff: true, Limits: DefaultOptions().Limits}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after              time.Duration
		reserved, unknowns int64
	}{{CallTimeout - time.Second, 35, 0}, {time.Second, 0, 1}} {
		at.advance(c.after)
		got, err := l.Totals(t.Context())
		if err != nil || got.Sends.Reserved != c.reserved || got.Sends.UnknownCount != c.unknowns || got.Sends.Spent != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Who watches neither waits for a write nor reads the whole ledger.
func TestTotals_UseIndex(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.db")
	var both [2]*Ledger
	for i := range both {
		l, err := OpenLedger(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		both[i] = l
	}
	err := both[0].WithTx(t.Context(), func(context.Context, *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), LockTimeout/2)
		defer cancel()
		_, err := both[1].Totals(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	rows, err := both[0].DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+totalsQuery, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil || !strings.Contains(plan.String(), "spends_open") || !strings.Contains(plan.String(), "days_day") {
		t.Errorf("%v, plan:\n%s", err, plan.String())
	}
}
