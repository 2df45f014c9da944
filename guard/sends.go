package guard

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// The tools that spend, as the ledger names them.
const (
	topUpTool = "topup_wallet" // whose spends are a payer's money
	sendTool  = "send_sms"
	groupTool = "send_group_sms"
)

// TopUp asks a payer for money.
func (g *Guard) TopUp(ctx context.Context, r client.TopUpRequest, how How) (*Receipt, error) {
	payer := read([]string{r.PhoneNumber})
	if len(payer.e164)+len(payer.refused) != 1 {
		return nil, Fail(InvalidArguments, "Nobody was asked. phone_number: must be one phone number")
	}
	if err := g.allowed("phone_number", &payer, how.DryRun); err != nil {
		return nil, err
	}
	s := &spending{
		wallet: r.WalletID,
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
	return g.spend(ctx, s, how)
}

// Send sends one message to each of the recipients, once.
func (g *Guard) Send(ctx context.Context, r client.SendRequest, how How) (*Receipt, error) {
	to := read(r.Recipient)
	if len(to.e164)+len(to.refused) == 0 {
		return nil, Fail(InvalidArguments, "Nothing was sent. recipient: must name at least one phone number")
	}
	if err := g.allowed("recipient", &to, how.DryRun); err != nil {
		return nil, err
	}
	if most, limit := g.recipients(); len(to.e164) > most {
		return nil, Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: recipient: %d numbers, and one call may reach %d (%s). Only the operator can change it.", len(to.e164), most, limit))
	}
	s := g.message(r.WalletID, sendTool, r.Message, to.e164)
	s.intent.recipients, s.quote.Recipients = len(to.e164), len(to.e164)
	s.intent.rest = []string{"recipient"}
	s.quote.Numbers, s.quote.Refused = to.e164[:min(len(to.e164), shown)], to.refused
	s.quote.Notes, s.quote.to = to.notes, audience(to.e164)
	s.act = func(ctx context.Context) (*client.Response, error) {
		r.Recipient = to.e164
		return call(ctx, g.api.Send, r)
	}
	return g.spend(ctx, s, how)
}

// SendGroup sends one message to everyone in a group. The group is read first,
// and again once a person has agreed; where its size cannot be read, the whole
// balance is held against the limits.
func (g *Guard) SendGroup(ctx context.Context, r client.GroupSendRequest, how How) (*Receipt, error) {
	s := g.message(r.WalletID, groupTool, r.Message, []string{r.GroupID})
	s.intent.rest = []string{"groupId"}
	s.size = func(ctx context.Context) error { return g.size(ctx, s, r.GroupID) }
	s.act = func(ctx context.Context) (*client.Response, error) { return call(ctx, g.api.SendGroup, r) }
	return g.spend(ctx, s, how)
}

// size reads how many contacts a group has.
func (g *Guard) size(ctx context.Context, s *spending, id string) error {
	groups, err := slowly(ctx, g, g.api.Groups, client.GroupsRequest{WalletID: s.wallet})
	if err != nil {
		failure := *asError(err)
		failure.Message = "Nothing was sent: the group could not be read. " + failure.Message
		return &failure
	}
	size, title, known := sizeOf(groups.Data, id)
	most, limit := g.recipients()
	switch {
	case known && size == 0:
		return Fail(InvalidArguments, "Nothing was sent. groupId: the group has no contacts; add_contacts adds them")
	case known && size > most:
		return Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: the group has %d contacts, and one call may reach %d (%s). Only the operator can change it.", size, most, limit))
	}
	s.unsized, s.intent.recipients, s.quote.Recipients = !known, size, size
	s.quote.Notes = []string{"Who is in the group was not checked: its numbers cannot be listed."}
	s.quote.to = fmt.Sprintf("the %s of the group %q", count(size, "contact"), strings.TrimSpace(shorten(title)+" "+shorten(id)))
	if !known {
		s.quote.Notes = append(s.quote.Notes, "The group's size cannot be read, so the total is all that the wallet holds.")
		s.quote.to = fmt.Sprintf("everyone in the group %q (their number is not known)", shorten(id))
	}
	return nil
}

// message is what the two sends have in common.
func (g *Guard) message(wallet, tool, message string, targets []string) *spending {
	units, carrier := Units(message), CarrierView(message)
	return &spending{
		wallet:  wallet,
		intent:  intent{account: g.accountOf(wallet), tool: tool, content: []string{message}, targets: targets, units: units},
		quote:   Quote{Length: Length(message), Units: units, Carrier: &carrier},
		message: message,
	}
}

// accountOf is what budgets and duplicates are counted for.
func (g *Guard) accountOf(wallet string) string { return g.options.Base + " " + wallet }

// allowed holds numbers against the operator's limits on whom to reach. A dry
// run goes on in spite of numbers that cannot be reached, to show them.
func (g *Guard) allowed(argument string, n *numbers, dryRun bool) error {
	if !dryRun && len(n.refused) > 0 {
		return Fail(InvalidArguments, "Nothing was sent. "+strings.Join(n.faults(argument), "; "))
	}
	outside := n.without(g.options.Countries)
	switch {
	case len(outside) == 0:
	case dryRun:
		for _, number := range outside {
			n.refuse(number, "is in a country that the operator does not allow (WESENDALL_ALLOWED_COUNTRIES)")
		}
	default:
		return Fail(DestinationNotAllowed, fmt.Sprintf("Nothing was sent: %s: the operator allows the calling codes %s alone (WESENDALL_ALLOWED_COUNTRIES), and not %s.",
			argument, strings.Join(g.options.Countries, ", "), strings.Join(outside[:min(len(outside), shown)], ", ")))
	}
	return nil
}
