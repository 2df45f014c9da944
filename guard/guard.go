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
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

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
	prices  prices
	rate    *rate.Limiter

	mu   sync.Mutex
	book *Ledger // once it is open
}

// burst is how many upstream calls may come at once, for a rate of ten a second.
const burst = 2

// New wraps a client. It opens nothing: the ledger is opened at the first spend
// or quote.
func New(api API, o Options) *Guard {
	g := &Guard{api: api, options: o, now: o.Now, prices: prices{last: map[string]price{}}}
	if g.now == nil {
		g.now = time.Now
	}
	if o.Rate > 0 {
		g.rate = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate*burst)))
	}
	return g
}

// ledger opens the ledger, if it is not open. A failure is not kept: the
// operator may mend it.
func (g *Guard) ledger(ctx context.Context) (*Ledger, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.book == nil {
		book, err := g.options.Ledger(ctx)
		if err != nil {
			return nil, g.broken(err)
		}
		book.now = g.now
		g.book = book
	}
	return g.book, nil
}

// Close closes the ledger.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.book == nil {
		return nil
	}
	return g.book.Close()
}

// Balance reads the wallet's balance and price.
func (g *Guard) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	return slowly(ctx, g, g.api.Balance, r)
}

// topUpTool is the tool whose spends are a payer's money.
const topUpTool = "topup_wallet"

// TopUp asks a payer for money.
func (g *Guard) TopUp(ctx context.Context, r client.TopUpRequest, how How) (*Receipt, error) {
	payer := read([]string{r.PhoneNumber})
	if len(payer.e164)+len(payer.refused) != 1 {
		return nil, Fail(InvalidArguments, "Nobody was asked. phone_number: must be one phone number")
	}
	if err := g.allowed("phone_number", payer, 1, how.DryRun); err != nil {
		return nil, err
	}
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	s := &spending{
		intent: intent{
			account: g.accountOf(r.WalletID), tool: topUpTool, content: []string{strconv.FormatInt(r.Amount, 10)},
			targets: payer.e164, rest: []string{"phone_number", r.Description}, total: r.Amount, topUp: true,
		},
		quote: Quote{Numbers: payer.e164, Refused: payer.refused, Notes: payer.notes, Total: r.Amount, to: audience(payer.e164)},
	}
	s.act = func(ctx context.Context) (*client.Response, error) {
		r.PhoneNumber = payer.e164[0]
		return call(ctx, g.api.TopUp, r)
	}
	return g.spend(ctx, r.WalletID, s, how)
}

// Send sends one message to each of the recipients, once.
func (g *Guard) Send(ctx context.Context, r client.SendRequest, how How) (*Receipt, error) {
	to := read(r.Recipient)
	if len(to.e164)+len(to.refused) == 0 {
		return nil, Fail(InvalidArguments, "Nothing was sent. recipient: must name at least one phone number")
	}
	if err := g.allowed("recipient", to, g.options.Limits.Recipients, how.DryRun); err != nil {
		return nil, err
	}
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	cost, err := g.cost(ctx, r.WalletID)
	if err != nil {
		return nil, err
	}
	s := g.message(r.WalletID, "send_sms", r.Message, to.e164, len(to.e164), cost)
	s.intent.rest = []string{"recipient"}
	s.quote.Numbers, s.quote.Refused = to.e164[:min(len(to.e164), shown)], to.refused
	s.quote.Notes, s.quote.to = to.notes, audience(to.e164)
	s.act = func(ctx context.Context) (*client.Response, error) {
		r.Recipient = to.e164
		return call(ctx, g.api.Send, r)
	}
	return g.spend(ctx, r.WalletID, s, how)
}

// SendGroup sends one message to everyone in a group. The group is read first;
// where its size cannot be read, the whole balance is held against the limits.
func (g *Guard) SendGroup(ctx context.Context, r client.GroupSendRequest, how How) (*Receipt, error) {
	if err := g.wait(ctx); err != nil {
		return nil, err
	}
	groups, err := call(ctx, g.api.Groups, client.GroupsRequest{WalletID: r.WalletID})
	if err != nil {
		failure := *asError(err)
		failure.Message = "Nothing was sent: the group could not be read. " + failure.Message
		return nil, &failure
	}
	cost, err := g.cost(ctx, r.WalletID)
	if err != nil {
		return nil, err
	}
	size, title, known := sizeOf(groups.Data, r.GroupID)
	if most := g.options.Limits.Recipients; known && size > most {
		return nil, Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: the group has %d contacts, and one call may reach %d (WESENDALL_MAX_RECIPIENTS). Only the operator can change it.", size, most))
	}
	s := g.message(r.WalletID, "send_group_sms", r.Message, []string{r.GroupID}, size, cost)
	s.quote.Notes = []string{"Who is in the group was not checked: its numbers cannot be listed."}
	s.quote.to = fmt.Sprintf("the %s of the group %q", count(size, "contact"), strings.TrimSpace(shorten(title)+" "+shorten(r.GroupID)))
	if !known {
		a, err := g.account(ctx, r.WalletID)
		if err != nil {
			return nil, err
		}
		s.intent.total = max(a.balance, 0)
		s.quote.Total = s.intent.total
		s.quote.Notes = append(s.quote.Notes, "The group's size cannot be read, so the total is all that the wallet holds.")
		s.quote.to = fmt.Sprintf("everyone in the group %q (their number is not known)", shorten(r.GroupID))
	}
	s.intent.rest = []string{"groupId"}
	s.act = func(ctx context.Context) (*client.Response, error) { return call(ctx, g.api.SendGroup, r) }
	return g.spend(ctx, r.WalletID, s, how)
}

// message is what the two sends have in common.
func (g *Guard) message(wallet, tool, message string, targets []string, recipients int, cost float64) *spending {
	units := Units(message)
	carrier := CarrierView(message)
	sum := total(units, recipients, cost)
	return &spending{
		intent: intent{
			account: g.accountOf(wallet), tool: tool, content: []string{message}, targets: targets,
			recipients: recipients, units: units, total: sum,
		},
		quote:   Quote{Recipients: recipients, Length: Length(message), Units: units, CostPerSMS: cost, Total: sum, Carrier: &carrier},
		message: message,
	}
}

// accountOf is what budgets and duplicates are counted for.
func (g *Guard) accountOf(wallet string) string { return g.options.Base + " " + wallet }

// allowed holds numbers against the operator's limits on whom to reach. A dry
// run goes on in spite of numbers that are wrong, to show them.
func (g *Guard) allowed(argument string, n numbers, most int, dryRun bool) error {
	if !dryRun && len(n.refused) > 0 {
		return Fail(InvalidArguments, "Nothing was sent. "+strings.Join(n.faults(argument), "; "))
	}
	if outside := n.outside(g.options.Countries); len(outside) > 0 {
		return Fail(DestinationNotAllowed, fmt.Sprintf("Nothing was sent: %s: the operator allows the calling codes %s alone (WESENDALL_ALLOWED_COUNTRIES), and not %s.",
			argument, strings.Join(g.options.Countries, ", "), strings.Join(outside[:min(len(outside), shown)], ", ")))
	}
	if len(n.e164) > most {
		return Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: %s: %d numbers, and one call may reach %d (WESENDALL_MAX_RECIPIENTS). Only the operator can change it.", argument, len(n.e164), most))
	}
	return nil
}

// wait waits for the rate of upstream calls.
func (g *Guard) wait(ctx context.Context) error {
	if g.rate == nil {
		return nil
	}
	if g.rate.Wait(ctx) != nil {
		return Fail(Unreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
	return nil
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
		if err := g.allowed(argument, n, 1, false); err != nil {
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
