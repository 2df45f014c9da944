package guard

import (
	"strings"
	"unicode/utf16"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// ConfirmationNeed says why the user must agree to a spend, as the end of a
// sentence.
type ConfirmationNeed struct {
	Reason string `json:"reason"`
}

// ExpectedRefusal is the error that the real call would get now.
type ExpectedRefusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// addVerdict adds to a quote what the ledger decided about its intent, and whether
// the balance covers it.
func (g *Guard) addVerdict(q *Quote, in ledger.Intent, o SpendOptions, d ledger.Decision) {
	q.LeftTodayUGX = &d.RemainingUGX
	switch d.Verdict {
	case ledger.Refused:
		q.WouldRefuse = expectRefusal(g.refusalError(in, d))
		return
	case ledger.NeedsConfirmation:
		reason := g.confirmReason(in, d)
		q.NeedsConfirmation = &ConfirmationNeed{reason}
		if g.cannotConfirm(o) {
			q.WouldRefuse = expectRefusal(cannotConfirmError(reason))
			return
		}
	}
	heldUGX := in.BalanceBeforeUGX
	if in.Kind == ledger.KindSend && heldUGX != nil && in.TotalUGX > *heldUGX {
		takes := "it takes UGX "
		if isSizeUnknown(in) { // more than the balance is the price for one contact
			takes = "the message to one contact of the group takes UGX "
		}
		q.WouldRefuse = &ExpectedRefusal{client.CodeInsufficientBalance,
			takes + sanitize.FormatThousands(in.TotalUGX) +
				", and the wallet holds UGX " + sanitize.FormatThousands(*heldUGX) +
				" (UGX " + sanitize.FormatThousands(in.TotalUGX-*heldUGX) + " are missing)"}
	}
}

func expectRefusal(e *Error) *ExpectedRefusal {
	reason := e.Message
	if _, after, ok := strings.Cut(reason, ": "); ok && strings.HasPrefix(reason, "Nothing was ") {
		reason = after
	}
	return &ExpectedRefusal{e.Code, strings.TrimSuffix(reason, ".")}
}

// maxQuotedMessage is how much of a message a quote repeats, in UTF-16 code units.
const maxQuotedMessage = 200

// firstUTF16Units is the longest beginning of text with at most maxUnits UTF-16
// code units.
func firstUTF16Units(text string, maxUnits int) string {
	for i, r := range text {
		if maxUnits -= utf16.RuneLen(r); maxUnits < 0 {
			return text[:i]
		}
	}
	return text
}
