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

// watch is what the guard shows.
func (r *rig) watch() Totals {
	r.Helper()
	w, err := r.guard.Watch(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	return w.Totals
}

func TestTotalsAreWhatHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t, 100_000, func(o *Options) { o.Confirm = Off })
	if got := r.watch(); got != (Totals{}) {
		t.Errorf("of an empty ledger: %+v", got)
	}
	r.works(func() (*Receipt, *Error) { return r.send("sent", How{}, one, two) })
	if _, failure := r.send("refused", How{}, "+256700000502"); failure == nil || failure.Money != client.Refunded {
		t.Fatalf("%v", failure)
	}
	r.works(func() (*Receipt, *Error) { return r.topUp(500, How{}, one) })
	r.pass(time.Minute)
	lost := r.now()
	if _, failure := r.send("lost", How{}, "+256700000408"); failure == nil || failure.Code != OutcomeUnknown {
		t.Fatalf("%v", failure)
	}
	var during Totals
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodPost {
			during = r.watch()
		}
		pass(w)
	})
	r.works(func() (*Receipt, *Error) { return r.send("runs", How{}, one, two, six) })
	r.faulty(nil)

	want := Totals{
		Sends: KindTotals{
			Spent: 70, Reserved: 105, Unknown: 35, Unknowns: 1, Oldest: time.UnixMilli(lost.UnixMilli()), Most: 210,
		},
		TopUps: KindTotals{Spent: 500, Most: 500},
	}
	if during != want {
		t.Errorf("while one runs:\n%+v, want\n%+v", during, want)
	}
	want.Sends.Spent, want.Sends.Reserved = 175, 0
	if got := r.watch(); got != want {
		t.Errorf("when it has ended:\n%+v, want\n%+v", got, want)
	}
	// On the next day of Kampala nothing is spent, and the unknown is still there.
	r.pass(24 * time.Hour)
	want.Sends.Spent, want.Sends.Most, want.TopUps = 0, 0, KindTotals{}
	if got := r.watch(); got != want {
		t.Errorf("on the next day:\n%+v, want\n%+v", got, want)
	}
	for _, s := range r.spends() {
		if s.State == unknown {
			l, err := r.guard.ledger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Resolve(t.Context(), s.ID, sent); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := r.watch(); got != (Totals{}) {
		t.Errorf("when it is settled: %+v", got)
	}
}

// A process that died leaves a row in progress: it is unknown once its time is
// over.
func TestTotalsCountWhatACrashLeft(t *testing.T) {
	t.Parallel()
	l, err := OpenLedger(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at := newClock()
	l.now = at.now
	in := intent{account: "a", tool: "send_sms", targets: []string{one}, recipients: 1, units: 1, total: 35}
	if _, err := l.admit(t.Context(), &in, terms{unasked: true, limits: Defaults().Limits}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after              time.Duration
		reserved, unknowns int64
	}{{callTime - time.Second, 35, 0}, {time.Second, 0, 1}} {
		at.pass(c.after)
		got, err := l.Totals(t.Context())
		if err != nil || got.Sends.Reserved != c.reserved || got.Sends.Unknowns != c.unknowns || got.Sends.Spent != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Who watches neither waits for a write nor reads the whole ledger.
func TestTotalsAreCheap(t *testing.T) {
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
	err := both[0].tx(t.Context(), func(context.Context, *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), lockWait/2)
		defer cancel()
		_, err := both[1].Totals(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	rows, err := both[0].db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+sums, 1, 1, 1)
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
