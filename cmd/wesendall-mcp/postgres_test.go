package main

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

// newPostgresSchema returns the URL of an empty PostgreSQL schema.
func newPostgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("WESENDALL_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("WESENDALL_TEST_POSTGRES must be set: test/with-postgres sets it")
		}
		t.Skip("needs a PostgreSQL: test/with-postgres go test ./...")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := "program_" + strings.ToLower(rand.Text())
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := db.Exec("DROP SCHEMA " + schema + " CASCADE")
		if err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// The commands work with a ledger in PostgreSQL as with a file, and never show the password of
// its URL.
func TestLedger_Postgres(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(newPostgresSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "s3cret")
	base, _ := upstream(t)
	env := append(slices.Clone(base), "WESENDALL_LEDGER="+u.String())
	run := func(env []string, args ...string) runResult {
		got := runInHome(t, t.TempDir(), env, args...)
		if strings.Contains(got.stdout+got.stderr, "s3cret") {
			t.Errorf("%q shows the password: %+v", args, got)
		}
		return got
	}
	if got := run(env, "call", "send_sms",
		`{"recipient":"+256700000408","message":"Hi"}`); got.exitCode != exitOutcomeUnknown ||
		!strings.Contains(got.stdout, "wesendall-mcp ledger resolve") {
		t.Fatalf("%+v", got)
	}
	var ledger struct{ Spends []struct{ ID, State string } }
	if err := json.Unmarshal([]byte(run(env, "ledger", "--json").stdout), &ledger); err != nil ||
		len(ledger.Spends) != 1 || ledger.Spends[0].State != "unknown" {
		t.Fatalf("%+v, %v", ledger, err)
	}
	if got := run(env, "doctor"); !strings.Contains(got.stdout, u.Host+u.Path+" can be written") ||
		!strings.Contains(got.stdout, "unknown outcomes: 1") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger", "resolve", ledger.Spends[0].ID, "sent"); got.exitCode != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger"); !strings.Contains(got.stdout, "sent (resolved)") {
		t.Errorf("%+v", got)
	}
	u.Host = "127.0.0.1:1" // nothing listens there
	env = append(slices.Clone(base), "WESENDALL_LEDGER="+u.String())
	if got := run(env, "call", "send_sms", `{"recipient":"+256700000010","message":"Hi"}`); got.exitCode != exitError ||
		!strings.Contains(got.stdout, "Nothing was sent: the database") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger"); got.exitCode != exitError || !strings.Contains(got.stderr, "connection refused") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "doctor"); got.exitCode != exitError || !strings.Contains(got.stdout,
		"check that the database runs") {
		t.Errorf("%+v", got)
	}
}
