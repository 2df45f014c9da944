package ledger

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Old spends are deleted in batches; one with an unknown outcome never is.
func TestPrune(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	var background sync.WaitGroup
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Background: &background})
	unknown := mustReserve(t, l, testIntent("Hi"), Policy{Limits: testLimits})
	if err := l.RecordOutcome(t.Context(), unknown.Spend, StateUnknown, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.db.ExecContext(t.Context(), `WITH RECURSIVE
		old(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM old WHERE value < 2500)
		INSERT INTO spends (id, account, caller, tool, kind, dedup_hash, arguments_hash,
			recipients, units, total, state, confirmed,
			user_asked, created_ms, deadline_ms, kampala_day, attempt_id, duplicate_of)
		SELECT 'old' || value, '', '', '', 'send', $1, $1, 1, 1, 35, 'sent', 0, 0, $2, 0, 0, '', '' FROM old`,
		[]byte{}, clock.now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	clock.advance(91 * 24 * time.Hour)
	for range 3 {
		err := l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := l.prune(ctx, tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	background.Wait() // it may have pruned as well
	if count, state := listed(t, l); count != 1 || state != StateUnknown {
		t.Error(count, state)
	}
	d, err := l.Reserve(t.Context(), testIntent("Hi"), Policy{Limits: testLimits})
	if err != nil || d.Refusal.Reason != RefusedDuplicate {
		t.Errorf("%+v, %v", d, err)
	}
}

// Pruning does not wait for locks, and skips rows that another transaction has locked.
func TestPrune_SkipLocked(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	clock := newTestClock()
	var background sync.WaitGroup
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Background: &background})
	send := func(message string) {
		t.Helper()
		d := mustReserve(t, l, testIntent(message), Policy{Limits: testLimits})
		if err := l.RecordOutcome(t.Context(), d.Spend, StateSent, ""); err != nil {
			t.Fatal(err)
		}
	}
	send("Hi")
	send("Ho")
	background.Wait()
	clock.advance(91 * 24 * time.Hour)
	err := l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET code = code WHERE seq = 1`); err != nil {
			return err
		}
		return l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if count, err := l.prune(ctx, tx); err != nil || count != 1 {
				t.Errorf("%d, %v", count, err)
			}
			return nil
		})
	})
	if count, _ := listed(t, l); err != nil || count != 1 {
		t.Errorf("%v, %v", count, err)
	}
	// A spend starts pruning, once an hour.
	send("He")
	l.nextPrune.Store(0)
	send("Hu")
	background.Wait()
	if count, _ := listed(t, l); count != 2 || l.nextPrune.Load() == 0 {
		t.Error(count)
	}
}
