package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// On a full disk nothing is reserved, the operator learns the fix, and nothing is
// half-written.
func TestReserve_DiskFull(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	// The ledger has one connection. The smallest limit that SQLite accepts is the number
	// of pages in use.
	if _, err := l.db.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	policy := Policy{Limits: Limits{PerCall: 1 << 40, PerDay: 1 << 40}, ConfirmOff: true}
	reserved := 0
	var err error
	for err == nil && reserved < 10_000 {
		var d Decision
		if d, err = l.Reserve(t.Context(), testIntent(fmt.Sprint("Hi ", reserved)), policy); err != nil {
			break
		}
		if d.Verdict != Reserved {
			t.Fatalf("%+v", d)
		}
		reserved++
	}
	if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(FixFor(err), "free space") {
		t.Fatalf("after %d spends: %v, fix: %s", reserved, err, FixFor(err))
	}
	spends, err := l.List(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var totalUGX int64
	for _, s := range spends {
		totalUGX += s.TotalUGX
	}
	if len(spends) != reserved || totalUGX != reservedTotal(t, l) || totalUGX != int64(reserved)*35 {
		t.Errorf("%d spends with UGX %d are listed, %d were reserved, and the daily totals have UGX %d",
			len(spends), totalUGX, reserved, reservedTotal(t, l))
	}
}
