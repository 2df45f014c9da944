package guard

import (
	"fmt"
	"strings"
	"unicode"
)

// question is what a person is asked: what, to whom, how much.
func (q *Quote) question(tool, message, why string) string {
	if tool == topUpTool {
		return fmt.Sprintf("Ask %s to pay UGX %s into the wallet by Mobile Money? The wallet holds UGX %s, and UGX %s once that is paid. You are asked because %s.",
			q.to, thousands(q.Total), thousands(q.Balance), thousands(q.BalanceAfter), why)
	}
	text := strings.Join(strings.Fields(Visible(message)), " ")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return fmt.Sprintf("Send “%s” to %s for about UGX %s (%s each)? The wallet then holds about UGX %s. You are asked because %s.",
		text, q.to, thousands(q.Total), count(q.Units, "unit"), thousands(q.BalanceAfter), why)
}

// audience names recipients for a person: how many, and the first three.
func audience(numbers []string) string {
	if len(numbers) <= 3 {
		return strings.Join(numbers, ", ")
	}
	return fmt.Sprintf("%d recipients (%s, …)", len(numbers), strings.Join(numbers[:3], ", "))
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Visible is a text without the control and invisible characters by which it
// could hide something from who reads it. Lines and tabs stay.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
