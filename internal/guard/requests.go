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
func (g *Guard) TopUp(ctx context.Context, req client.TopUpRequest, opts SpendOptions) (*Receipt, error) {
	phones := parseNumbers([]string{req.PhoneNumber})
	if len(phones.e164)+len(phones.rejected) != 1 {
		return nil, NewError(CodeInvalidArguments, "Nobody was asked. phone_number: must be one phone number")
	}
	if err := g.checkDestinations("phone_number", &phones, opts.DryRun); err != nil {
		return nil, err
	}
	s := &spendCall{
		walletID: req.WalletID,
		intent: Intent{
			Account: g.accountKey(req.WalletID), Tool: topUpTool, DedupKey: []string{strconv.FormatInt(req.Amount, 10)},
			Targets: phones.e164, QuoteKey: []string{"phone_number", req.Description}, TotalUGX: req.Amount, TopUp: true,
		},
		quote: Quote{RecipientNumbers: phones.e164, Rejected: phones.rejected, Notes: phones.warnings, TotalUGX: req.Amount, audience: formatRecipients(phones.e164)},
	}
	s.send = func(ctx context.Context) (*client.Response, error) {
		req.PhoneNumber = phones.e164[0]
		return callUpstream(ctx, g.api.TopUp, req)
	}
	return g.execute(ctx, s, opts)
}

// Send sends one message to each of the recipients, once.
func (g *Guard) Send(ctx context.Context, req client.SendRequest, opts SpendOptions) (*Receipt, error) {
	phones := parseNumbers(req.Recipient)
	if len(phones.e164)+len(phones.rejected) == 0 {
		return nil, NewError(CodeInvalidArguments, "Nothing was sent. recipient: must name at least one phone number")
	}
	if err := g.checkDestinations("recipient", &phones, opts.DryRun); err != nil {
		return nil, err
	}
	if maxCount, limitName := g.maxRecipients(); len(phones.e164) > maxCount {
		return nil, NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: recipient: %d numbers, and one call may reach %d (%s). Only the operator can change it.", len(phones.e164), maxCount, limitName))
	}
	s := g.newMessageCall(req.WalletID, sendTool, req.Message, phones.e164)
	s.intent.Recipients, s.quote.Recipients = len(phones.e164), len(phones.e164)
	s.intent.QuoteKey = []string{"recipient"}
	s.quote.RecipientNumbers, s.quote.Rejected = phones.e164[:min(len(phones.e164), maxListed)], phones.rejected
	s.quote.Notes, s.quote.audience = phones.warnings, formatRecipients(phones.e164)
	s.send = func(ctx context.Context) (*client.Response, error) {
		req.Recipient = phones.e164
		return callUpstream(ctx, g.api.Send, req)
	}
	return g.execute(ctx, s, opts)
}

// SendGroup sends one message to everyone in a group. The group is read first,
// and again once a person has agreed; where its size cannot be read, the whole
// balance is held against the limits.
func (g *Guard) SendGroup(ctx context.Context, req client.SendGroupRequest, opts SpendOptions) (*Receipt, error) {
	s := g.newMessageCall(req.WalletID, groupTool, req.Message, []string{req.GroupID})
	s.intent.QuoteKey = []string{"groupId"}
	s.loadSize = func(ctx context.Context) error { return g.loadGroupSize(ctx, s, req.GroupID) }
	s.send = func(ctx context.Context) (*client.Response, error) { return callUpstream(ctx, g.api.SendGroup, req) }
	return g.execute(ctx, s, opts)
}

// loadGroupSize reads how many contacts a group has.
func (g *Guard) loadGroupSize(ctx context.Context, s *spendCall, groupID string) error {
	groups, err := callRateLimited(ctx, g, g.api.Groups, client.GroupsRequest{WalletID: s.walletID})
	if err != nil {
		failure := *toError(err)
		failure.Message = "Nothing was sent: the group could not be read. " + failure.Message
		return &failure
	}
	size, title, known := groupSize(groups.Data, groupID)
	maxCount, limitName := g.maxRecipients()
	switch {
	case known && size == 0:
		return NewError(CodeInvalidArguments, "Nothing was sent. groupId: the group has no contacts; add_contacts adds them")
	case known && size > maxCount:
		return NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: the group has %d contacts, and one call may reach %d (%s). Only the operator can change it.", size, maxCount, limitName))
	}
	s.sizeUnknown, s.intent.Recipients, s.quote.Recipients = !known, size, size
	s.quote.Notes = []string{"Who is in the group was not checked: its numbers cannot be listed."}
	s.quote.audience = fmt.Sprintf("the %s of the group %q", pluralize(size, "contact"), strings.TrimSpace(truncate(title)+" "+truncate(groupID)))
	if !known {
		s.quote.Notes = append(s.quote.Notes, "The group's size cannot be read, so the total is all that the wallet holds.")
		s.quote.audience = fmt.Sprintf("everyone in the group %q (their number is not known)", truncate(groupID))
	}
	return nil
}

// newMessageCall is what the two sends have in common.
func (g *Guard) newMessageCall(wallet, tool, message string, targets []string) *spendCall {
	units, gsm := SMSUnits(message), AnalyzeGSM(message)
	return &spendCall{
		walletID:    wallet,
		intent:      Intent{Account: g.accountKey(wallet), Tool: tool, DedupKey: []string{message}, Targets: targets, Units: units},
		quote:       Quote{Length: UTF16Len(message), Units: units, Carrier: &gsm},
		messageText: message,
	}
}

// accountKey is what budgets and duplicates are counted for.
func (g *Guard) accountKey(wallet string) string { return g.options.BaseURL + " " + wallet }

// checkDestinations holds numbers against the operator's limits on whom to reach. A dry
// run goes on in spite of numbers that cannot be reached, to show them.
func (g *Guard) checkDestinations(argument string, phones *phoneList, dryRun bool) error {
	if !dryRun && len(phones.rejected) > 0 {
		return NewError(CodeInvalidArguments, "Nothing was sent. "+strings.Join(phones.problems(argument), "; "))
	}
	disallowed := phones.removeOtherCountries(g.options.Countries)
	switch {
	case len(disallowed) == 0:
	case dryRun:
		for _, number := range disallowed {
			phones.reject(number, "is in a country that the operator does not allow (WESENDALL_ALLOWED_COUNTRIES)")
		}
	default:
		return NewError(CodeDestinationNotAllowed, fmt.Sprintf("Nothing was sent: %s: the operator allows the calling codes %s alone (WESENDALL_ALLOWED_COUNTRIES), and not %s.",
			argument, strings.Join(g.options.Countries, ", "), strings.Join(disallowed[:min(len(disallowed), maxListed)], ", ")))
	}
	return nil
}
