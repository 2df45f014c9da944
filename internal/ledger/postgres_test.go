package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// The statistics are those of the pool behind database/sql.
func TestStats_Pool(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	l := openTestLedger(t, ledgertest.WithParam(t, ledgertest.NewSource(t), "pool_max_conns", "2"), Options{})
	var wg sync.WaitGroup
	release := make(chan struct{})
	var holding atomic.Int64
	both := make(chan struct{})
	for i := range 3 {
		wg.Go(func() {
			_ = l.withAccountTx(context.Background(), fmt.Sprint(i), func(context.Context, *sql.Tx) error {
				if holding.Add(1) == 2 {
					close(both)
				}
				<-release
				return nil
			})
		})
	}
	<-both
	if s := l.DBStats(); s.MaxOpenConnections != 2 || s.InUse != 2 || s.Idle != 0 {
		t.Errorf("%+v", s)
	}
	close(release)
	wg.Wait()
}

// With PostgreSQL the ledger uses the database's clock.
func TestClock_Database(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	l.backend.(*postgresBackend).clockSkew.Store(int64(time.Hour)) // as if this machine's clock were an hour off
	err := l.withTx(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	if skew := time.Since(l.clock()).Abs(); err != nil || skew > 10*time.Second {
		t.Errorf("%v apart, %v", skew, err)
	}
}

// Calls that wait for the lock of one account do not make another account wait.
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
	for waiting := 0; waiting < 20; { // until all of them wait
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
