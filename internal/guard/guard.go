// Package guard enforces the spending rules: phone numbers, price, limits,
// duplicates and confirmation. It stores each spend before its request leaves and
// its outcome after, and gives every failure a code that says what it means for the
// money. It never repeats a call, and never calls an outcome known that Wesendall
// does not document.
package guard

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// API is what the guard calls; *client.Client implements it.
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
	BaseURL   string // budgets are for it and a wallet: client.CanonicalBaseURL
	Limits    Limits
	Confirm   ConfirmMode
	Countries []string // calling codes, such as 256
	// WalletNotice names the wallet and where its credentials come from, if that may
	// not be what the user means: the end of a sentence with "because". Every spend
	// then needs a confirmation that says it, and top-ups are refused.
	WalletNotice string
	Rate         float64 // upstream calls a second; 0 is no limit
	// QuietHours make a send to many need a confirmation.
	QuietHours QuietHours
	DoNotText  *DoNotTextList // nil for none
	// OpenLedger opens the ledger at the first spend or quote. nil is one in memory.
	OpenLedger func(context.Context, ledger.Options) (*ledger.Ledger, error)
	Logger     *slog.Logger
	Clock      func() time.Time // nil is the system's
	// SleepFunc waits for a rate token, at most until the context ends; nil is
	// client.SleepContext.
	SleepFunc func(context.Context, time.Duration) error
}

// Guard is a client that keeps the rules. All its errors are of type *Error. It is
// safe for concurrent use.
type Guard struct {
	api              API
	options          Options
	defaultState     *callerState  // of the only caller
	callerStates     *callerCache  // where there are many
	callerID         string        // "" is the only caller
	callerLimits     *Limits       // nil for none
	departureTimeout time.Duration // shorter in tests
	*ledgerHandle
}

// New returns a guard around a client. It opens nothing.
func New(api API, o Options) *Guard {
	ledgerClock := o.Clock
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.SleepFunc == nil {
		o.SleepFunc = client.SleepContext
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Guard{
		api: api, options: o, defaultState: newCallerState(o.Rate), callerStates: newCallerCache(),
		ledgerHandle: newLedgerHandle(ledgerClock), departureTimeout: defaultDepartureTimeout,
	}
}

// Balance reads the wallet's balance and price.
func (g *Guard) Balance(ctx context.Context, req client.BalanceRequest) (*client.Response, error) {
	response, err := callRateLimited(ctx, g, g.api.Balance, req)
	if err == nil {
		_, _ = g.parseAndCachePrice(req.WalletID, response) // a spend reports an unusable balance itself
	}
	return response, err
}

// History reads a page of what was sent.
func (g *Guard) History(ctx context.Context, req client.HistoryRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.History, req)
}

// Groups reads the groups.
func (g *Guard) Groups(ctx context.Context, req client.GroupsRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.Groups, req)
}

// CreateGroup creates a group.
func (g *Guard) CreateGroup(ctx context.Context, req client.CreateGroupRequest) (*client.Response, error) {
	return callRateLimited(ctx, g, g.api.CreateGroup, req)
}

type apiMethod[R any] func(context.Context, R) (*client.Response, error)

// callRateLimited makes a call when the rate allows it.
func callRateLimited[R any](ctx context.Context, g *Guard, method apiMethod[R], req R) (*client.Response, error) {
	if err := g.waitForRate(ctx); err != nil {
		return nil, err
	}
	return callUpstream(ctx, method, req)
}

// callUpstream makes a call, and turns the client's error into one for an agent.
func callUpstream[R any](ctx context.Context, method apiMethod[R], req R) (*client.Response, error) {
	response, err := method(ctx, req)
	if err == nil {
		return response, nil
	}
	if clientErr, ok := errors.AsType[*client.Error](err); ok {
		return nil, fromClientError(clientErr)
	}
	return nil, err
}
