package guard

import (
	"fmt"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// confirmationPrompt is what the user is asked. The facts come first, one a line;
// then the whole message on one line. No text of others can add a line, or end the
// quotation marks around it.
func confirmationPrompt(c spendCall, q Quote, reason string) string {
	lines := sendFacts(c, q)
	if c.intent.Kind == ledger.KindTopUp {
		lines = topUpFacts(c, q)
	}
	lines = append(lines, "You are asked because "+reason+".")
	if c.intent.Kind == ledger.KindSend {
		lines = append(lines, messageLines(c.message, q.MessageLength)...)
	}
	return strings.Join(lines, "\n")
}

func sendFacts(c spendCall, q Quote) []string {
	units := sanitize.Pluralize(q.Units, "unit")
	cost := fmt.Sprintf("Cost: about UGX %s (%s each)", sanitize.FormatThousands(q.TotalUGX), units)
	if q.ReservedUGX > 0 {
		cost = fmt.Sprintf("Cost: not known, because the group's size cannot be read (%s each)", units)
	}
	lines := []string{"Send an SMS?", "To: " + recipientsFact(q)}
	if q.optOutNote != "" {
		lines = append(lines, "Do not text: "+q.optOutNote)
	}
	return append(lines, cost,
		"Wallet: "+sanitize.Visible(c.walletID),
		"Balance: "+balanceFact(q, "about UGX %s after"))
}

// balanceFact is the balance now, and after the spend where that is known.
func balanceFact(q Quote, after string) string {
	fact := fmt.Sprintf("UGX %s now", sanitize.FormatThousands(q.BalanceUGX))
	if q.BalanceAfterUGX != nil {
		fact += ", " + fmt.Sprintf(after, sanitize.FormatThousands(*q.BalanceAfterUGX))
	}
	return fact
}

// networkFeeNote is what Wesendall says publicly about the price of a top-up.
const networkFeeNote = "The mobile network may add its own fee."

func topUpFacts(c spendCall, q Quote) []string {
	lines := []string{
		"Ask for money by Mobile Money?",
		"Payer: " + q.PhoneNumber,
		"Amount: UGX " + sanitize.FormatThousands(q.TotalUGX) + ". " + networkFeeNote,
	}
	if c.description != "" {
		lines = append(lines, "Description: "+quoted(c.description))
	}
	return append(lines,
		"Into the wallet: "+sanitize.Visible(c.walletID),
		"Balance: "+balanceFact(q, "UGX %s once it is paid"))
}

// maxAskedNumbers is how many numbers the question names.
const maxAskedNumbers = 10

// recipientsFact says whom a send reaches, and how many.
func recipientsFact(q Quote) string {
	if q.Group != nil {
		size := "everyone (their number is not known) in"
		if q.Recipients > 0 {
			size = "the " + sanitize.Pluralize(q.Recipients, "contact") + " of"
		}
		if q.Group.Title == "" {
			return fmt.Sprintf("%s the group with the id %s", size, quoted(q.Group.ID))
		}
		return fmt.Sprintf("%s the group %s, with the id %s", size, quoted(q.Group.Title), quoted(q.Group.ID))
	}
	named := q.RecipientNumbers[:min(len(q.RecipientNumbers), maxAskedNumbers)]
	fact := sanitize.Pluralize(q.Recipients, "recipient") + ": " + strings.Join(named, ", ")
	if more := q.Recipients - len(named); more > 0 {
		fact += fmt.Sprintf(" and %d more", more)
	}
	return fact
}

// messageLines are the whole message, and how to read what is written in it with a
// backslash.
func messageLines(message string, length int) []string {
	shown := sanitize.Visible(message)
	lines := []string{"", fmt.Sprintf("The whole message (%s), between quotation marks:",
		sanitize.Pluralize(length, "character"))}
	if shown != message {
		lines = append(lines, `(In it, \n is a line break and \{…} what cannot be seen; \ also marks its quotation marks.)`)
	}
	return append(lines, `"`+shown+`"`)
}

// quoteFacts are sentences for an error with a quote: what its first sentence does not
// say, and a user must know.
func quoteFacts(c spendCall) string {
	if c.intent.Kind != ledger.KindTopUp {
		return "It is paid from the wallet " + quoted(c.walletID) + "."
	}
	facts := "The money goes into the wallet " + quoted(c.walletID) + ". " + networkFeeNote
	if c.description != "" {
		facts += " Its description is " + quoted(c.description) + "."
	}
	return facts
}

func quoted(text string) string { return `"` + sanitize.Visible(text) + `"` }
