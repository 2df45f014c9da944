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

func TestClock_Database(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	l := openTestLedger(t, ledgertest.NewSource(t), Options{})
	l.backend.(*postgresBackend).clockSkew.Store(int64(time.Hour)) // as if this machine's clock had been set
	err := l.withTx(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	if skew := time.Since(l.clock()).Abs(); err != nil || skew > 10*time.Second {
		t.Errorf("%v apart, %v", skew, err)
	}
}
