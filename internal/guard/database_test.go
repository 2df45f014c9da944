package guard

import (
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
)

// databaseEnv has the URL of a PostgreSQL to test with, which test/with-postgres
// starts; ledgerEnv says in the second run that its ledgers are there.
const (
	databaseEnv = "WESENDALL_TEST_POSTGRES"
	ledgerEnv   = "GUARD_TEST_LEDGER"
)

// runWithBothBackends runs the tests with ledgers in files, and once more with ledgers in
// PostgreSQL, in a process of their own.
func runWithBothBackends(m *testing.M) int {
	database := os.Getenv(databaseEnv) // before the tests, so that their result is kept for this one alone
	code := m.Run()
	switch {
	case os.Getenv(ledgerEnv) != "" || os.Getenv(childEnv) != "" || fuzzing():
		return code
	case database == "":
		if os.Getenv("CI") != "" {
			fmt.Fprintln(os.Stderr, databaseEnv+" must be set where CI is: test/with-postgres sets it")
			return 1
		}
		return code
	}
	fmt.Fprintln(os.Stderr, "and with PostgreSQL:")
	args := os.Args[1:]
	if flag.Lookup("rapid.checks").Value.String() == manyChecks { // which take twice as long there
		args = append(slices.Clone(args), "-rapid.checks=100")
	}
	rerun := exec.Command(os.Args[0], args...)
	rerun.Env = append(os.Environ(), ledgerEnv+"=postgres")
	rerun.Stdout, rerun.Stderr = os.Stdout, os.Stderr //nolint:forbidigo // as a test's own
	if err := rerun.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "with PostgreSQL:", err)
		return 1
	}
	return code
}

// fuzzing tells whether this is the fuzzer, whose targets know of no ledger.
func fuzzing() bool {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzz=") || arg == "-test.fuzzworker" {
			return true
		}
	}
	return false
}

// usingPostgres tells whether the ledgers of this run are in PostgreSQL.
func usingPostgres() bool { return os.Getenv(ledgerEnv) == "postgres" }

// sqliteOnly skips a test that is about files.
func sqliteOnly(t *testing.T) {
	t.Helper()
	if usingPostgres() {
		t.Skip("is about files")
	}
}

// postgresOnly skips a test that is about PostgreSQL.
func postgresOnly(t *testing.T) {
	t.Helper()
	if !usingPostgres() {
		t.Skip("is about PostgreSQL")
	}
}

// newLedgerSource is where a new ledger can be: a file that is not there, or a
// schema that is empty and goes with the test.
func newLedgerSource(t testing.TB) string {
	t.Helper()
	if !usingPostgres() {
		return filepath.Join(t.TempDir(), "state", "ledger.db")
	}
	name := "ledger_" + strings.ToLower(rand.Text())
	execSQL(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { execSQL(t, "DROP SCHEMA "+name+" CASCADE") })
	return schemaURL(t, os.Getenv(databaseEnv), name)
}

// schemaURL is the URL of a schema of a database.
func schemaURL(t testing.TB, database, name string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// openTestDB is the database that tests look into by another way than the ledger's.
var openTestDB = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("pgx", os.Getenv(databaseEnv)) })

// execSQL runs a statement in the database.
func execSQL(t testing.TB, statement string, args ...any) {
	t.Helper()
	db, err := openTestDB()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(context.Background(), statement, args...); err != nil {
		t.Error(err)
	}
}
