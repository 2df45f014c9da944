package ledger

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// FixFor says what an operator can do about a ledger that does not work.
func FixFor(err error) string {
	if _, ok := errors.AsType[*PostgresError](err); ok {
		return "check that the database runs, that this machine may connect to it, " +
			"and that its user may create and change tables there " +
			"(WESENDALL_LEDGER=postgres://USER@HOST/DATABASE?sslmode=verify-full, the password in PGPASSWORD or PGPASSFILE)"
	}
	if e, ok := errors.AsType[*FileError](err); ok {
		return e.fix
	}
	code := 0
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code = e.Code() & 0xff
	}
	switch code {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "it is damaged, or not a ledger: check in the dashboard what was sent, because a new ledger has no budgets and " +
			"duplicates; then move the file away, or choose another (WESENDALL_LEDGER=PATH)"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "end the other program that has it open, or wait for it"
	case sqlite3.SQLITE_FULL:
		return "free space on its disk"
	}
	return "make the file writable, or choose another (WESENDALL_LEDGER=PATH)"
}
