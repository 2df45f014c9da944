package guard

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Without a ledger nothing is spent, but reading works.
func TestLedger_FailureBlocksSpendsOnly(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "corrupt.db")
	if err := os.WriteFile(corrupt, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"the file is damaged":             corrupt,
		"the path is a directory":         dir,
		"its directory cannot be created": filepath.Join(corrupt, "x", "ledger.db"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			env.ledgerSource = path
			env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{}, phone1)).says("WESENDALL_LEDGER")
			env.expectError(CodeNotConfigured)(env.topUp(500, SpendOptions{}, phone1))
			env.expectError(CodeNotConfigured)(env.sendGroup("Hi", SpendOptions{DryRun: true}))
			env.expectReadsWork()
			env.ledgerSource = filepath.Join(t.TempDir(), "fixed.db")
			env.expectOK(env.send("Hi", SpendOptions{}, phone1))
		})
	}
}

// A ledger whose file was removed is not used, though this process still has it open.
func TestLedger_Removed(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	if err := os.Rename(env.ledgerSource, env.ledgerSource+".old"); err != nil {
		t.Fatal(err)
	}
	env.expectError(CodeNotConfigured)(env.send("Ho", SpendOptions{}, phone1)).says("removed or replaced")
	if err := os.Rename(env.ledgerSource+".old", env.ledgerSource); err != nil {
		t.Fatal(err)
	}
	env.expectOK(env.send("Ho", SpendOptions{}, phone1))
}

func TestLedger_RemovedDuringConfirm(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	for _, name := range []string{"", "-wal"} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		ask := func(context.Context, string) (Answer, error) { return AnswerYes, os.Remove(env.ledgerSource + name) }
		env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{Elicit: ask}, phone1)).says("put it back")
	}
}

// A database with another key, or without one, is refused: earlier sends would not be found.
func TestIdentity_Replaced(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	original := env.guard
	u, _ := url.Parse(env.ledgerSource)
	name := u.Query().Get("search_path")
	for _, statement := range []string{
		"DELETE FROM " + name + ".meta WHERE name = 'hash_key'", "DROP TABLE " + name + ".meta",
	} {
		ledgertest.Exec(t, statement)
		_, err := original.opened().Reserve(t.Context(), ledger.Intent{Account: "base wallet"}, ledger.Policy{})
		if err == nil || !strings.Contains(err.Error(), "emptied or replaced") {
			t.Error(err)
		}
		env.expectError(CodeNotConfigured)(env.send("Ho", SpendOptions{}, phone1))
	}
	ledgertest.Exec(t, "DROP SCHEMA "+name+" CASCADE")
	ledgertest.Exec(t, "CREATE SCHEMA "+name)
	env.restart()
	env.expectOK(env.send("Ho", SpendOptions{}, phone1))
	env.guard = original
	env.expectError(CodeNotConfigured)(env.send("He", SpendOptions{}, phone1))
}

// Calls that come while the ledger opens share one opening. Each waits until its own
// context ends.
func TestOpenLedger_SingleFlight(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	g := New(nil, Options{OpenLedger: func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
		if opened.Add(1) == 1 {
			close(started)
		}
		select {
		case <-release:
			return ledger.Open(ctx, "", o)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := g.openLedger(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-started
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.openLedger(short); err == nil {
		t.Error("a cancelled call got a ledger")
	}
	close(release)
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("the ledger was opened %d times", opened.Load())
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// Close ends an opening that hangs.
func TestOpenLedger_Closed(t *testing.T) {
	t.Parallel()
	blocked := make(chan struct{})
	g := New(nil, Options{OpenLedger: func(ctx context.Context, _ ledger.Options) (*ledger.Ledger, error) {
		close(blocked)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := g.openLedger(context.WithoutCancel(t.Context())); err == nil {
			t.Error("the ledger opened")
		}
	})
	<-blocked
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// The ledger stores neither texts nor phone numbers.
func TestPrivacy_SQLite(t *testing.T) {
	t.Parallel()
	ledgertest.SQLiteOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.send("private words", SpendOptions{}, phone1))
	_, _ = env.send("private words", SpendOptions{DryRun: true}, phone2)
	for _, name := range []string{env.ledgerSource, env.ledgerSource + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
}

func TestPrivacy_Postgres(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.send("private words", SpendOptions{}, phone1))
	_, _ = env.send("private words", SpendOptions{DryRun: true}, phone2)
	for _, table := range []string{"meta", "spends", "spend_targets", "daily_totals"} {
		var raw string
		// bytea_output=escape shows letters as letters.
		db := ledgertest.OpenDB(t, ledgertest.WithParam(t, env.ledgerSource, "bytea_output", "escape"))
		err := db.QueryRow(`SELECT string_agg(CAST(t AS TEXT), ' ') FROM ` + table + ` t`).Scan(&raw)
		if err != nil || raw == "" {
			t.Errorf("%s: %v", table, err)
		}
		for _, secret := range []string{"private", "700000010", "700000011", sandbox.APISecret} {
			if strings.Contains(raw, secret) {
				t.Errorf("%s has %q", table, secret)
			}
		}
	}
}
