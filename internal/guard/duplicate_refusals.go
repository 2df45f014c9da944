package guard

import (
	"fmt"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// duplicateError is the refusal of what was already done, or may have been.
func (g *Guard) duplicateError(in ledger.Intent, d *ledger.Duplicates) *Error {
	first := d.Spends[0]
	at := kampalaTime(first.Created)
	if first.State == ledger.StateFailed { // and this is its quote
		return NewError(CodeDuplicateSend, fmt.Sprintf("Nothing was sent: the quote was used at %s, "+
			"and that call failed without a charge. Make a new quote with dry_run.", at))
	}
	e := NewError(CodeDuplicateSend, "")
	done := "sent"
	if in.Kind == ledger.KindTopUp {
		done, e.NextTool = "asked for", client.ToolGetBalance
	}
	e.Message = fmt.Sprintf("Nothing was %s: the same was %s at %s (UGX %s), and that %s.",
		done, done, at, sanitize.FormatThousands(first.TotalUGX), describeState(first.State))
	if more := len(d.Spends) - 1; more > 0 {
		e.Message += fmt.Sprintf(" So it was with %s.", sanitize.Pluralize(more, "other call"))
	}
	if len(d.Targets) > 0 && in.Tool == client.ToolSendSMS {
		e.DuplicateRecipients = d.Targets[:min(len(d.Targets), maxListed)]
		others := len(in.Targets) - len(d.Targets)
		e.Message += fmt.Sprintf(" It was addressed to %s.", listNumbers(d.Targets)) + sendOthers(others, len(d.Targets))
	}
	if first.State == ledger.StateUnknown || first.State == ledger.StateInProgress {
		e.SpendID, e.Retry = first.ID, client.RetryAfterSettled
		e.Message += " " + g.unknownOutcomeAdvice(in.Tool, first.ID)
		return e
	}
	e.Message += " Look at " + e.NextTool + ". Only if your user wants it twice, call again with allow_duplicate: true."
	return e
}

// describeState says what is known of an earlier spend, as the end of a sentence.
func describeState(s ledger.State) string {
	switch s {
	case ledger.StateInProgress:
		return "is still running, or was cut off"
	case ledger.StateUnknown:
		return "has an unknown outcome"
	case ledger.StateRequested:
		return "was accepted: the payer was asked, and may not have paid yet"
	default:
		return "was accepted"
	}
}
