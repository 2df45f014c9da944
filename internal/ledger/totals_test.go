package ledger

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A spend of a process that crashed is in progress until its deadline, and then unknown.
func TestSum_AfterCrash(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now})
	mustReserve(t, l, testIntent("Hi"), Policy{ConfirmOff: true, Limits: testLimits})
	for _, c := range []struct {
		after             time.Duration
		reserved, unknown int64
	}{{CallTimeout - time.Second, 35, 0}, {time.Second, 0, 1}} {
		clock.advance(c.after)
		got, err := l.Sum(t.Context())
		if err != nil || got.Sends.Reserved != c.reserved || got.Sends.UnknownCount != c.unknown || got.Sends.Spent != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Sum waits for no write, and uses indexes instead of reading the whole ledger.
func TestSum_UseIndex(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	file := ledgertest.NewSource(t)
	l, other := openTestLedger(t, file, Options{}), openTestLedger(t, file, Options{})
	err := l.withTx(t.Context(), func(context.Context, *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), lockTimeout/2)
		defer cancel()
		_, err := other.Sum(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	plan := queryPlan(t, l, totalsQuery, 1, 1, 1)
	if !strings.Contains(plan, "spends_open") || !strings.Contains(plan, "daily_totals_day") {
		t.Errorf("plan:\n%s", plan)
	}
}

// queryPlan tells how SQLite runs a query.
func queryPlan(t *testing.T, l *Ledger, query string, args ...any) string {
	t.Helper()
	rows, err := l.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
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
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
