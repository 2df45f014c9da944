package ledger

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// An account whose lock is taken, and many of whose calls wait, keeps no other
// account waiting.
func TestLocks_PerAccount(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	source := ledgertest.NewSource(t)
	l, replica := openTestLedger(t, source, Options{}), openTestLedger(t, source, Options{})
	in := testIntent("Hi")
	locked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := replica.withAccountTx(context.Background(), in.Account, func(context.Context, *sql.Tx) error {
			close(locked)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-locked
	var reserved atomic.Int64
	for range 20 {
		wg.Go(func() {
			d, err := l.Reserve(context.Background(), in, Policy{Limits: testLimits})
			if err != nil {
				t.Error(err)
			}
			if d.Verdict == Reserved {
				reserved.Add(1)
			}
		})
	}
	locks := &l.backend.(*postgresBackend).accountLocks
	for waiting := 0; waiting < 20; { // until all of them do
		locks.mu.Lock()
		if entry := locks.entries[in.Account]; entry != nil {
			waiting = entry.refs
		}
		locks.mu.Unlock()
	}
	other := in
	other.Account = "another"
	mustReserve(t, l, other, Policy{Limits: testLimits})
	close(release)
	wg.Wait()
	if reserved.Load() != 1 {
		t.Errorf("%d were reserved", reserved.Load())
	}
}
