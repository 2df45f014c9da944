package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
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
	DryRun           bool     // only make a quote
	QuoteID          string   // the quote to use
	PresentedQuoteID string   // another that the call came with, before the user was asked about QuoteID
	AllowDuplicate   bool     // with the user's agreement
	Elicit           Elicitor // asks the user during the call; nil if the client cannot
	AskLater         bool     // the client asks the user, and calls again with the answer
	Answer           Answer   // to an elicitation about QuoteID by an earlier call
}

func (o SpendOptions) canAsk() bool { return o.Elicit != nil || o.AskLater }

// Elicitor asks the user a question and waits for the answer.
type Elicitor func(ctx context.Context, question string) (Answer, error)

// Answer is what the user answered. What is not a clean yes is a no.
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
		return g.decline(ctx, c, userDeclined, o.QuoteID, o.PresentedQuoteID)
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
	reason := confirmReason(d)
	if !o.canAsk() && g.options.Confirm == ConfirmElicit {
		e := NewError(CodeConfirmationRequired, "Nothing was sent: your user must agree ("+reason+"), "+
			"this host cannot ask them, and the operator allows nothing else (WESENDALL_CONFIRM=elicit).")
		e.Retry = client.RetryNever
		return "", e
	}
	if cost, err = g.withBalance(ctx, c, cost); err != nil {
		return "", err
	}
	ask := o.canAsk() && (g.options.Confirm == ConfirmAuto || g.options.Confirm == ConfirmElicit)
	quote := newQuote(c, cost)
	// The price may be another by now, or someone else sent the same: the ledger
	// decides again when it stores the quote, and the user reads the new reason.
	if d, err = g.storeQuote(ctx, c, cost, o, &quote, ask && o.AskLater); err != nil {
		return "", err
	}
	if d.Verdict == ledger.Refused {
		return "", refusalError(g.newIntent(c, cost, o), d)
	}
	if d.Verdict == ledger.NeedsConfirmation {
		reason = confirmReason(d)
	}
	required := NewError(CodeConfirmationRequired, "Nothing was sent yet, because "+reason+". Show your user the quote; "+
		"if they agree, call again with the same arguments and quote: \""+quote.ID+"\".")
	required.Quote = &quote
	if !ask {
		return "", required
	}
	required.ConfirmationPrompt = confirmationPrompt(c, cost, reason)
	if o.AskLater {
		return "", required
	}
	return quote.ID, g.elicit(ctx, c, o, required)
}

// elicit asks the user during the call. It returns nil after a yes.
func (g *Guard) elicit(ctx context.Context, c spendCall, o SpendOptions, required *Error) error {
	reportProgress(ctx, "Waiting for your user's answer.", false)
	answer, err := o.Elicit(ctx, required.ConfirmationPrompt)
	reportProgress(ctx, ProgressUpstream, false)
	switch {
	case err != nil:
		return g.decline(ctx, c, "nobody answered the question", required.Quote.ID, o.QuoteID)
	case answer != AnswerYes:
		return g.decline(ctx, c, userDeclined, required.Quote.ID, o.QuoteID)
	}
	g.forgetWallet(c.walletID) // minutes may have passed
	return g.checkWalletAccess(ctx, c.walletID)
}

const userDeclined = "your user did not agree"

// decline voids quotes that the user did not agree to.
func (g *Guard) decline(ctx context.Context, c spendCall, reason string, quoteIDs ...string) error {
	var voidErr error
	in := g.newIntent(c, spendCost{}, SpendOptions{})
	for _, quoteID := range quoteIDs {
		voidErr = errors.Join(voidErr, g.opened().Void(context.WithoutCancel(ctx), in, quoteID))
	}
	if voidErr != nil {
		return g.ledgerError(voidErr)
	}
	return NewError(CodeDeclined, "Nothing was sent: "+reason+". Do not try again unless they ask for it.")
}

// confirmationPrompt is what the user is asked: what, to whom, how much.
func confirmationPrompt(c spendCall, cost spendCost, reason string) string {
	q := newQuote(c, cost)
	if c.intent.Kind == ledger.KindTopUp {
		return fmt.Sprintf("Ask %s to pay UGX %s into the wallet by Mobile Money? "+
			"The wallet holds UGX %s, and UGX %s once that is paid. You are asked because %s.",
			cost.audience, sanitize.FormatThousands(q.TotalUGX), sanitize.FormatThousands(q.BalanceUGX),
			sanitize.FormatThousands(q.BalanceAfterUGX), reason)
	}
	text := strings.Join(strings.Fields(sanitize.Text(c.message)), " ")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return fmt.Sprintf("Send “%s” to %s for about UGX %s (%s each)? "+
		"The wallet then holds about UGX %s. You are asked because %s.",
		text, cost.audience, sanitize.FormatThousands(q.TotalUGX), sanitize.Pluralize(q.Units, "unit"),
		sanitize.FormatThousands(q.BalanceAfterUGX), reason)
}

// confirmReason says why a user must agree, as the end of a sentence.
func confirmReason(d ledger.Decision) string {
	c := d.Confirm
	switch c.Reason {
	case ledger.ConfirmTopUp:
		if len(d.Near) > 0 {
			return "it asks somebody for money, and " + describeNear(d.Near)
		}
		return "it asks somebody for money"
	case ledger.ConfirmDuplicate:
		return describeDuplicates(d.Duplicates.Spends)
	case ledger.ConfirmNear:
		return describeNear(d.Near)
	case ledger.ConfirmThreshold:
		return fmt.Sprintf("it costs more than UGX %d", c.ThresholdUGX)
	default:
		return fmt.Sprintf("with UGX %d of the last hour that nobody confirmed it comes to more than UGX %d",
			c.UnconfirmedUGX, c.ThresholdUGX)
	}
}
