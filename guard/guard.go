// Package guard stands between the tools and the client and keeps money safe:
// it wraps the client's eight methods, sends numbers in one form, and makes of
// every failure a code that says what became of the money and what to do.
//
// Every call that spends goes through it. It must never repeat a call by
// itself, and never call an outcome known that nobody documents.
package guard

import (
	"context"
	"errors"
	"fmt"

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

// Guard is a careful client. Its errors are all of type *Error.
type Guard struct{ api API }

// New wraps a client.
func New(api API) *Guard { return &Guard{api} }

// Balance reads the wallet's balance and price.
func (g *Guard) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	return call(ctx, g.api.Balance, r)
}

// TopUp asks a payer for money.
func (g *Guard) TopUp(ctx context.Context, r client.TopUpRequest) (*client.Response, error) {
	r.PhoneNumber = compact(r.PhoneNumber)
	return call(ctx, g.api.TopUp, r)
}

// Sent is a message that was accepted.
type Sent struct {
	*client.Response
	Recipients int // 0 for a group, whose size the call does not know
	Units      int // for each recipient
}

// Send sends one message to each of the recipients, once.
func (g *Guard) Send(ctx context.Context, r client.SendRequest) (*Sent, error) {
	r.Recipient = Recipients(r.Recipient)
	if len(r.Recipient) == 0 {
		return nil, Fail(InvalidArguments, "recipient: must name at least one phone number")
	}
	response, err := call(ctx, g.api.Send, r)
	if err != nil {
		return nil, err
	}
	return &Sent{response, len(r.Recipient), Units(r.Message)}, nil
}

// SendGroup sends one message to everyone in a group.
func (g *Guard) SendGroup(ctx context.Context, r client.GroupSendRequest) (*Sent, error) {
	response, err := call(ctx, g.api.SendGroup, r)
	if err != nil {
		return nil, err
	}
	return &Sent{response, 0, Units(r.Message)}, nil
}

// History reads a page of what was sent.
func (g *Guard) History(ctx context.Context, r client.HistoryRequest) (*client.Response, error) {
	return call(ctx, g.api.History, r)
}

// Groups reads the groups.
func (g *Guard) Groups(ctx context.Context, r client.GroupsRequest) (*client.Response, error) {
	return call(ctx, g.api.Groups, r)
}

// CreateGroup makes a group.
func (g *Guard) CreateGroup(ctx context.Context, r client.CreateGroupRequest) (*client.Response, error) {
	return call(ctx, g.api.CreateGroup, r)
}

// AddContacts adds contacts to a group.
func (g *Guard) AddContacts(ctx context.Context, r client.AddContactsRequest) (*client.Response, error) {
	contacts := make([]client.Contact, len(r.Contacts))
	for i, c := range r.Contacts {
		contacts[i] = client.Contact{Phone: compact(c.Phone), Name: c.Name}
		if contacts[i].Phone == "" {
			return nil, Fail(InvalidArguments, fmt.Sprintf("contacts/%d/phone: must be a phone number (got %q)", i, c.Phone))
		}
	}
	r.Contacts = contacts
	return call(ctx, g.api.AddContacts, r)
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
