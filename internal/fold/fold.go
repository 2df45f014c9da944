// Package fold normalizes messages for comparison: messages that read the same have the
// same folded form. It stores and sends nothing.
package fold

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// plainQuotes replaces typographic quotes by what a keyboard has.
var plainQuotes = strings.NewReplacer(
	"‘", "'", "’", "'", "‚", "'", "‛", "'", "′", "'", "‵", "'", "`", "'", "´", "'", "‹", "'", "›", "'",
	"ʹ", "'", "ʻ", "'", "ʼ", "'", "ʽ", "'", "ˈ", "'", "\ua78c", "'", "❛", "'", "❜", "'", "❟", "'", "׳", "'", "՚", "'",
	"“", `"`, "”", `"`, "„", `"`, "‟", `"`, "″", `"`, "‶", `"`, "«", `"`, "»", `"`,
	"ʺ", `"`, "ˮ", `"`, "❝", `"`, "❞", `"`, "❠", `"`, "〝", `"`, "〞", `"`, "〟", `"`, "״", `"`,
)

// otherDashes are dashes and hyphens outside Unicode's class of them.
const otherDashes = "−⁃˗➖"

// runsOfDashes and twoApostrophes are what people type for a long dash and a quote.
var (
	runsOfDashes   = regexp.MustCompile(`--+`)
	twoApostrophes = strings.NewReplacer("''", `"`)
)

// Message returns the folded form of a message. Invisible characters are removed, white space
// is collapsed, quotes and dashes are made plain, and case is folded, except in
// words with a digit, because codes are case-sensitive.
func Message(message string) string {
	text := plainQuotes.Replace(norm.NFKC.String(plainQuotes.Replace(message)))
	text = norm.NFKC.String(strings.Map(plainRune, text))
	text = twoApostrophes.Replace(runsOfDashes.ReplaceAllString(text, "-"))
	words := strings.Fields(text)
	caser := cases.Fold()
	for i, word := range words {
		if !strings.ContainsFunc(word, unicode.IsDigit) {
			// Lower case first, because the folding of x/text swaps the cases of Cherokee.
			words[i] = norm.NFKC.String(caser.String(strings.ToLower(word)))
		}
	}
	return strings.Join(words, " ")
}

// plainRune is what a character looks like; -1 if a reader does not see it.
func plainRune(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Pd, r), strings.ContainsRune(otherDashes, r):
		return '-'
	case sanitize.IsInvisible(r), r == '\ufffc': // stands where an attachment was
		return -1
	default:
		return r
	}
}

// IsBlank reports whether a reader of a message would see nothing. Combining marks
// without a letter and private-use characters show nothing that can be read.
func IsBlank(message string) bool {
	return !strings.ContainsFunc(message, isReadable) || !strings.ContainsFunc(Message(message), isReadable)
}

// isReadable reports whether a character shows something. U+2800 is a letter of Braille
// without dots.
func isReadable(r rune) bool {
	return plainRune(r) != -1 && !unicode.IsSpace(r) && !unicode.In(r, unicode.M, unicode.Co) && r != '\u2800'
}
