package guard

import (
	"fmt"
	"strings"
	"unicode"
)

// confirmationPrompt is what a person is asked: what, to whom, how much.
func (q *Quote) confirmationPrompt(tool, message, reason string) string {
	if tool == topUpTool {
		return fmt.Sprintf("Ask %s to pay UGX %s into the wallet by Mobile Money? The wallet holds UGX %s, and UGX %s once that is paid. You are asked because %s.",
			q.audience, formatThousands(q.TotalUGX), formatThousands(q.BalanceUGX), formatThousands(q.BalanceAfterUGX), reason)
	}
	text := strings.Join(strings.Fields(SanitizeText(message)), " ")
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200]) + "…"
	}
	return fmt.Sprintf("Send “%s” to %s for about UGX %s (%s each)? The wallet then holds about UGX %s. You are asked because %s.",
		text, q.audience, formatThousands(q.TotalUGX), pluralize(q.Units, "unit"), formatThousands(q.BalanceAfterUGX), reason)
}

// formatRecipients names recipients for a person: how many, and the first three.
func formatRecipients(numbers []string) string {
	if len(numbers) <= 3 {
		return strings.Join(numbers, ", ")
	}
	return fmt.Sprintf("%d recipients (%s, …)", len(numbers), strings.Join(numbers[:3], ", "))
}

func pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func formatThousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// SanitizeText is a text without the control and invisible characters by which it
// could hide something from who reads it. Lines and tabs stay.
func SanitizeText(text string) string {
	return strings.Map(func(r rune) rune {
		if isInvisible(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

func isInvisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
