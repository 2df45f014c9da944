package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// TopUp asks a payer for money.
func (g *Guard) TopUp(ctx context.Context, req client.TopUpRequest, o SpendOptions) (*Receipt, error) {
	if g.options.WalletNotice != "" {
		return nil, untrustedWalletError(g.options.WalletNotice)
	}
	if count, complete := countNumbers([]string{req.PhoneNumber}, g.options.Countries, 1); count != 1 || !complete {
		return nil, NewError(CodeInvalidArguments, "Nobody was asked. phone_number: must be one phone number")
	}
	if err := g.checkCaller(ctx, req.WalletID, o); err != nil {
		return nil, err
	}
	phones := parseNumbers([]string{req.PhoneNumber}, g.options.Countries)
	if len(phones.e164)+len(phones.rejected) != 1 { // two ways to write one number are two
		return nil, NewError(CodeInvalidArguments, "Nobody was asked. phone_number: must be one phone number")
	}
	if err := g.checkDestinations("phone_number", &phones, o.DryRun); err != nil {
		return nil, err
	}
	return g.execute(ctx, spendCall{
		walletID: req.WalletID,
		intent: ledger.Intent{
			Account: g.accountKey(req.WalletID), Tool: client.ToolTopUpWallet, Kind: ledger.KindTopUp,
			Content: []string{strconv.FormatInt(req.Amount, 10)}, Targets: phones.e164,
			Arguments: []string{"phone_number", req.Description}, TotalUGX: req.Amount,
		},
		description: req.Description,
		quote: Quote{
			RecipientNumbers: phones.e164, PhoneNumber: strings.Join(phones.e164, ""),
			Rejected: phones.rejected, Notes: phones.notes(),
		},
		audience: formatRecipients(phones.e164),
		send: func(ctx context.Context, targets []string) (*client.Response, error) {
			sent := req
			sent.PhoneNumber = targets[0]
			return callUpstream(ctx, g.api.TopUp, sent)
		},
	}, o)
}

// Send sends one message to each of the recipients, once.
func (g *Guard) Send(ctx context.Context, req client.SendRequest, o SpendOptions) (*Receipt, error) {
	if err := g.checkCount(req.Recipient); err != nil {
		return nil, err
	}
	if err := g.checkCaller(ctx, req.WalletID, o); err != nil {
		return nil, err
	}
	phones := parseNumbers(req.Recipient, g.options.Countries)
	if err := g.checkDestinations("recipient", &phones, o.DryRun); err != nil {
		return nil, err
	}
	if maxCount, _ := g.maxRecipients(); len(phones.e164) > maxCount { // checkCount may count too few
		return nil, g.recipientsError(fmt.Sprintf("recipient: %d numbers", len(phones.e164)), "Send to fewer in each call.")
	}
	c, err := g.newMessageCall(req.WalletID, client.ToolSendSMS, req.Message, phones.e164)
	if err != nil {
		return nil, err
	}
	c.intent.Recipients, c.intent.Arguments = len(phones.e164), []string{"recipient", req.Message}
	c.quote.RecipientNumbers, c.quote.Rejected = phones.e164[:min(len(phones.e164), maxListed)],
		phones.rejected[:min(len(phones.rejected), sanitize.MaxProblems)]
	c.quote.NumbersListed = len(c.quote.RecipientNumbers)
	c.quote.Notes, c.audience = slices.Concat(phones.notes(), c.quote.Notes), formatRecipients(phones.e164)
	c.send = func(ctx context.Context, targets []string) (*client.Response, error) {
		sent := req
		sent.Recipient = targets
		return callUpstream(ctx, g.api.Send, sent)
	}
	return g.execute(ctx, c, o)
}

// SendGroup sends one message to everyone in a group. The group is read first, and
// again once the user agreed.
func (g *Guard) SendGroup(ctx context.Context, req client.SendGroupRequest, o SpendOptions) (*Receipt, error) {
	if err := g.checkCaller(ctx, req.WalletID, o); err != nil {
		return nil, err
	}
	c, err := g.newMessageCall(req.WalletID, client.ToolSendGroupSMS, req.Message, []string{req.GroupID})
	if err != nil {
		return nil, err
	}
	c.intent.Arguments, c.groupID = []string{"groupId", req.Message}, req.GroupID
	c.send = func(ctx context.Context, _ []string) (*client.Response, error) {
		return callUpstream(ctx, g.api.SendGroup, req)
	}
	return g.execute(ctx, c, o)
}

// newMessageCall returns the part of a spendCall that Send and SendGroup share.
func (g *Guard) newMessageCall(walletID, tool, message string, targets []string) (spendCall, error) {
	if fold.IsBlank(message) {
		return spendCall{}, NewError(CodeInvalidArguments,
			"Nothing was sent. message: a reader would see nothing; write the text to send")
	}
	units, carrier := client.SMSUnits(message), client.AnalyzeGSM(message)
	return spendCall{
		walletID: walletID,
		intent: ledger.Intent{
			Account: g.accountKey(walletID), Tool: tool, Kind: ledger.KindSend,
			Content: []string{fold.Message(message)}, Targets: targets, Units: units,
		},
		quote: Quote{
			Message: firstUTF16Units(message, maxQuotedMessage), MessageLength: client.UTF16Len(message),
			Length: client.UTF16Len(message), Units: units, Carrier: &carrier,
			Notes: messageNotes(message, carrier),
		},
		message: message,
	}, nil
}

// accountKey returns the account of a wallet, for which the ledger counts budgets and
// duplicates.
func (g *Guard) accountKey(walletID string) string {
	return ledger.AccountKey(g.options.BaseURL, walletID)
}

// checkDestinations checks which numbers the operator allows. A dry run continues
// without numbers that cannot be reached, to show them.
func (g *Guard) checkDestinations(argument string, phones *phoneList, dryRun bool) error {
	if !dryRun && len(phones.rejected) > 0 {
		return NewError(CodeInvalidArguments, "Nothing was sent. "+sanitize.JoinProblems(phones.problems(argument)))
	}
	outside := phones.removeOtherCountries(g.options.Countries)
	switch {
	case len(outside) == 0:
	case dryRun:
		for _, number := range outside {
			phones.reject(numberPiece{raw: number}, "is in a country that the operator does not allow (WESENDALL_ALLOWED_COUNTRIES)")
		}
	default:
		return g.destinationError(argument, outside, len(phones.e164))
	}
	return nil
}

// formatRecipients names recipients for a user: how many, and the first three.
func formatRecipients(numbers []string) string {
	if len(numbers) <= 3 {
		return strings.Join(numbers, ", ")
	}
	return fmt.Sprintf("%d recipients (%s, …)", len(numbers), strings.Join(numbers[:3], ", "))
}
