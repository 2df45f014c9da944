package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

func TestMain(m *testing.M) { os.Exit(ledgertest.Run(m)) }

// testClock is a clock that a test moves.
type testClock struct{ ns atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.ns.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *testClock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func openTestLedger(t testing.TB, source string, o Options) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), source, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), foregroundTimeout)
		defer cancel()
		_ = l.Close(ctx)
	})
	return l
}

var testLimits = Limits{PerCall: 50_000, PerDay: 100_000, TopUp: 500_000, Recipients: 1_000, ConfirmAbove: 1_000, DuplicateWindow: 10 * time.Minute}

func testIntent(message string) Intent {
	return Intent{
		Account: "base wallet", Tool: "send_sms", Kind: KindSend, Content: []string{message}, Targets: []string{"+256700000010"},
		Recipients: 1, Units: 1, TotalUGX: 35,
	}
}

func mustReserve(t testing.TB, l *Ledger, in Intent, p Policy) Decision {
	t.Helper()
	d, err := l.Reserve(context.Background(), in, p)
	if err != nil || d.Verdict != Reserved {
		t.Fatalf("%+v, %v", d, err)
	}
	return d
}

// listed is the number of spends, and the state of the only one.
func listed(t testing.TB, l *Ledger) (count int, state State) {
	t.Helper()
	spends, err := l.List(context.Background(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(spends) == 1 {
		state = spends[0].State
	}
	return len(spends), state
}

func reservedTotal(t testing.TB, l *Ledger) (total int64) {
	t.Helper()
	if err := l.db.QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals`).Scan(&total); err != nil {
		t.Error(err)
	}
	return total
}

// An outcome was set by hand, and then the response comes after all: it is better
// evidence.
func TestAttempt_LateOutcomeOverridesResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ resolved, outcome State }{
		{StateFailed, StateSent}, {StateSent, StateFailed}, {StateSent, StateUnknown}, {StateSent, StateSent},
	} {
		var log bytes.Buffer
		clock := newTestClock()
		l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		in := testIntent("Hi")
		in.Caller = "anna"
		d := mustReserve(t, l, in, Policy{
			Limits: testLimits, CallerLimits: &Limits{PerCall: 100, PerDay: 100, ConfirmAbove: 100}, ConfirmOff: true,
		})
		clock.advance(CallTimeout)
		if err := l.Resolve(t.Context(), d.Spend.ID, c.resolved); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be tried again
			if err := l.RecordOutcome(t.Context(), d.Spend, c.outcome, ""); err != nil {
				t.Fatal(err)
			}
		}
		want := c.outcome
		if c.outcome == StateUnknown {
			want = c.resolved
		}
		reserved := int64(70) // of the account, and of the caller
		if want == StateFailed {
			reserved = 0
		}
		if _, state := listed(t, l); state != want || reservedTotal(t, l) != reserved ||
			strings.Contains(log.String(), "corrected") != (want != c.resolved) {
			t.Errorf("%v: %v, %d reserved, %s", c, state, reservedTotal(t, l), log.String())
		}
	}
}

// Many more rows are old than are deleted at once, behind one that is never deleted.
func TestPrune(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	var background sync.WaitGroup
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Background: &background})
	unknown := mustReserve(t, l, testIntent("Hi"), Policy{Limits: testLimits})
	if err := l.RecordOutcome(t.Context(), unknown.Spend, StateUnknown, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.db.ExecContext(t.Context(), `WITH RECURSIVE old(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM old WHERE value < 2500)
		INSERT INTO spends (id, account, caller, tool, kind, dedup_hash, arguments_hash, recipients, units, total, state, confirmed,
			user_asked, created_ms, deadline_ms, kampala_day, attempt_id, duplicate_of)
		SELECT 'old' || value, '', '', '', 'send', $1, $1, 1, 1, 35, 'sent', 0, 0, $2, 0, 0, '', '' FROM old`,
		[]byte{}, clock.now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	clock.advance(91 * 24 * time.Hour)
	for range 3 {
		if err := l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error { _, err := l.prune(ctx, tx); return err }); err != nil {
			t.Fatal(err)
		}
	}
	background.Wait() // it may have pruned, too
	if count, state := listed(t, l); count != 1 || state != StateUnknown {
		t.Error(count, state)
	}
	d, err := l.Reserve(t.Context(), testIntent("Hi"), Policy{Limits: testLimits})
	if err != nil || d.Refusal.Reason != RefusedDuplicate {
		t.Errorf("%+v, %v", d, err)
	}
}

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

// Pruning waits for nobody, and leaves what others have locked.
func TestPrune_SkipLocked(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	clock := newTestClock()
	var background sync.WaitGroup
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now, Background: &background})
	send := func(message string) {
		t.Helper()
		d := mustReserve(t, l, testIntent(message), Policy{Limits: testLimits})
		if err := l.RecordOutcome(t.Context(), d.Spend, StateSent, ""); err != nil {
			t.Fatal(err)
		}
	}
	send("Hi")
	send("Ho")
	background.Wait()
	clock.advance(91 * 24 * time.Hour)
	err := l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET code = code WHERE seq = 1`); err != nil {
			return err
		}
		return l.withTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if count, err := l.prune(ctx, tx); err != nil || count != 1 {
				t.Errorf("%d, %v", count, err)
			}
			return nil
		})
	})
	if count, _ := listed(t, l); err != nil || count != 1 {
		t.Errorf("%v, %v", count, err)
	}
	// Spending prunes, once an hour.
	send("He")
	l.nextPrune.Store(0)
	send("Hu")
	background.Wait()
	if count, _ := listed(t, l); count != 2 || l.nextPrune.Load() == 0 {
		t.Error(count)
	}
}

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

// Whatever the database's defaults are, a spend's transactions have what they need.
func TestTx_Settings(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	source := ledgertest.NewSource(t)
	for name, value := range map[string]string{
		"synchronous_commit": "off", "lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"default_transaction_isolation": "serializable",
	} {
		source = ledgertest.WithParam(t, source, name, value)
	}
	l := openTestLedger(t, source, Options{})
	err := l.withAccountTx(t.Context(), "base wallet", func(ctx context.Context, tx *sql.Tx) error {
		for name, want := range map[string]string{
			"synchronous_commit": "on", "lock_timeout": "10s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "5s",
			"transaction_isolation": "read committed",
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

// A process that died leaves a row in progress, which is unknown after its deadline.
func TestSum_AfterCrash(t *testing.T) {
	t.Parallel()
	clock := newTestClock()
	l := openTestLedger(t, ledgertest.NewSource(t), Options{Clock: clock.now})
	mustReserve(t, l, testIntent("Hi"), Policy{ConfirmOff: true, Limits: testLimits})
	for _, c := range []struct {
		after             time.Duration
		reserved, unknown int64
	}{{CallTimeout - time.Second, 35, 0}, {time.Second, 0, 1}} {
		clock.advance(c.after)
		got, err := l.Sum(t.Context())
		if err != nil || got.Sends.Reserved != c.reserved || got.Sends.UnknownCount != c.unknown || got.Sends.Spent != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// Reading the totals neither waits for a write nor reads the whole ledger.
func TestSum_UseIndex(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	file := ledgertest.NewSource(t)
	l, other := openTestLedger(t, file, Options{}), openTestLedger(t, file, Options{})
	err := l.withTx(t.Context(), func(context.Context, *sql.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), lockTimeout/2)
		defer cancel()
		_, err := other.Sum(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	rows, err := l.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+totalsQuery, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil || !strings.Contains(plan.String(), "spends_open") || !strings.Contains(plan.String(), "daily_totals_day") {
		t.Errorf("%v, plan:\n%s", err, plan.String())
	}
}
