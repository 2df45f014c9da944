package guard

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// withQueryParam is a ledger's URL with a setting.
func withQueryParam(t testing.TB, source, name, value string) string {
	t.Helper()
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func openTestLedger(t testing.TB, source string) *Ledger {
	t.Helper()
	l, err := OpenLedger(context.Background(), source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Replicas that start at once on an empty database all work, with one key.
func TestMigrate_Concurrent(t *testing.T) {
	t.Parallel()
	source := newLedgerSource(t)
	var wg sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		wg.Go(func() { keys[i] = string(openTestLedger(t, source).Key) })
	}
	wg.Wait()
	if keys = slices.Compact(keys); len(keys) != 1 || len(keys[0]) != 32 {
		t.Errorf("%x", keys)
	}
}

// runMigrations takes the steps to a schema, as a program that knows them would.
func runMigrations(l *Ledger, steps []string) error {
	return l.WithAccountTx(context.Background(), "the schema", func(ctx context.Context, tx *sql.Tx) error { return migrate(ctx, tx, steps) })
}

// An older database is brought up to date once, by whoever comes first, and one
// that is newer is refused.
func TestMigrate_Versions(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	source := newLedgerSource(t)
	l := openTestLedger(t, source)
	now, err := loadMigrations(migrationsFS)
	if err != nil {
		t.Fatal(err)
	}
	next := append(slices.Clone(now), `ALTER TABLE spends ADD COLUMN more TEXT NOT NULL DEFAULT ''`, `ALTER TABLE spends ADD COLUMN again TEXT`)
	var wg sync.WaitGroup
	replicas := make([]*Ledger, 8)
	for i := range replicas {
		replicas[i] = openTestLedger(t, source)
	}
	for _, replica := range replicas {
		wg.Go(func() {
			if err := runMigrations(replica, next[:len(now)+1]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(runMigrations(l, next), runMigrations(l, next)); err != nil {
		t.Fatal(err)
	}
	// The replicas that are there go on.
	intent := Intent{Account: "base wallet", Tool: sendTool, DedupKey: []string{"Hi"}, Targets: []string{phone1}, Recipients: 1, Units: 1, TotalUGX: 35}
	if d, err := l.Reserve(t.Context(), &intent, Policy{Limits: DefaultOptions().Limits}); err != nil || d.SpendID == "" {
		t.Errorf("%+v, %v", d, err)
	}
	_, err = OpenLedger(t.Context(), source)
	if err == nil || !strings.Contains(err.Error(), "the database's schema is version 3, and this program knows 1: it is of a newer wesendall-mcp") {
		t.Error(err)
	}
	// A step that fails leaves nothing.
	if err := runMigrations(l, append(next, `ALTER TABLE spends ADD COLUMN half TEXT; ALTER TABLE nothing ADD COLUMN half TEXT`)); err == nil {
		t.Error("a step that fails")
	}
	if err := runMigrations(l, append(next, `ALTER TABLE spends ADD COLUMN half TEXT`)); err != nil {
		t.Error(err)
	}
}

func TestMigrate_Steps(t *testing.T) {
	t.Parallel()
	file := func(raw string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(raw)} }
	steps, err := loadMigrations(fstest.MapFS{"postgres/1.sql": file("a"), "postgres/2.sql": file("b"), "postgres/4.sql": file("d")})
	if err != nil || !slices.Equal(steps, []string{"a", "b"}) {
		t.Errorf("%q, %v", steps, err)
	}
}

func TestMigrate_ForeignTables(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	source := newLedgerSource(t)
	u, _ := url.Parse(source)
	execSQL(t, "CREATE TABLE "+u.Query().Get("search_path")+".meta (id INT)")
	if _, err := OpenLedger(t.Context(), source); err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Error(err)
	}
}

// Whatever the database's defaults are, a spend's transactions have what they need.
func TestTx_Settings(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	source := newLedgerSource(t)
	for name, value := range map[string]string{
		"synchronous_commit": "off", "lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"default_transaction_isolation": "serializable",
	} {
		source = withQueryParam(t, source, name, value)
	}
	l := openTestLedger(t, source)
	err := l.WithAccountTx(t.Context(), "base wallet", func(ctx context.Context, tx *sql.Tx) error {
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

// The clock is the database's.
func TestClock_Database(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	l := openTestLedger(t, newLedgerSource(t))
	p := l.Backend.(*Postgres)
	p.clockSkew.Store(int64(time.Hour)) // as if this machine's had been set
	err := l.WithTx(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	if skew := time.Since(l.Now()).Abs(); err != nil || skew > 10*time.Second {
		t.Errorf("%v apart, %v", skew, err)
	}
}

// With another key nothing of what was sent would be found.
func TestIdentity_Replaced(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	original := env.guard
	u, _ := url.Parse(env.ledgerSource)
	name := u.Query().Get("search_path")
	for _, statement := range []string{"DELETE FROM " + name + ".meta WHERE name = 'key'", "DROP TABLE " + name + ".meta"} {
		execSQL(t, statement)
		_, err := original.ledger.Reserve(t.Context(), &Intent{Account: "base wallet"}, Policy{})
		if err == nil || !strings.Contains(err.Error(), "emptied or replaced") {
			t.Error(err)
		}
		env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	}
	execSQL(t, "DROP SCHEMA "+name+" CASCADE")
	execSQL(t, "CREATE SCHEMA "+name)
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	env.guard = original
	env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("He", SpendOptions{}, phone1) })
}

// What is pruned is nobody's wait, and what others are at is left.
func TestPrune_SkipLocked(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	l := env.guard.ledger
	l.BackgroundTasks.Wait()
	env.advance(91 * 24 * time.Hour)
	err := l.WithTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET code = code WHERE seq = 1`); err != nil {
			return err
		}
		return l.WithTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if count, err := l.Prune(ctx, tx); err != nil || count != 1 {
				t.Errorf("%d, %v", count, err)
			}
			return nil
		})
	})
	if err != nil || len(env.spends()) != 1 {
		t.Errorf("%v, %v", env.spends(), err)
	}
	// Spending prunes, once in an hour.
	env.expectOK(func() (*Receipt, *Error) { return env.send("He", SpendOptions{}, phone1) })
	l.NextPrune.Store(0)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hu", SpendOptions{}, phone1) })
	l.BackgroundTasks.Wait()
	if len(env.spends()) != 2 || l.NextPrune.Load() == 0 {
		t.Errorf("%v", env.spends())
	}
}

func TestPrivacy_Postgres(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("private words", SpendOptions{}, phone1) })
	_, _ = env.send("private words", SpendOptions{DryRun: true}, phone2)
	for _, table := range []string{"meta", "spends", "covered", "days"} {
		var raw string
		// bytea in the way that shows letters as they are
		if err := env.guard.ledger.WithTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL bytea_output = 'escape'"); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, `SELECT string_agg(CAST(t AS TEXT), ' ') FROM `+table+` t`).Scan(&raw)
		}); err != nil || raw == "" {
			t.Errorf("%s: %v", table, err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(raw, secret) {
				t.Errorf("%s has %q", table, secret)
			}
		}
	}
}

// Off this machine the URL must ask for TLS, or say that it wants none.
func TestConfig_TLSRequired(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		"postgres://u:pw@db.internal/l?sslmode=verify-full":                 true,
		"postgresql://u:pw@db.internal/l?sslmode=require":                   true,
		"postgres://u:pw@10.0.0.5,10.0.0.6:5433/l?sslmode=verify-full":      true,
		"postgres://u:pw@db.internal/l?sslmode=disable":                     true, // the operator's word
		"postgres://u:pw@db.internal/l":                                     false,
		"postgres://u:pw@db.internal/l?sslmode=prefer":                      false,
		"postgres://u:pw@db.internal/l?sslmode=allow":                       false,
		"postgres://u:pw@127.0.0.1,db.internal/l":                           false,
		"postgres://u:pw@/l?host=db.internal":                               false,
		"postgres://u:pw@127.0.0.1/l":                                       true,
		"postgres://u:pw@[::1]/l":                                           true,
		"postgres://u:pw@localhost:5433/l":                                  true,
		"postgres://u:pw@/l?host=/run/postgresql":                           true,
		"postgres://u:pw@db.internal:port/l?sslmode=verify-full":            false,
		"postgres://u:pw@db.internal/l?sslmode=very":                        false,
		"postgres://u:pw@db.internal/l?sslrootcert=/nope&sslmode=verify-ca": false,
	} {
		_, err := parsePostgresConfig(source)
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// secretURLs are URLs whose password is s3cret, in the places that it can have.
var secretURLs = []string{
	"postgres://u:s3cret@127.0.0.1:1/l", "postgresql://u@127.0.0.1:1/l?password=s3cret", "postgres://u:s3cret@127.0.0.1:1,127.0.0.1:2/l",
	"postgres://u:s3cret@127.0.0.1:port/l", "postgres://u:a%zzs3cret@127.0.0.1/l", "postgres://127.0.0.1:1/l?user=u&sslpassword=s3cret&sslmode=disable",
	"postgres://u:x@y:s3cret@127.0.0.1:1/l", "postgres://u:s3cret@db.internal/l", "postgres://u@127.0.0.1:1/l?pass%77ord=s3cret", "postgres://u:s3cret/x@127.0.0.1:1/l",
}

func TestRedact_Password(t *testing.T) {
	t.Parallel()
	for _, source := range secretURLs {
		_, err := OpenLedger(t.Context(), source)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", source, err)
		}
		if raw := RedactSource(source); strings.Contains(raw, "s3cret") || !strings.HasPrefix(raw, "postgres") {
			t.Errorf("%s: %s", source, raw)
		}
	}
	for source, want := range map[string]string{
		"/var/lib/ledger.db": "/var/lib/ledger.db", "memory": "memory", "": "",
		"postgres://u:pw@db.internal:5432/l?sslmode=require": "postgres://u:xxxxx@db.internal:5432/l", "postgres://db/l": "postgres://db/l",
	} {
		if got := RedactSource(source); got != want {
			t.Errorf("%s: %s", source, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, source := range secretURLs {
		f.Add(strings.ReplaceAll(source, "s3cret", "%s"))
	}
	f.Fuzz(func(t *testing.T, source string) {
		before, after, ok := strings.Cut(source, "%s")
		config, err := pgconn.ParseConfig(before + "s3cret" + after)
		if !ok || err != nil || config.Password != "s3cret" || strings.Contains(before+after, "s3cret") || !IsPostgresURL(source) {
			t.Skip() // the driver's word on what is a password
		}
		if raw := RedactSource(before + "s3cret" + after); strings.Contains(raw, "s3cret") {
			t.Errorf("%q: %q", source, raw)
		}
	})
}

// Turns come one after the other, and who gives up is not waited for.
func TestKeyedMutex(t *testing.T) {
	t.Parallel()
	locks := keyedMutex{Entries: map[string]*keyedMutexEntry{}}
	unlockA, err := locks.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	unlockB, err := locks.Lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locks.Lock(cancelled, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	second := make(chan func())
	go func() {
		unlock, err := locks.Lock(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		second <- unlock
	}()
	select {
	case <-second:
		t.Fatal("two at once")
	default:
	}
	unlockA()
	(<-second)()
	unlockB()
	if len(locks.Entries) != 0 {
		t.Errorf("%d are kept", len(locks.Entries))
	}
}
