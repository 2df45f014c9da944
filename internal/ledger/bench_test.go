package ledger

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// BenchmarkMillionRows measures a ledger with a million spends, and with the daily
// totals of a thousand accounts for a year.
func BenchmarkMillionRows(b *testing.B) {
	source := ledgertest.NewSource(b)
	l := openTestLedger(b, source, Options{})
	in := testIntent("Hi")
	fillMillionRows(b, l, in.Account)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			again, err := Open(b.Context(), source, Options{})
			if err != nil {
				b.Fatal(err)
			}
			_ = again.Close(b.Context())
		}
	})
	often := in
	often.Targets = []string{oftenTarget}
	for name, in := range map[string]Intent{"evaluate": in, "evaluate a number with 100,000 spends": often} {
		b.Run(name, func(b *testing.B) { benchmarkEvaluate(b, l, in) })
	}
	b.Run("sum", func(b *testing.B) {
		for b.Loop() {
			if got, err := l.Sum(b.Context()); err != nil || got.Sends.Spent != 35_000 {
				b.Fatalf("%+v, %v", got, err)
			}
		}
	})
}

// oftenTarget is a number that a tenth of the spends reached.
const oftenTarget = "+256700000011"

func benchmarkEvaluate(b *testing.B, l *Ledger, in Intent) {
	limits := testLimits
	limits.ConfirmAbove = 1 << 40
	for b.Loop() {
		err := l.withTx(b.Context(), func(ctx context.Context, tx *sql.Tx) error {
			d, err := l.evaluate(ctx, tx, in, Policy{Limits: limits}, "", l.clock())
			if err != nil || d.Verdict != Reserved {
				b.Fatalf("%+v, %v", d, err)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func fillMillionRows(b *testing.B, l *Ledger, account string) {
	b.Helper()
	now, random := time.Now(), "randomblob(32)"
	if ledgertest.UsingPostgres() {
		random = "sha256(CAST(CAST(random() AS TEXT) AS BYTEA))"
	}
	exec := func(statement string, args ...any) {
		b.Helper()
		// The ledger's own transactions have a time limit that is too short for this.
		if _, err := l.db.ExecContext(b.Context(), statement, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		INSERT INTO spends (id, account, caller, tool, kind, dedup_hash, arguments_hash,
			recipients, units, total, state, confirmed,
			user_asked, created_ms, deadline_ms, kampala_day, attempt_id, duplicate_of)
		SELECT 'id' || i, $1, '', 'send_sms', 'send', `+random+`, `+random+`, 1, 1, 35, 'sent',
			CASE WHEN i % 2000 > 0 THEN 1 ELSE 0 END, 0, CAST($2 AS BIGINT) + i * 7, 0, 1, '', '' FROM n`,
		account, now.Add(-1_000_000*7*time.Millisecond-55*time.Minute).UnixMilli())
	exec(`INSERT INTO spend_targets (dedup_hash, target_hash, spend) SELECT dedup_hash, CASE WHEN seq % 10 = 0 THEN $1 ELSE `+random+` END, seq
		FROM spends`, l.Hash("target", oftenTarget))
	exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 364999)
		INSERT INTO daily_totals (account, kind, kampala_day, total)
		SELECT 'account' || (i % 1000), 'send', CAST($1 AS BIGINT) - i / 1000, 35 FROM n`, kampalaDay(now))
	exec(`ANALYZE`) // a database does this by itself after a while
}
