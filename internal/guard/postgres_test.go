package guard

import (
	"net/url"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// With another key nothing of what was sent would be found.
func TestIdentity_Replaced(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	original := env.guard
	u, _ := url.Parse(env.ledgerSource)
	name := u.Query().Get("search_path")
	for _, statement := range []string{"DELETE FROM " + name + ".meta WHERE name = 'hash_key'", "DROP TABLE " + name + ".meta"} {
		ledgertest.Exec(t, statement)
		_, err := original.opened().Reserve(t.Context(), ledger.Intent{Account: "base wallet"}, ledger.Policy{})
		if err == nil || !strings.Contains(err.Error(), "emptied or replaced") {
			t.Error(err)
		}
		env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	}
	ledgertest.Exec(t, "DROP SCHEMA "+name+" CASCADE")
	ledgertest.Exec(t, "CREATE SCHEMA "+name)
	env.restart()
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	env.guard = original
	env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("He", SpendOptions{}, phone1) })
}

func TestPrivacy_Postgres(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(func() (*Receipt, *Error) { return env.send("private words", SpendOptions{}, phone1) })
	_, _ = env.send("private words", SpendOptions{DryRun: true}, phone2)
	for _, table := range []string{"meta", "spends", "spend_targets", "daily_totals"} {
		var raw string
		// bytea in the way that shows letters as they are
		db := ledgertest.OpenDB(t, ledgertest.WithParam(t, env.ledgerSource, "bytea_output", "escape"))
		if err := db.QueryRow(`SELECT string_agg(CAST(t AS TEXT), ' ') FROM ` + table + ` t`).Scan(&raw); err != nil || raw == "" {
			t.Errorf("%s: %v", table, err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(raw, secret) {
				t.Errorf("%s has %q", table, secret)
			}
		}
	}
}
