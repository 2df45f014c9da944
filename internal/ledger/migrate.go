package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
)

// The migrations from an empty database to the present schema: 00001_init.sql and
// so on, in the order of their names. One that was released is never changed. A
// new one only adds, because replicas of the version before keep running, and it
// is quick, because calls wait for it.
//
//go:embed migrations
var migrationsFS embed.FS

// loadMigrations reads the migrations of one kind of database, in order.
func loadMigrations(fsys fs.FS, database string) ([]string, error) {
	names, err := fs.Glob(fsys, "migrations/"+database+"/[0-9]*.sql") // sorted
	if err != nil {
		return nil, err
	}
	migrations := make([]string, len(names))
	for i, name := range names {
		if want := fmt.Sprintf("migrations/%s/%05d_", database, i+1); len(name) < len(want) || name[:len(want)] != want {
			return nil, fmt.Errorf("%s is not migration %d", name, i+1)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		migrations[i] = string(text)
	}
	return migrations, nil
}

// migrateSQLite applies the migrations that the file lacks. Its version is PRAGMA
// user_version.
func migrateSQLite(ctx context.Context, tx *sql.Tx, migrations []string) error {
	var version int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version == len(migrations) {
		return nil
	}
	if err := applyMigrations(ctx, tx, migrations, version); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)))
	return err
}

// migratePostgres applies the migrations that the database lacks. Its version is a
// row of meta, and the caller's transaction holds the schema's advisory lock. A
// migration library would bring its own table and lock for these lines.
func migratePostgres(ctx context.Context, tx *sql.Tx, migrations []string) error {
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT to_regclass('meta') IS NOT NULL`).Scan(&exists); err != nil {
		return err
	}
	version := 0
	if exists {
		var text string
		row := tx.QueryRowContext(ctx, `SELECT convert_from(value, 'UTF8') FROM meta WHERE name = 'version'`)
		if err := row.Scan(&text); err != nil {
			return fmt.Errorf("the table meta is not a ledger's "+
				"(give the ledger a database of its own, or a schema with search_path): %w", err)
		}
		var err error
		if version, err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	if version == len(migrations) {
		return nil
	}
	if err := applyMigrations(ctx, tx, migrations, version); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('version', $1)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []byte(strconv.Itoa(len(migrations))))
	return err
}

func applyMigrations(ctx context.Context, tx *sql.Tx, migrations []string, version int) error {
	if version > len(migrations) {
		return fmt.Errorf("the ledger's schema is version %d, and this program knows %d: "+
			"it was written by a newer wesendall-mcp, so use that", version, len(migrations))
	}
	for _, migration := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, migration); err != nil {
			return err
		}
	}
	return nil
}
