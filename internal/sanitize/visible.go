package sanitize

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSpaceRun is how many spaces in a row Visible writes as they are. A longer run
// could move the rest of a text out of sight.
const maxSpaceRun = 8

// singleQuotes are quotation marks that serve as apostrophes.
const singleQuotes = "'‘’‚‛‹›＇"

// blankSymbol is the Braille pattern without dots: Unicode calls it printable.
const blankSymbol = '\u2800'

// Visible returns the whole text on one line, for a reader who must not be misled.
// A backslash comes before each quotation mark and backslash, so that a text between
// quotation marks cannot seem to end early. Line breaks are written as \n, other
// characters that cannot be seen as \{U+200B}, and long runs of spaces as \{400 spaces}.
func Visible(text string) string {
	var out strings.Builder
	for text != "" {
		if n := len(text) - len(strings.TrimLeft(text, " ")); n > maxSpaceRun {
			fmt.Fprintf(&out, `\{%d spaces}`, n)
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, `\{byte %02X}`, text[0])
		} else {
			out.WriteString(visibleRune(r))
		}
		text = text[size:]
	}
	return out.String()
}

func visibleRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == '\\', isQuotationMark(r):
		return `\` + string(r)
	case !strconv.IsPrint(r), IsInvisible(r), r == blankSymbol:
		return fmt.Sprintf(`\{%U}`, r)
	}
	return string(r)
}

// isQuotationMark reports whether r can end a text between quotation marks.
func isQuotationMark(r rune) bool {
	return unicode.Is(unicode.Quotation_Mark, r) && !strings.ContainsRune(singleQuotes, r) || strings.ContainsRune("″ʺ", r)
}
