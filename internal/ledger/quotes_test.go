package ledger

import (
	"context"
	"fmt"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// During an outage only a limited number of voided quotes waits for the database.
func TestVoid_PendingLimit(t *testing.T) {
	t.Parallel()
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * maxPendingVoids {
		if err := l.Void(t.Context(), testIntent("Hi"), fmt.Sprint("quote ", i)); err == nil {
			t.Fatal("a closed database was written")
		}
	}
	if waiting := l.pendingRetries.Load(); waiting > maxPendingVoids {
		t.Errorf("%d voids wait", waiting)
	}
	closed, cancel := context.WithCancel(t.Context())
	cancel()
	_ = l.Close(closed)
}
