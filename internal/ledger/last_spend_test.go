package ledger

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Emptied tables are noticed, by the process that sent and by one that starts.
func TestLastSpend_TablesEmptied(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, tables := range [][]string{{"spends", "spend_targets", "daily_totals"}, {"spends"}, {"spend_targets"}, {"daily_totals"}} {
		t.Run(strings.Join(tables, " "), func(t *testing.T) {
			t.Parallel()
			source := ledgertest.NewSource(t)
			first := openTestLedger(t, source, Options{})
			p := Policy{Limits: testLimits, DuplicateWindow: testLimits.DuplicateWindow}
			other := testIntent("Hi")
			other.Account = "base other"
			if d, err := first.Reserve(ctx, testIntent("Hi"), p); err != nil || d.Verdict != Reserved {
				t.Fatalf("%+v, %v", d, err)
			}
			second := openTestLedger(t, source, Options{})
			if d, err := second.Reserve(ctx, testIntent("Ho"), p); err != nil || d.Verdict != Reserved {
				t.Fatalf("%+v, %v", d, err)
			}
			db := ledgertest.OpenDB(t, source)
			for _, table := range tables {
				statement := "DELETE FROM " + table
				if ledgertest.UsingPostgres() {
					statement = "TRUNCATE " + table + " RESTART IDENTITY"
				}
				if _, err := db.ExecContext(ctx, statement); err != nil {
					t.Fatal(err)
				}
			}
			for name, l := range map[string]*Ledger{"the same": first, "the other": second, "a new": openTestLedger(t, source, Options{})} {
				if d, err := l.Reserve(ctx, testIntent("He"), p); err == nil || !strings.Contains(err.Error(), "were emptied") {
					t.Errorf("%s process: %+v, %v", name, d, err)
				}
			}
			// An account that has sent nothing has lost nothing.
			if d, err := first.Reserve(ctx, other, p); err != nil || d.Verdict != Reserved {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// Pruned rows do not look like emptied tables, even if the clock changes.
func TestLastSpend_Pruned(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	clock := newTestClock()
	source := ledgertest.NewSource(t)
	l := openTestLedger(t, source, Options{Clock: clock.now})
	p := Policy{Limits: testLimits, DuplicateWindow: testLimits.DuplicateWindow}
	send := func(message string) {
		t.Helper()
		d, err := l.Reserve(ctx, testIntent(message), p)
		if err != nil || d.Verdict != Reserved {
			t.Fatalf("%s: %+v, %v", message, d, err)
		}
		if err := l.RecordOutcome(ctx, d.Spend, StateSent, ""); err != nil {
			t.Fatal(err)
		}
	}
	send("Hi")
	clock.advance(retention - time.Second)
	openTestLedger(t, source, Options{Clock: clock.now}) // prunes
	send("Ho")
	clock.advance(retention + time.Hour)
	openTestLedger(t, source, Options{Clock: clock.now})
	l.nextPrune.Store(0)
	l.pruneInBackground()
	clock.advance(-2 * retention)
	send("He")
	clock.advance(retention + 25*time.Hour)
	send("Hu")
	var notes int
	row := ledgertest.OpenDB(t, source).QueryRow(`SELECT count(*) FROM meta WHERE name LIKE 'last %'`)
	if err := row.Scan(&notes); err != nil || notes != 1 {
		t.Errorf("%d notes, %v", notes, err)
	}
}
