package guard

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// minReadingTime is less than any user needs to read the question and answer it.
const minReadingTime = 50 * time.Millisecond

// declineReason says who did not agree, from the time between question and answer.
func declineReason(waited time.Duration) string {
	if waited < 0 || waited >= minReadingTime { // negative: the clocks of two servers
		return "your user did not agree"
	}
	return "the host declined by itself, before a user could read the question. " +
		"If this host cannot ask, the operator can set WESENDALL_CONFIRM=quote"
}

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
	return NewError(CodeDeclined, "Nothing was sent: "+reason+". Do not try again unless your user asks for it.")
}

// quoteAge is how long ago the user was asked about a quote; very long if the ledger
// does not tell.
func (g *Guard) quoteAge(ctx context.Context, c spendCall, quoteID string) time.Duration {
	quotedAt, err := g.opened().QuotedAt(ctx, g.newIntent(c, spendCost{}, SpendOptions{}), quoteID)
	if err != nil {
		return math.MaxInt64
	}
	return g.options.Clock().Sub(quotedAt)
}

// cannotConfirm reports whether only the host may ask the user, but this host cannot.
func (g *Guard) cannotConfirm(o SpendOptions) bool {
	return !o.canAsk() && g.options.Confirm == ConfirmElicit
}

func cannotConfirmError(reason string) *Error {
	e := NewError(CodeConfirmationRequired, "Nothing was sent: your user must agree ("+reason+"), "+
		"this host cannot ask them, and the operator allows nothing else (WESENDALL_CONFIRM=elicit).")
	e.Retry = client.RetryNever
	return e
}
