package ledger

import (
	"context"
	"fmt"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Quotes that are declined while the database is away do not pile up.
func TestVoid_PendingLimit(t *testing.T) {
	t.Parallel()
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * maxPendingVoids {
		if err := l.Void(t.Context(), testIntent("Hi"), fmt.Sprint("quote ", i)); err == nil {
			t.Fatal("a database that is away was written")
		}
	}
	if waiting := l.pendingRetries.Load(); waiting > maxPendingVoids {
		t.Errorf("%d wait", waiting)
	}
	closed, cancel := context.WithCancel(t.Context())
	cancel()
	_ = l.Close(closed)
}
