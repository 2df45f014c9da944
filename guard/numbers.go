package guard

import (
	"slices"
	"strings"
	"unicode"

	"github.com/wesendall/wesendall-mcp/client"
)

// Recipients are the numbers of a list, each once and without the spaces and
// dashes that people write. "0772 123 456" is one number: the vendor splits at
// spaces too, so what is sent has none left.
func Recipients(list []string) client.Recipients {
	var numbers client.Recipients
	for _, entry := range list {
		for part := range strings.FieldsFuncSeq(entry, func(r rune) bool { return strings.ContainsRune(",;\r\n\t", r) }) {
			for _, number := range join(strings.Fields(part)) {
				if !slices.Contains(numbers, number) {
					numbers = append(numbers, number)
				}
			}
		}
	}
	return numbers
}

// join makes numbers of the pieces between spaces. A piece begins a new number
// when the one before it is complete, or when it begins with a plus.
func join(pieces []string) []string {
	var numbers []string
	for _, piece := range pieces {
		piece = compact(piece)
		last := len(numbers) - 1
		switch {
		case piece == "":
		case last < 0, strings.HasPrefix(piece, "+") && numbers[last] != "+", complete(numbers[last]):
			numbers = append(numbers, piece)
		default:
			numbers[last] += piece
		}
	}
	return numbers
}

// complete tells whether a number has all its digits: nine after +256 or 256,
// nine after 0, and nine where it begins without either. A number of another
// country has none that is known here, and is over at the next plus.
func complete(number string) bool {
	digits, international := strings.CutPrefix(number, "+")
	switch {
	case strings.HasPrefix(digits, "256"):
		return len(digits) >= 12
	case international:
		return len(digits) >= 15 // the most that E.164 allows
	case strings.HasPrefix(digits, "0"):
		return len(digits) >= 10
	default:
		return len(digits) >= 9
	}
}

// compact leaves out what people put between a number's digits.
func compact(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("()./", r) {
			return -1
		}
		return r
	}, number)
}
