// Package guard stands between the tools and the client and keeps money safe:
// it wraps the client's eight methods, prices a spend, holds it against the
// operator's limits, has a person agree where that is due, writes it down before
// it is made and its outcome after, and makes of every failure a code that says
// what became of the money and what to do.
//
// Every call that spends goes through it. It must never repeat a call by
// itself, and never call an outcome known that nobody documents.
package guard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// API is what the guard wraps; *client.Client is one.
type API interface {
	Balance(context.Context, client.BalanceRequest) (*client.Response, error)
	TopUp(context.Context, client.TopUpRequest) (*client.Response, error)
	Send(context.Context, client.SendRequest) (*client.Response, error)
	SendGroup(context.Context, client.GroupSendRequest) (*client.Response, error)
	History(context.Context, client.HistoryRequest) (*client.Response, error)
	Groups(context.Context, client.GroupsRequest) (*client.Response, error)
	CreateGroup(context.Context, client.CreateGroupRequest) (*client.Response, error)
	AddContacts(context.Context, client.AddContactsRequest) (*client.Response, error)
}

// Options say what the guard allows.
type Options struct {
	Base      string // the API's base URL: budgets are for it and a wallet
	Limits    Limits
	Confirm   Mode
	Countries []string // calling codes, such as 256
	Rate      float64  // upstream calls a second; 0 is no limit
	Ledger    func(context.Context) (*Ledger, error)
	Log       *slog.Logger
	Now       func() time.Time // nil is the clock
	// Sleep waits for a turn, until the context ends at the latest; nil waits by
	// the clock.
	Sleep func(context.Context, time.Duration) error
}

// Defaults are the limits that hold where the operator sets none, and a ledger
// in memory.
func Defaults() Options {
	return Options{
		Limits: Limits{
			PerCall: 50_000, PerDay: 100_000, TopUp: 500_000, Recipients: 1_000,
			ConfirmAbove: 1_000, DuplicateWindow: 10 * time.Minute,
		},
		Confirm: Auto, Countries: []string{"256"}, Rate: 10,
		Ledger: func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, "") },
	}
}

// Guard is a careful client. Its errors are all of type *Error. It is safe for
// concurrent use.
type Guard struct {
	api     API
	options Options
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	only    *seat    // of the one caller
	callers *callers // where there are many
	caller  string   // "" is the one
	own     *Limits  // of the caller; nil for none
	*shelf
}

// shelf keeps the ledger, once it is open.
type shelf struct {
	mu      sync.Mutex
	book    *Ledger
	opening *flight // while that lasts
	closed  bool

	// What callers are named with.
	first     sync.Once
	tried     atomic.Int64           // when it was last found closed
	key       atomic.Pointer[[]byte] // the ledger's, once it is open
	makeshift func() *[]byte         // until then
}

func newShelf() *shelf {
	return &shelf{makeshift: sync.OnceValue(func() *[]byte {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // which never fails
		return &key
	})}
}

// New wraps a client. It opens nothing: the ledger is opened at the first spend
// or quote.
func New(api API, o Options) *Guard {
	g := &Guard{api: api, options: o, now: o.Now, sleep: o.Sleep, only: newSeat(o.Rate), callers: newCallers(), shelf: newShelf()}
	if g.now == nil {
		g.now = time.Now
	}
	if g.sleep == nil {
		g.sleep = sleep
	}
	return g
}

// ledger is the ledger, which is opened if it is not open. Calls that come
// meanwhile wait for that together. A failure is not kept: the operator may mend
// it.
func (g *Guard) ledger(ctx context.Context) (*Ledger, error) {
	g.mu.Lock()
	if g.book != nil {
		defer g.mu.Unlock()
		return g.book, nil
	}
	o := g.opening
	if o == nil {
		o = &flight{done: make(chan struct{})}
		g.opening = o
		life, cancel := context.WithCancel(context.WithoutCancel(ctx))
		o.stop = cancel
		go g.open(life, o)
	}
	g.mu.Unlock()
	select {
	case <-o.done:
	case <-ctx.Done():
		return nil, g.broken(ctx.Err())
	}
	if o.err != nil {
		return nil, g.broken(o.err)
	}
	return o.book, nil
}

// flight is an attempt to open the ledger.
type flight struct {
	stop context.CancelFunc
	done chan struct{} // closed when it is over
	book *Ledger
	err  error
}

func (g *Guard) open(ctx context.Context, o *flight) {
	defer close(o.done)
	defer o.stop()
	book, err := g.options.Ledger(ctx)
	if err == nil && g.options.Now != nil {
		book.now = g.options.Now
	}
	if err == nil && g.options.Log != nil {
		book.log = g.options.Log
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.err, g.opening = err, nil; err != nil {
		return
	}
	if g.closed {
		o.err = errors.Join(context.Canceled, book.Close())
		return
	}
	o.book, g.book = book, book
	g.key.Store(&book.key)
}

// Close closes the ledger.
func (g *Guard) Close() error {
	g.mu.Lock()
	o, book := g.opening, g.book
	g.closed = true
	g.mu.Unlock()
	switch {
	case o != nil:
		o.stop()
		<-o.done
	case book != nil:
		return book.Close()
	}
	return nil
}

// Balance reads the wallet's balance and price.
func (g *Guard) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	response, err := slowly(ctx, g, g.api.Balance, r)
	if err == nil {
		g.learn(r.WalletID, response)
	}
	return response, err
}

// slowly makes a call at the rate that is allowed.
func slowly[R any](ctx context.Context, g *Guard, method func(context.Context, R) (*client.Response, error), r R) (*client.Response, error) {
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	return call(ctx, method, r)
}

// History reads a page of what was sent.
func (g *Guard) History(ctx context.Context, r client.HistoryRequest) (*client.Response, error) {
	return slowly(ctx, g, g.api.History, r)
}

// Groups reads the groups.
func (g *Guard) Groups(ctx context.Context, r client.GroupsRequest) (*client.Response, error) {
	return slowly(ctx, g, g.api.Groups, r)
}

// CreateGroup makes a group.
func (g *Guard) CreateGroup(ctx context.Context, r client.CreateGroupRequest) (*client.Response, error) {
	return slowly(ctx, g, g.api.CreateGroup, r)
}

// AddContacts adds contacts to a group.
func (g *Guard) AddContacts(ctx context.Context, r client.AddContactsRequest) (*client.Response, error) {
	contacts := make([]client.Contact, len(r.Contacts))
	var faults []string
	for i, c := range r.Contacts {
		n := numbers{}
		n.add(c.Phone)
		argument := fmt.Sprintf("contacts/%d/phone", i)
		if faults = append(faults, n.faults(argument)...); len(n.refused) > 0 {
			continue
		}
		if err := g.allowed(argument, &n, false); err != nil {
			return nil, err
		}
		contacts[i] = client.Contact{Phone: n.e164[0], Name: c.Name}
	}
	if len(faults) > 0 {
		return nil, Fail(InvalidArguments, "Nothing was added. "+strings.Join(faults, "; "))
	}
	r.Contacts = contacts
	return slowly(ctx, g, g.api.AddContacts, r)
}

// call makes one call and explains its failure.
func call[R any](ctx context.Context, method func(context.Context, R) (*client.Response, error), r R) (*client.Response, error) {
	response, err := method(ctx, r)
	if err == nil {
		return response, nil
	}
	if failure, ok := errors.AsType[*client.Error](err); ok {
		return nil, explain(failure)
	}
	return nil, err
}
