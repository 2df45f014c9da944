// Package fold normalizes messages for comparison: messages that read the same have the
// same folded form. It stores and sends nothing.
package fold

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// plainPunctuation replaces typographic quotes, dashes and spaces by what a
// keyboard has.
var plainPunctuation = strings.NewReplacer(
	"‘", "'", "’", "'", "‚", "'", "‛", "'", "′", "'", "`", "'", "´", "'",
	"“", `"`, "”", `"`, "„", `"`, "‟", `"`, "″", `"`, "«", `"`, "»", `"`,
	"‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "―", "-", "−", "-",
)

// Message returns the folded form of a message. Invisible characters are removed, white space
// is collapsed, quotes and dashes are made plain, and case is folded, except in
// words with a digit, because codes are case-sensitive.
func Message(message string) string {
	text := norm.NFKC.String(plainPunctuation.Replace(message))
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case sanitize.IsInvisible(r):
			return -1
		}
		return r
	}, plainPunctuation.Replace(text))
	words := strings.Fields(norm.NFKC.String(text))
	caser := cases.Fold()
	for i, word := range words {
		if !strings.ContainsFunc(word, unicode.IsDigit) {
			// Lower case first, because the folding of x/text swaps the cases of Cherokee.
			words[i] = norm.NFKC.String(caser.String(strings.ToLower(word)))
		}
	}
	return strings.Join(words, " ")
}
