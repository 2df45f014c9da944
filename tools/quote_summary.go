package tools

import (
	"fmt"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// quoteResult is the result of a dry run.
func (inv *invocation) quoteResult(q *guard.Quote) Result {
	return Result{Summary: inv.markSandbox(quoteSummary(q)), Sandbox: inv.sandbox}
}

// quoteSummary says what a quote's spend would cost, and what the real call would
// meet.
func quoteSummary(q *guard.Quote) string {
	summary := "A quote: nothing was sent. " + quotePrice(q) + ", " + quoteVerdict(q) + "."
	if q.NumbersListed < q.Recipients && q.NumbersListed > 0 {
		summary += fmt.Sprintf(" Only the first %d of the %d numbers are listed.", q.NumbersListed, q.Recipients)
	}
	return summary
}

func quotePrice(q *guard.Quote) string {
	if q.ReservedUGX > 0 {
		return fmt.Sprintf("The price is not known, because the group's size cannot be read; the call reserves UGX %s of "+
			"today's budget, all that the wallet holds (%s each)",
			sanitize.FormatThousands(q.ReservedUGX), sanitize.Pluralize(q.Units, "unit"))
	}
	total := sanitize.FormatThousands(q.TotalUGX)
	if q.Units == 0 { // a top-up
		return "The payer would be asked for UGX " + total
	}
	recipients := "the whole group"
	if q.Group == nil || q.Recipients > 0 {
		recipients = sanitize.Pluralize(q.Recipients, "recipient")
	}
	return fmt.Sprintf("It would cost about UGX %s for %s (%s each)", total, recipients, sanitize.Pluralize(q.Units, "unit"))
}

func quoteVerdict(q *guard.Quote) string {
	switch {
	case len(q.Rejected) > 0:
		return "but nothing can be sent until the refused numbers are fixed"
	case q.WouldRefuse != nil:
		return "but the call would be refused as " + q.WouldRefuse.Code + ": " + q.WouldRefuse.Reason
	case q.NeedsConfirmation != nil:
		return "and your user must agree first, because " + q.NeedsConfirmation.Reason
	}
	return "and the call needs no confirmation"
}
