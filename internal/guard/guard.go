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
	SendGroup(context.Context, client.SendGroupRequest) (*client.Response, error)
	History(context.Context, client.HistoryRequest) (*client.Response, error)
	Groups(context.Context, client.GroupsRequest) (*client.Response, error)
	CreateGroup(context.Context, client.CreateGroupRequest) (*client.Response, error)
	AddContacts(context.Context, client.AddContactsRequest) (*client.Response, error)
}

// Options say what the guard allows.
type Options struct {
	BaseURL    string // the API's base URL: budgets are for it and a wallet
	Limits     Limits
	Confirm    ConfirmMode
	Countries  []string // calling codes, such as 256
	Rate       float64  // upstream calls a second; 0 is no limit
	OpenLedger func(context.Context) (*Ledger, error)
	Logger     *slog.Logger
	Clock      func() time.Time // nil is the clock
	// Sleep waits for a turn, until the context ends at the latest; nil waits by
	// the clock.
	SleepFunc func(context.Context, time.Duration) error
}

// DefaultOptions are the limits that hold where the operator sets none, and a ledger
// in memory.
func DefaultOptions() Options {
	return Options{
		Limits: Limits{
			PerCall: 50_000, PerDay: 100_000, TopUp: 500_000, Recipients: 1_000,
			ConfirmAbove: 1_000, DuplicateWindow: 10 * time.Minute,
		},
		Confirm: ConfirmAuto, Countries: []string{"256"}, Rate: 10,
		OpenLedger: func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, "") },
	}
}

// Guard is a careful client. Its errors are all of type *Error. It is safe for
// concurrent use.
type Guard struct {
	api          API
	options      Options
	now          func() time.Time
	sleepFunc    func(context.Context, time.Duration) error
	defaultState *callerState // of the one caller
	callerStates *callerCache // where there are many
	callerID     string       // "" is the one
	callerLimits *Limits      // of the caller; nil for none
	*ledgerHandle
}

// ledgerHandle keeps the ledger, once it is open.
type ledgerHandle struct {
	mu      sync.Mutex
	ledger  *Ledger
	opening *flight // while that lasts
	closed  bool

	// What callers are named with.
	firstOpen   sync.Once
	lastFailure atomic.Int64           // when it was last found closed
	key         atomic.Pointer[[]byte] // the ledger's, once it is open
	fallbackKey func() *[]byte         // until then
}

func newLedgerHandle() *ledgerHandle {
	return &ledgerHandle{fallbackKey: sync.OnceValue(func() *[]byte {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // which never fails
		return &key
	})}
}

// New wraps a client. It opens nothing: the ledger is opened at the first spend
// or quote.
func New(api API, o Options) *Guard {
	g := &Guard{api: api, options: o, now: o.Clock, sleepFunc: o.SleepFunc, defaultState: newCallerState(o.Rate), callerStates: newCallerCache(), ledgerHandle: newLedgerHandle()}
	if g.now == nil {
		g.now = time.Now
	}
	if g.sleepFunc == nil {
		g.sleepFunc = sleep
	}
	return g
}

// openLedger is the ledger, which is opened if it is not open. Calls that come
// meanwhile wait for that together. A failure is not kept: the operator may mend
// it.
func (g *Guard) openLedger(ctx context.Context) (*Ledger, error) {
	g.mu.Lock()
	if g.ledger != nil {
		defer g.mu.Unlock()
		return g.ledger, nil
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
		return nil, g.ledgerError(ctx.Err())
	}
	if o.err != nil {
		return nil, g.ledgerError(o.err)
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
	l, err := g.options.OpenLedger(ctx)
	if err == nil && g.options.Clock != nil {
		l.Now = g.options.Clock
	}
	if err == nil && g.options.Logger != nil {
		l.Logger = g.options.Logger
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.err, g.opening = err, nil; err != nil {
		return
	}
	if g.closed {
		o.err = errors.Join(context.Canceled, l.Close())
		return
	}
	o.book, g.ledger = l, l
	g.key.Store(&l.Key)
}

// Close closes the ledger.
func (g *Guard) Close() error {
	g.mu.Lock()
	o, l := g.opening, g.ledger
	g.closed = true
	g.mu.Unlock()
	switch {
	case o != nil:
		o.stop()
		<-o.done
	case l != nil:
		return l.Close()
	}
	return nil
}

// Balance reads the wallet's balance and price.
func (g *Guard) Balance(ctx context.Context, req client.BalanceRequest) (*client.Response, error) {
	response, err := callRateLimited(ctx, g, g.api.Balance, req)
	if err == nil {
		g.cacheBalance(req.WalletID, response)
	}
	return response, err
}

// callRateLimited makes a call at the rate that is allowed.
func callRateLimited[R any](ctx context.Context, g *Guard, method func(context.Context, R) (*client.Response, error), req R) (*client.Response, error) {
	if err := g.waitForRate(ctx); err != nil {
		return nil, err
	}
	return callUpstream(ctx, method, req)
}

// History reads a page of what was sent.
func (g *Guard) History(ctx context.Context, req client.HistoryRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.History, req)
}

// Groups reads the groups.
func (g *Guard) Groups(ctx context.Context, req client.GroupsRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.Groups, req)
}

// CreateGroup makes a group.
func (g *Guard) CreateGroup(ctx context.Context, req client.CreateGroupRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.CreateGroup, req)
}

// AddContacts adds contacts to a group.
func (g *Guard) AddContacts(ctx context.Context, req client.AddContactsRequest) (*client.Response, error) {
	contacts := make([]client.Contact, len(req.Contacts))
	var problems []string
	for i, c := range req.Contacts {
		phones := phoneList{}
		phones.add(c.Phone)
		argument := fmt.Sprintf("contacts/%d/phone", i)
		if problems = append(problems, phones.problems(argument)...); len(phones.rejected) > 0 {
			continue
		}
		if err := g.checkDestinations(argument, &phones, false); err != nil {
			return nil, err
		}
		contacts[i] = client.Contact{Phone: phones.e164[0], Name: c.Name}
	}
	if len(problems) > 0 {
		return nil, NewError(CodeInvalidArguments, "Nothing was added. "+strings.Join(problems, "; "))
	}
	req.Contacts = contacts
	return callRateLimited(ctx, g, g.api.AddContacts, req)
}

// callUpstream makes one call and explains its failure.
func callUpstream[R any](ctx context.Context, method func(context.Context, R) (*client.Response, error), req R) (*client.Response, error) {
	response, err := method(ctx, req)
	if err == nil {
		return response, nil
	}
	if clientErr, ok := errors.AsType[*client.Error](err); ok {
		return nil, fromClientError(clientErr)
	}
	return nil, err
}
