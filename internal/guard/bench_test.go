package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// BenchmarkSend compares a send with the guard, whose ledger is on this
// machine's disk or in the PostgreSQL of the tests, and without it, against a vendor that only answers.
func BenchmarkSend(b *testing.B) {
	vendor := httptest.NewServer(answerReads(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"success":true,"data":{}}`)) }))
	defer vendor.Close()
	c, err := client.New(client.Options{BaseURL: vendor.URL})
	if err != nil {
		b.Fatal(err)
	}
	o := DefaultOptions()
	o.Rate, o.Confirm, o.Limits.PerDay = 0, ConfirmOff, 1<<40
	file := newLedgerSource(b)
	o.OpenLedger = func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, file) }
	g := New(c, o)
	defer func() { _ = g.Close() }()
	n := 0
	request := func() client.SendRequest {
		n++
		return client.SendRequest{WalletID: "w", Message: fmt.Sprint("Hi ", n), Recipient: client.Recipients{phone1}}
	}
	for name, send := range map[string]func() error{
		"without": func() error { _, err := c.Send(b.Context(), request()); return err },
		"guarded": func() error { _, err := g.Send(b.Context(), request(), SpendOptions{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := send(); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "median-µs")
		})
	}
}

// BenchmarkMillionRows opens a ledger of a million spends, a few of which of
// this hour nobody was asked about, and judges a spend: duplicates, budget, the hour.
func BenchmarkMillionRows(b *testing.B) {
	file := newLedgerSource(b)
	l, err := OpenLedger(b.Context(), file)
	if err != nil {
		b.Fatal(err)
	}
	intent := Intent{Account: "base wallet", Tool: "send_sms", DedupKey: []string{"Hi"}, Targets: []string{phone1}, Recipients: 1, Units: 1, TotalUGX: 35}
	now, random := time.Now(), "randomblob(32)"
	if usingPostgres() {
		random = "sha256(CAST(CAST(random() AS TEXT) AS BYTEA))"
	}
	// Not in a transaction of the ledger's, which would not take so long.
	_, err = l.DB.ExecContext(b.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		INSERT INTO spends (id, account, caller, tool, content, arguments, recipients, units, total, state, confirmed, created, deadline, day)
		SELECT 'id' || i, $1, '', 'send_sms', `+random+`, `+random+`, 1, 1, 35, 'sent', CASE WHEN i % 2000 > 0 THEN 1 ELSE 0 END, CAST($2 AS BIGINT) + i * 7, 0, 1 FROM n`,
		intent.Account, now.Add(-1_000_000*7*time.Millisecond-55*time.Minute).UnixMilli())
	if err != nil {
		b.Fatal(err)
	}
	if _, err = l.DB.ExecContext(b.Context(), `INSERT INTO covered (content, target, spend) SELECT content, `+random+`, seq FROM spends`); err != nil {
		b.Fatal(err)
	}
	// A year of a thousand accounts.
	if _, err = l.DB.ExecContext(b.Context(), `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 364999)
		INSERT INTO days (account, kind, day, total) SELECT 'account' || (i % 1000), 'send', CAST($1 AS BIGINT) - i / 1000, 35 FROM n`, KampalaDay(now)); err != nil {
		b.Fatal(err)
	}
	if _, err = l.DB.ExecContext(b.Context(), `ANALYZE`); err != nil { // which a database does by itself, in time
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			again, err := OpenLedger(b.Context(), file)
			if err != nil {
				b.Fatal(err)
			}
			_ = again.Close()
		}
	})
	back := errors.New("not kept")
	b.Run("judge", func(b *testing.B) {
		limits := DefaultOptions().Limits
		limits.ConfirmAbove = 1 << 40
		for b.Loop() {
			err := l.WithTx(b.Context(), func(ctx context.Context, tx *sql.Tx) error {
				var d Decision
				if err := l.Evaluate(ctx, tx, &intent, Policy{Limits: limits}, &d); err != nil || d.SpendID == "" {
					return fmt.Errorf("%w: %+v", err, d)
				}
				return back
			})
			if !errors.Is(err, back) {
				b.Fatal(err)
			}
		}
	})
	b.Run("totals", func(b *testing.B) {
		for b.Loop() {
			if got, err := l.Totals(b.Context()); err != nil || got.Sends.Spent != 35_000 {
				b.Fatalf("%+v, %v", got, err)
			}
		}
	})
	_ = l.Close()
}
