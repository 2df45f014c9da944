package guard

import (
	"context"
	"fmt"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// ConfirmMode is how a spend is confirmed.
type ConfirmMode string

// The modes.
const (
	ConfirmAuto    ConfirmMode = "auto"   // ask the user if the client can, otherwise by quote
	ConfirmElicit  ConfirmMode = "elicit" // ask the user, or do not spend
	ConfirmByQuote ConfirmMode = "quote"  // a second call with the quote's id confirms
	ConfirmOff     ConfirmMode = "off"    // only duplicates and sends near an unknown outcome, by quote
)

// SpendOptions say how a spend is to be made.
type SpendOptions struct {
	DryRun          bool     // only make a quote
	QuoteID         string   // the quote to use
	ArgumentQuoteID string   // another that the call came with, before the user was asked about QuoteID
	AllowDuplicate  bool     // with the user's agreement
	Elicit          Elicitor // asks the user during the call; nil if the client cannot
	InputRequired   bool     // the client asks the user, and calls again with the answer
	Answer          Answer   // to an elicitation about QuoteID by an earlier call
}

func (o SpendOptions) canAsk() bool { return o.Elicit != nil || o.InputRequired }

// Elicitor asks the user a question and waits for the answer.
type Elicitor func(ctx context.Context, question string) (Answer, error)

// Answer is the user's answer. Everything except a clear yes is AnswerNo.
type Answer int

// The answers.
const (
	AnswerNone Answer = iota
	AnswerYes
	AnswerNo
)

// checkAnswer handles the user's answer to an earlier elicitation.
func (g *Guard) checkAnswer(ctx context.Context, c spendCall, o SpendOptions) error {
	if _, err := g.openLedger(ctx); err != nil {
		return err
	}
	switch {
	case o.Answer == AnswerNo:
		return g.decline(ctx, c, declineReason(g.quoteAge(ctx, c, o.QuoteID)), o.QuoteID, o.ArgumentQuoteID)
	case o.Answer == AnswerYes && o.QuoteID == "":
		return NewError(CodeConfirmationRequired, "Nothing was sent: the answer belongs to no question.")
	}
	return nil
}

// confirm makes a quote and asks the user. It returns the quote's id after a yes;
// otherwise an error that says what is needed.
func (g *Guard) confirm(
	ctx context.Context, c spendCall, cost spendCost, o SpendOptions, d ledger.Decision,
) (quoteID string, err error) {
	reason := g.confirmReason(g.newIntent(c, cost.withoutOptOuts(c), o), d)
	if g.cannotConfirm(o) {
		return "", cannotConfirmError(reason)
	}
	if cost, err = g.withBalance(ctx, c, cost); err != nil {
		return "", err
	}
	ask := o.canAsk() && (g.options.Confirm == ConfirmAuto || g.options.Confirm == ConfirmElicit)
	// The price may be another by now, or someone else sent the same: the ledger
	// decides again when it stores the quote, and the user reads the new reason.
	quote, err := g.storeQuote(ctx, c, cost, o, ask && o.InputRequired)
	if err != nil {
		return "", err
	}
	switch quote.decision.Verdict {
	case ledger.Refused:
		return "", g.refusalError(quote.intent, quote.decision)
	case ledger.NeedsConfirmation:
		reason = g.confirmReason(quote.intent, quote.decision)
	}
	quote.NeedsConfirmation = &ConfirmationNeed{reason}
	required := NewError(CodeConfirmationRequired, "Nothing was sent yet, because "+reason+". "+quoteFacts(c)+" Show your user the quote; "+
		"if they agree, call again with the same arguments and quote: \""+quote.ID+"\".")
	required.Quote = &quote.Quote
	if !ask {
		return "", required
	}
	required.ConfirmationPrompt = confirmationPrompt(c, quote.Quote, reason)
	if o.InputRequired {
		return "", required
	}
	return quote.ID, g.elicit(ctx, c, o, required)
}

// elicit asks the user during the call. It returns nil after a yes.
func (g *Guard) elicit(ctx context.Context, c spendCall, o SpendOptions, required *Error) error {
	reportProgress(ctx, "Waiting for your user's answer.", false)
	askedAt := g.options.Clock()
	answer, err := o.Elicit(ctx, required.ConfirmationPrompt)
	waited := g.options.Clock().Sub(askedAt)
	reportProgress(ctx, ProgressUpstream, false)
	switch {
	case err != nil:
		return g.decline(ctx, c, "nobody answered the question", required.Quote.ID, o.QuoteID)
	case answer != AnswerYes:
		return g.decline(ctx, c, declineReason(waited), required.Quote.ID, o.QuoteID)
	}
	g.invalidateWallet(c.walletID) // minutes may have passed
	return g.checkWalletAccess(ctx, c.walletID)
}

// confirmReason returns why a user must agree, as the end of a sentence. It names quiet
// hours and a wallet of unknown origin in addition to any other reason.
func (g *Guard) confirmReason(in ledger.Intent, d ledger.Decision) string {
	var reasons []string
	if r := d.Confirm.Reason; r != ledger.ConfirmAlways && r != ledger.ConfirmQuietHours {
		reasons = append(reasons, ownConfirmReason(in, d))
	}
	if g.options.Confirm != ConfirmOff && g.disturbsQuietHours(in) {
		reasons = append(reasons, g.describeQuietHours())
	}
	if len(reasons) == 0 && d.Confirm.Reason == ledger.ConfirmQuietHours { // they ended just now
		reasons = append(reasons, g.describeQuietHours())
	}
	if d.Confirm.Always != "" {
		reasons = append(reasons, d.Confirm.Always)
	}
	return strings.Join(reasons, ", and ")
}

// ownConfirmReason is confirmReason for what this one spend is.
func ownConfirmReason(in ledger.Intent, d ledger.Decision) string {
	c := d.Confirm
	threshold := sanitize.FormatThousands(c.ThresholdUGX)
	switch c.Reason {
	case ledger.ConfirmTopUp:
		if len(d.Unsettled) > 0 {
			return "it asks somebody for money, and " + describeUnsettled(d.Unsettled)
		}
		return "it asks somebody for money"
	case ledger.ConfirmDuplicate:
		return describeDuplicates(d.Duplicates.Spends)
	case ledger.ConfirmUnsettled:
		return describeUnsettled(d.Unsettled)
	case ledger.ConfirmThreshold:
		if isSizeUnknown(in) {
			return fmt.Sprintf("it may cost more than UGX %s: the group's size cannot be read", threshold)
		}
		return "it costs more than UGX " + threshold
	default:
		if isSizeUnknown(in) {
			return fmt.Sprintf("it may cost more than is left of UGX %s for an hour that nobody confirmed: "+
				"the group's size cannot be read", threshold)
		}
		return fmt.Sprintf("with UGX %s of the last hour that nobody confirmed it comes to more than UGX %s",
			sanitize.FormatThousands(c.UnconfirmedUGX), threshold)
	}
}
