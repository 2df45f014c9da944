package ledger

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

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// Processes that open an empty database at once all succeed and share one key.
func TestMigrate_Concurrent(t *testing.T) {
	t.Parallel()
	source := ledgertest.NewSource(t)
	var wg sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		wg.Go(func() { keys[i] = string(openTestLedger(t, source, Options{}).Key()) })
	}
	wg.Wait()
	if keys = slices.Compact(keys); len(keys) != 1 || len(keys[0]) != 32 {
		t.Errorf("%x", keys)
	}
}

// applyTo migrates a ledger as a program with these migrations does.
func applyTo(l *Ledger, migrations []string) error {
	migrate := migrateSQLite
	if ledgertest.UsingPostgres() {
		migrate = migratePostgres
	}
	return l.withAccountTx(context.Background(), "the schema", func(ctx context.Context, tx *sql.Tx) error {
		return migrate(ctx, tx, migrations)
	})
}

// The first process migrates an older database, once. A newer database is refused.
func TestMigrate_Versions(t *testing.T) {
	t.Parallel()
	source := ledgertest.NewSource(t)
	l := openTestLedger(t, source, Options{})
	database := "sqlite"
	if ledgertest.UsingPostgres() {
		database = "postgres"
	}
	current, err := loadMigrations(migrationsFS, database)
	if err != nil {
		t.Fatal(err)
	}
	next := append(slices.Clone(current),
		`ALTER TABLE spends ADD COLUMN more TEXT NOT NULL DEFAULT ''`, `ALTER TABLE spends ADD COLUMN again TEXT`)
	var wg sync.WaitGroup
	replicas := make([]*Ledger, 8)
	for i := range replicas {
		replicas[i] = openTestLedger(t, source, Options{})
	}
	for _, replica := range replicas {
		wg.Go(func() {
			if err := applyTo(replica, next[:len(current)+1]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(applyTo(l, next), applyTo(l, next)); err != nil {
		t.Fatal(err)
	}
	mustReserve(t, l, testIntent("Hi"), Policy{Limits: testLimits}) // a process of the previous version goes on
	_, err = Open(t.Context(), source, Options{})
	if err == nil || !strings.Contains(err.Error(),
		"the ledger's schema is version 3, and this program knows 1: it was written by a newer wesendall-mcp") {
		t.Error(err)
	}
	// A migration that fails changes nothing.
	const half = `ALTER TABLE spends ADD COLUMN half TEXT`
	if err := applyTo(l, append(next, half+`; ALTER TABLE nothing ADD COLUMN half TEXT`)); err == nil {
		t.Error("a migration that fails succeeded")
	}
	if err := applyTo(l, append(next, half)); err != nil {
		t.Error(err)
	}
}

func TestMigrate_Files(t *testing.T) {
	t.Parallel()
	file := func(raw string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(raw)} }
	got, err := loadMigrations(fstest.MapFS{
		"migrations/sqlite/00001_init.sql": file("a"), "migrations/sqlite/00002_more.sql": file("b"),
	}, "sqlite")
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
	_, err = loadMigrations(fstest.MapFS{
		"migrations/sqlite/00001_init.sql": file("a"), "migrations/sqlite/00003_gap.sql": file("c"),
	}, "sqlite")
	if err == nil {
		t.Error("a missing number was accepted")
	}
}

// A schema with tables of another program is refused.
func TestMigrate_ForeignTables(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	source := ledgertest.NewSource(t)
	u, _ := url.Parse(source)
	ledgertest.Exec(t, "CREATE TABLE "+u.Query().Get("search_path")+".meta (id INT)")
	if _, err := Open(t.Context(), source, Options{}); err == nil || !strings.Contains(err.Error(), "search_path") {
		t.Error(err)
	}
}
