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

// database is the URL of an empty schema in a PostgreSQL.
func database(t *testing.T) string {
	t.Helper()
	at := os.Getenv("WESENDALL_TEST_POSTGRES")
	if at == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("WESENDALL_TEST_POSTGRES must be set: guard/testdata/postgres sets it")
		}
		t.Skip("needs a PostgreSQL: guard/testdata/postgres go test ./...")
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", at)
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
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// A ledger in PostgreSQL is looked at, settled and examined like one in a file, and
// the password of its URL is never shown.
func TestALedgerInADatabase(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(database(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "s3cret")
	base, _ := upstream(t)
	env := append(slices.Clone(base), "WESENDALL_LEDGER="+u.String())
	run := func(env []string, args ...string) outcome {
		got := atHome(t, t.TempDir(), env, args...)
		if strings.Contains(got.out+got.stderr, "s3cret") {
			t.Errorf("%q shows the password: %+v", args, got)
		}
		return got
	}
	if got := run(env, "call", "send_sms", `{"recipient":"+256700000408","message":"Hi"}`); got.code != exitUnknown || !strings.Contains(got.out, "wesendall-mcp ledger resolve") {
		t.Fatalf("%+v", got)
	}
	var ledger struct{ Spends []struct{ ID, State string } }
	if err := json.Unmarshal([]byte(run(env, "ledger", "--json").out), &ledger); err != nil || len(ledger.Spends) != 1 || ledger.Spends[0].State != "unknown" {
		t.Fatalf("%+v, %v", ledger, err)
	}
	if got := run(env, "doctor"); !strings.Contains(got.out, u.Host+u.Path+" can be written") || !strings.Contains(got.out, "outcomes that nobody knows: 1") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger", "resolve", ledger.Spends[0].ID, "sent"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger"); !strings.Contains(got.out, "sent (resolved)") {
		t.Errorf("%+v", got)
	}
	u.Host = "127.0.0.1:1" // where nobody is
	env = append(slices.Clone(base), "WESENDALL_LEDGER="+u.String())
	if got := run(env, "call", "send_sms", `{"recipient":"+256700000010","message":"Hi"}`); got.code != exitFailure || !strings.Contains(got.out, "Nothing was sent: the database") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "ledger"); got.code != exitFailure || !strings.Contains(got.stderr, "connection refused") {
		t.Errorf("%+v", got)
	}
	if got := run(env, "doctor"); got.code != exitFailure || !strings.Contains(got.out, "see that the database runs") {
		t.Errorf("%+v", got)
	}
}
