// Package ledgertest gives tests a new ledger, in a file or in PostgreSQL. It is
// only for tests.
package ledgertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

// databaseEnv has the URL of a PostgreSQL for tests, which test/with-postgres starts.
// backendEnv tells the second process that its ledgers are in PostgreSQL.
const (
	databaseEnv = "WESENDALL_TEST_POSTGRES"
	backendEnv  = "LEDGER_TEST_BACKEND"
)

// Run runs a package's tests with ledgers in files and, at the same time in a second
// process with postgresArgs, with ledgers in PostgreSQL. If CI is set, it fails without
// a database.
func Run(m *testing.M, postgresArgs ...string) int {
	if UsingPostgres() || fuzzing() {
		return m.Run()
	}
	if os.Getenv(databaseEnv) == "" {
		code := m.Run()
		if code == 0 && os.Getenv("CI") != "" {
			fmt.Fprintln(os.Stderr, databaseEnv+" must be set under CI: test/with-postgres sets it")
			return 1
		}
		return code
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return strings.HasPrefix(arg, "-test.testlogfile=") // only one process may write it
	})
	args = append(args, postgresArgs...)
	again := exec.CommandContext(context.Background(), os.Args[0], args...) //nolint:gosec // this binary
	again.Env = append(os.Environ(), backendEnv+"=postgres")
	var output bytes.Buffer
	again.Stdout, again.Stderr = &output, &output
	err := again.Start()
	code := m.Run()
	if err == nil {
		err = again.Wait()
	}
	fmt.Fprintf(os.Stderr, "and with PostgreSQL:\n%s", output.Bytes())
	if err != nil {
		fmt.Fprintln(os.Stderr, "with PostgreSQL:", err)
		return 1
	}
	return code
}

// fuzzing reports whether the fuzzer runs. Its targets use no ledger.
func fuzzing() bool {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzz=") || arg == "-test.fuzzworker" {
			return true
		}
	}
	return flag.Lookup("test.fuzz").Value.String() != ""
}

// UsingPostgres reports whether the ledgers of this run are in PostgreSQL.
func UsingPostgres() bool { return os.Getenv(backendEnv) == "postgres" }

// SQLiteOnly skips a test that needs a ledger in a file.
func SQLiteOnly(t *testing.T) {
	t.Helper()
	if UsingPostgres() {
		t.Skip("only for SQLite")
	}
}

// PostgresOnly skips a test that needs a ledger in PostgreSQL.
func PostgresOnly(t *testing.T) {
	t.Helper()
	if !UsingPostgres() {
		t.Skip("only for PostgreSQL")
	}
}

// NewSource returns the source of a new ledger: a file that does not exist yet, or the
// URL of an empty schema. Both are removed after the test.
func NewSource(t testing.TB) string {
	t.Helper()
	if !UsingPostgres() {
		return filepath.Join(t.TempDir(), "state", "ledger.db")
	}
	name := "ledger_" + strings.ToLower(rand.Text())
	Exec(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { Exec(t, "DROP SCHEMA "+name+" CASCADE") })
	return WithParam(t, os.Getenv(databaseEnv), "search_path", name)
}

// WithParam sets a parameter of a ledger's URL.
func WithParam(t testing.TB, source, name, value string) string {
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

// Server opens a connection to PostgreSQL, outside the schemas of ledgers, once.
var Server = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("pgx", os.Getenv(databaseEnv)) })

// Exec runs a statement in PostgreSQL.
func Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	db, err := Server()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(context.Background(), statement, args...); err != nil {
		t.Error(err)
	}
}

// OpenDB opens another connection to a ledger's database.
func OpenDB(t testing.TB, source string) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", source
	if !strings.HasPrefix(source, "postgres") {
		driver, dsn = "sqlite", "file:"+url.PathEscape(source)+"?_txlock=immediate&_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
