package ledger

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Spends near an unknown outcome are found among the open spends, not among all that
// reached a number.
func TestUnsettled_UseIndex(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	plan := queryPlan(t, l, l.unsettledQuery(), "[]", "", "", 1, 1, 1)
	if !strings.Contains(plan, "spends_unsettled") || !strings.Contains(plan, "spend_targets_spend") || strings.Contains(plan, "SCAN s\n") {
		t.Errorf("plan:\n%s", plan)
	}
}
