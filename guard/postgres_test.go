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

	"github.com/wesendall/wesendall-mcp/sandbox"
)

// with is a ledger's URL with a setting.
func with(t testing.TB, source, name, value string) string {
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

func opened(t testing.TB, source string) *Ledger {
	t.Helper()
	l, err := OpenLedger(context.Background(), source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Replicas that start at once on an empty database all work, with one key.
func TestReplicasStartAtOnce(t *testing.T) {
	t.Parallel()
	source := newLedgerSource(t)
	var all sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		all.Go(func() { keys[i] = string(opened(t, source).key) })
	}
	all.Wait()
	if keys = slices.Compact(keys); len(keys) != 1 || len(keys[0]) != 32 {
		t.Errorf("%x", keys)
	}
}

// upgrade takes the steps to a schema, as a program that knows them would.
func upgrade(l *Ledger, steps []string) error {
	return l.accountTx(context.Background(), "the schema", func(ctx context.Context, tx *sql.Tx) error { return migrate(ctx, tx, steps) })
}

// An older database is brought up to date once, by whoever comes first, and one
// that is newer is refused.
func TestDatabasesOfOtherVersions(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	source := newLedgerSource(t)
	l := opened(t, source)
	now, err := schemaSteps(postgresSteps)
	if err != nil {
		t.Fatal(err)
	}
	next := append(slices.Clone(now), `ALTER TABLE spends ADD COLUMN more TEXT NOT NULL DEFAULT ''`, `ALTER TABLE spends ADD COLUMN again TEXT`)
	var all sync.WaitGroup
	replicas := make([]*Ledger, 8)
	for i := range replicas {
		replicas[i] = opened(t, source)
	}
	for _, replica := range replicas {
		all.Go(func() {
			if err := upgrade(replica, next[:len(now)+1]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(upgrade(l, next), upgrade(l, next)); err != nil {
		t.Fatal(err)
	}
	// The replicas that are there go on.
	in := intent{account: "base wallet", tool: sendTool, content: []string{"Hi"}, targets: []string{one}, recipients: 1, units: 1, total: 35}
	if v, err := l.admit(t.Context(), &in, terms{limits: Defaults().Limits}); err != nil || v.id == "" {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = OpenLedger(t.Context(), source)
	if err == nil || !strings.Contains(err.Error(), "the database's schema is version 3, and this program knows 1: it is of a newer wesendall-mcp") {
		t.Error(err)
	}
	// A step that fails leaves nothing.
	if err := upgrade(l, append(next, `ALTER TABLE spends ADD COLUMN half TEXT; ALTER TABLE nothing ADD COLUMN half TEXT`)); err == nil {
		t.Error("a step that fails")
	}
	if err := upgrade(l, append(next, `ALTER TABLE spends ADD COLUMN half TEXT`)); err != nil {
		t.Error(err)
	}
}

func TestTheStepsOfASchema(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	steps, err := schemaSteps(fstest.MapFS{"postgres/1.sql": file("a"), "postgres/2.sql": file("b"), "postgres/4.sql": file("d")})
	if err != nil || !slices.Equal(steps, []string{"a", "b"}) {
		t.Errorf("%q, %v", steps, err)
	}
}

func TestTheTablesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	source := newLedgerSource(t)
	u, _ := url.Parse(source)
	do(t, "CREATE TABLE "+u.Query().Get("search_path")+".meta (id INT)")
	if _, err := OpenLedger(t.Context(), source); err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Error(err)
	}
}

// Whatever the database's defaults are, a spend's transactions have what they need.
func TestTheSettingsOfATransaction(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	source := newLedgerSource(t)
	for name, value := range map[string]string{
		"synchronous_commit": "off", "lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0",
		"default_transaction_isolation": "serializable",
	} {
		source = with(t, source, name, value)
	}
	l := opened(t, source)
	err := l.accountTx(t.Context(), "base wallet", func(ctx context.Context, tx *sql.Tx) error {
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
func TestTheClockIsTheDatabases(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	l := opened(t, newLedgerSource(t))
	p := l.store.(*postgres)
	p.ahead.Store(int64(time.Hour)) // as if this machine's had been set
	err := l.tx(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	if apart := time.Since(l.now()).Abs(); err != nil || apart > 10*time.Second {
		t.Errorf("%v apart, %v", apart, err)
	}
}

// With another key nothing of what was sent would be found.
func TestADatabaseThatWasReplacedStopsSpending(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	here := r.guard
	u, _ := url.Parse(r.file)
	name := u.Query().Get("search_path")
	for _, emptied := range []string{"DELETE FROM " + name + ".meta WHERE name = 'key'", "DROP TABLE " + name + ".meta"} {
		do(t, emptied)
		_, err := here.book.admit(t.Context(), &intent{account: "base wallet"}, terms{})
		if err == nil || !strings.Contains(err.Error(), "emptied or replaced") {
			t.Error(err)
		}
		r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	}
	do(t, "DROP SCHEMA "+name+" CASCADE")
	do(t, "CREATE SCHEMA "+name)
	r.restart()
	r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	r.guard = here
	r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("He", How{}, one) })
}

// What is pruned is nobody's wait, and what others are at is left.
func TestPruningWaitsForNobody(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	l := r.guard.book
	l.late.Wait()
	r.pass(91 * 24 * time.Hour)
	err := l.tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE spends SET code = code WHERE seq = 1`); err != nil {
			return err
		}
		return l.tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if count, err := l.prune(ctx, tx); err != nil || count != 1 {
				t.Errorf("%d, %v", count, err)
			}
			return nil
		})
	})
	if err != nil || len(r.spends()) != 1 {
		t.Errorf("%v, %v", r.spends(), err)
	}
	// Spending prunes, once in an hour.
	r.works(func() (*Receipt, *Error) { return r.send("He", How{}, one) })
	l.pruned.Store(0)
	r.works(func() (*Receipt, *Error) { return r.send("Hu", How{}, one) })
	l.late.Wait()
	if len(r.spends()) != 2 || l.pruned.Load() == 0 {
		t.Errorf("%v", r.spends())
	}
}

func TestTheDatabaseHasNoTextAndNoNumber(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("private words", How{}, one) })
	_, _ = r.send("private words", How{DryRun: true}, two)
	for _, table := range []string{"meta", "spends", "covered", "days"} {
		var text string
		// bytea in the way that shows letters as they are
		if err := r.guard.book.tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL bytea_output = 'escape'"); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, `SELECT string_agg(CAST(t AS TEXT), ' ') FROM `+table+` t`).Scan(&text)
		}); err != nil || text == "" {
			t.Errorf("%s: %v", table, err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", table, secret)
			}
		}
	}
}

// Off this machine the URL must ask for TLS, or say that it wants none.
func TestADatabaseElsewhereIsReachedOverTLS(t *testing.T) {
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
		_, err := postgresConfig(source)
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

func TestAPasswordIsNeverShown(t *testing.T) {
	t.Parallel()
	for _, source := range secretURLs {
		_, err := OpenLedger(t.Context(), source)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", source, err)
		}
		if text := Redact(source); strings.Contains(text, "s3cret") || !strings.HasPrefix(text, "postgres") {
			t.Errorf("%s: %s", source, text)
		}
	}
	for source, want := range map[string]string{
		"/var/lib/ledger.db": "/var/lib/ledger.db", "memory": "memory", "": "",
		"postgres://u:pw@db.internal:5432/l?sslmode=require": "postgres://u:xxxxx@db.internal:5432/l", "postgres://db/l": "postgres://db/l",
	} {
		if got := Redact(source); got != want {
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
		if !ok || err != nil || config.Password != "s3cret" || strings.Contains(before+after, "s3cret") || !Shared(source) {
			t.Skip() // the driver's word on what is a password
		}
		if text := Redact(before + "s3cret" + after); strings.Contains(text, "s3cret") {
			t.Errorf("%q: %q", source, text)
		}
	})
}

// Turns come one after the other, and who gives up is not waited for.
func TestTurns(t *testing.T) {
	t.Parallel()
	all := turns{each: map[string]*turn{}}
	first, err := all.take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := all.take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(gone, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	second := make(chan func())
	go func() {
		done, err := all.take(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		second <- done
	}()
	select {
	case <-second:
		t.Fatal("two at once")
	default:
	}
	first()
	(<-second)()
	other()
	if len(all.each) != 0 {
		t.Errorf("%d are kept", len(all.each))
	}
}
