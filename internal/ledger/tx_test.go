package ledger

import (
	"context"
	"database/sql"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A spend's transactions override the database's defaults.
func TestTx_Settings(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	source := ledgertest.NewSource(t)
	for name, value := range map[string]string{
		"synchronous_commit": "off", "lock_timeout": "0", "statement_timeout": "0",
		"idle_in_transaction_session_timeout": "0",
		"default_transaction_isolation":       "serializable",
	} {
		source = ledgertest.WithParam(t, source, name, value)
	}
	l := openTestLedger(t, source, Options{})
	err := l.withAccountTx(t.Context(), "base wallet", func(ctx context.Context, tx *sql.Tx) error {
		for name, want := range map[string]string{
			"synchronous_commit": "on", "lock_timeout": "10s", "statement_timeout": "10s",
			"idle_in_transaction_session_timeout": "5s",
			"transaction_isolation":               "read committed",
		} {
			var got string
			if err := tx.QueryRowContext(ctx, "SHOW "+name).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s: %v", name, got, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
