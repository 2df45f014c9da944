package guard

import (
	"fmt"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// limitError names the limit and its value, what is left of it, what is needed, and
// what the user can do.
func limitError(in ledger.Intent, d ledger.Decision) *Error {
	r := d.Refusal
	perCall := r.Reason == ledger.RefusedPerCallLimit
	need := "it takes UGX " + sanitize.FormatThousands(d.TotalUGX)
	if in.Kind == ledger.KindSend && in.Recipients == 0 {
		need = "the group's size is not known, so it would reserve UGX " + sanitize.FormatThousands(d.TotalUGX)
	}
	limit := sanitize.FormatThousands(r.LimitUGX)
	var sentences []string
	if perCall {
		sentences = append(sentences, fmt.Sprintf("Nothing was sent: %s, and one call may take UGX %s (%s).",
			need, limit, limitName(in, r)))
	} else {
		sentences = append(sentences, fmt.Sprintf("Nothing was sent: %s, and UGX %s are left of today's limit (%s), "+
			"which is UGX %s; UGX %s were spent or reserved today.", need, sanitize.FormatThousands(d.RemainingUGX), limitName(in, r), limit,
			sanitize.FormatThousands(r.SpentUGX)))
	}
	affordableUGX := min(d.RemainingUGX, d.CallLimitUGX)
	if n := affordableUGX * int64(in.Recipients) / max(d.TotalUGX, 1); n > 0 && in.Tool == client.ToolSendSMS {
		sentences = append(sentences, fmt.Sprintf("The limit allows %d of these %d recipients in one call now.", n, in.Recipients))
	}
	switch {
	case perCall:
		sentences = append(sentences, onlyOperator)
	case d.TotalUGX > r.LimitUGX:
		sentences = append(sentences, "It is more than the limit of a whole day. "+onlyOperator)
	default:
		sentences = append(sentences, fmt.Sprintf("The day ends at %s (midnight in Kampala); then it can be done. "+
			"Before that, only the operator can change the limit.", r.DayEnds.In(ledger.KampalaZone).Format(time.RFC3339)))
	}
	return NewError(CodeLimitExceeded, strings.Join(sentences, " "))
}

const onlyOperator = "Only the operator can change the limit."

// limitName is the setting that a refusal is about.
func limitName(in ledger.Intent, r ledger.Refusal) string {
	switch {
	case r.CallerLimit:
		return CallerLimitName
	case in.Kind == ledger.KindTopUp:
		return "WESENDALL_MAX_TOPUP"
	case r.Reason == ledger.RefusedPerCallLimit:
		return "WESENDALL_MAX_PER_CALL"
	default:
		return "WESENDALL_MAX_PER_DAY"
	}
}

// recipientsError is the refusal of more recipients than one call may reach. what is
// the sentence's beginning, such as "recipient: 12 numbers".
func (g *Guard) recipientsError(what, remedy string) *Error {
	maxCount, limitName := g.maxRecipients()
	return NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: %s, and one call may reach %d (%s). %s %s",
		what, maxCount, limitName, remedy, onlyOperator))
}

// destinationError is the refusal of numbers in countries that the operator does not
// allow. others is how many of the call's numbers are allowed.
func (g *Guard) destinationError(argument string, outside []string, others int) *Error {
	message := fmt.Sprintf("Nothing was sent: %s: the operator only allows the calling codes %s "+
		"(WESENDALL_ALLOWED_COUNTRIES), not %s.", argument, strings.Join(g.options.Countries, ", "), listNumbers(outside))
	return NewError(CodeDestinationNotAllowed, message+sendOthers(others, len(outside))+" Only the operator can allow more.")
}

// maxNamed is how many numbers a sentence names.
const maxNamed = 5

// listNumbers names up to maxNamed numbers, and how many more there are.
func listNumbers(numbers []string) string {
	text := strings.Join(numbers[:min(len(numbers), maxNamed)], ", ")
	if more := len(numbers) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// sendOthers says that the other recipients can be sent to without some that were
// just named; nothing if there are none.
func sendOthers(others, named int) string {
	if others <= 0 {
		return ""
	}
	without := "it"
	if named > 1 {
		without = "them"
	}
	return fmt.Sprintf(" %s can be sent without %s.", sanitize.Pluralize(others, "other recipient"), without)
}
