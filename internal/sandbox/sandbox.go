// Package sandbox stands in for the Wesendall API: its eight endpoints over
// real HTTP, with its validation, its error codes and its wallet arithmetic, on
// an embedded SQLite database. It texts nobody and moves no money.
//
// What Wesendall documents is done as documented. Where it documents nothing,
// the package does what is hardest on a client, so that a program which passes
// here was not relying on luck.
//
// It imports nothing else of this module, so that it can prove the client
// wrong, and it must never reach another machine or be reached from one.
package sandbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/http"
	"strings"
	"time"
)

// The account that every sandbox has, and its prices in UGX.
const (
	APIKey         = "sk_test_sandbox"
	APISecret      = "ws_test_secret" //nolint:gosec // made up, and published in the documents
	WalletID       = "wal_sandbox"
	GroupID        = "grp_customers" // where Options.Group asks for it
	CostPerSMS     = 35
	DefaultBalance = 5000
)

// Magic values: what asks for them gets a failure that is hard to have otherwise.
const (
	revokedKey = "sk_test_revoked" // whatever its secret

	internalErrorRecipient    = "+256700000500" // internal_error before anything is charged
	providerRejectedRecipient = "+256700000502" // the gateway refuses: refunded, send_failed
	noResponseRecipient       = "+256700000408" // charged and sent, but the caller is never told

	decliningPayer    = "+256700000001"
	unresponsivePayer = "+256700000002" // neither approves nor declines
)

// Options say how to open a sandbox. The zero value is a sandbox in memory with
// an empty wallet.
type Options struct {
	// DB is the database file, created when missing; "" keeps all in memory.
	DB string
	// Balance in UGX of a wallet that is created now. A database that already
	// has the wallet keeps what is in it.
	Balance int64
	// Group has a group of two contacts made, for people to try groups with.
	WithSampleGroup bool
	// Accounts are made besides the one that every sandbox has.
	Accounts []Account
	// ApproveAfter is how long a payer takes to answer a top-up; 0 is a second.
	ApproveAfter time.Duration
}

// Account is a key with its wallet. Several keys may have the same one.
type Account struct {
	Key, Secret, Wallet string
	Balance             int64 // of a wallet that is created now
}

// Sandbox is the stand-in API as an http.Handler.
type Sandbox struct {
	db           *sql.DB
	mux          *http.ServeMux
	approveAfter time.Duration
	now          func() time.Time
	newID        func(prefix string) string
}

// Open opens the sandbox's database, creating what is missing. The context
// bounds the opening alone.
func Open(ctx context.Context, o Options) (*Sandbox, error) {
	db, err := openDB(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{db: db, approveAfter: o.ApproveAfter, now: time.Now, newID: newID}
	if s.approveAfter == 0 {
		s.approveAfter = time.Second
	}
	s.mux = s.newMux()
	return s, nil
}

// Close closes the database. Calls still running end in internal_error.
func (s *Sandbox) Close() error { return s.db.Close() }

func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
