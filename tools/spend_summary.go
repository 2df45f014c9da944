package tools

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// sendSummary says what an accepted send reached and cost, what the wallet holds, who
// agreed, and what is left of the operator's limit.
func sendSummary(r *guard.Receipt) string {
	recipients := "the whole group"
	if r.Quote.Recipients > 0 {
		recipients = sanitize.Pluralize(r.Quote.Recipients, "recipient")
	}
	cost := "about UGX " + sanitize.FormatThousands(r.Quote.TotalUGX)
	if r.Quote.ReservedUGX > 0 {
		cost = fmt.Sprintf("the price is not known, and UGX %s stay reserved", sanitize.FormatThousands(r.Quote.ReservedUGX))
	}
	summary := fmt.Sprintf("Accepted for %s, %s each: %s.", recipients, sanitize.Pluralize(r.Quote.Units, "unit"), cost)
	switch {
	case r.ReportedBalanceUGX != nil:
		summary += " Wesendall reports a balance of UGX " + sanitize.FormatThousands(*r.ReportedBalanceUGX) + "."
	case r.Quote.BalanceAfterUGX != nil:
		summary += " The wallet then holds about UGX " + sanitize.FormatThousands(*r.Quote.BalanceAfterUGX) + "."
	}
	summary += confirmedSentence(r.Confirmed)
	if r.CostNote != "" {
		summary += " " + r.CostNote
	}
	return summary + fmt.Sprintf(" The operator's limit for today, which is not the balance, allows UGX %s more.",
		sanitize.FormatThousands(r.BudgetRemaining))
}

// confirmedSentence says how a spend was confirmed, with a space before it.
func confirmedSentence(c guard.Confirmed) string {
	switch c {
	case guard.ConfirmedByUser:
		return " The user was asked, and agreed."
	case guard.ConfirmedByQuote:
		return " It was confirmed by the id of a quote."
	default:
		return " No confirmation was needed."
	}
}

// formatUGX writes an amount as UGX 1,400, with decimals only where it has some.
func formatUGX(amount float64) string {
	whole, decimals, _ := strings.Cut(strconv.FormatFloat(amount, 'f', -1, 64), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil { // more than there is money
		return fmt.Sprintf("UGX %.10g", amount)
	}
	text := sanitize.FormatThousands(n)
	if n == 0 && amount < 0 {
		text = "-0"
	}
	if decimals != "" {
		text += "." + decimals
	}
	return "UGX " + text
}
