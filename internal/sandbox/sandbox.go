// Package sandbox is a fake Wesendall API: the eight endpoints over real HTTP, with the
// documented validation, error codes and wallet arithmetic, on an embedded SQLite database.
// It sends no SMS and moves no money.
//
// Documented behaviour is as documented. Where the documents say nothing, the package does
// what is hardest for a client, so that a program that works here makes no assumptions.
//
// It imports neither the client nor the guard, so that it can prove them wrong. It must never
// reach another machine or be reached from one.
package sandbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/http"
	"strings"
	"time"
)

// The account that every sandbox has; money is in UGX.
const (
	APIKey         = "sk_test_sandbox"
	APISecret      = "ws_test_secret" //nolint:gosec // public, in the documents
	WalletID       = "wal_sandbox"
	GroupID        = "grp_customers" // with Options.WithSampleGroup
	CostPerSMS     = 35
	DefaultBalance = 5000
)

// Options configure a sandbox. The zero value is a sandbox in memory with an empty wallet.
type Options struct {
	// DB is the database file, created if missing; "" keeps everything in memory.
	DB string
	// Balance is the wallet's first balance in UGX. A database that already has the wallet
	// keeps its balance.
	Balance int64
	// WithSampleGroup creates the group GroupID with two contacts.
	WithSampleGroup bool
	// Accounts are created in addition to the one that every sandbox has.
	Accounts []Account
	// ApproveAfter is how long a payer takes to answer a top-up; 0 is a second.
	ApproveAfter time.Duration
}

// Account is a key with its wallet. Several keys may share a wallet.
type Account struct {
	Key, Secret, Wallet string
	Balance             int64 // UGX, if the wallet is new
}

// Sandbox is the fake API as an http.Handler.
type Sandbox struct {
	db           *sql.DB
	mux          *http.ServeMux
	approveAfter time.Duration
	now          func() time.Time
	newID        func(prefix string) string
}

// Open opens the sandbox's database and creates what is missing. ctx only limits the opening.
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
