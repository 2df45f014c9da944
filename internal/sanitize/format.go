package sanitize

import (
	"fmt"
	"strconv"
)

// FormatThousands writes a number with commas: 10,000.
func FormatThousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Pluralize writes a number with its noun, which takes an s: 1 unit, 2 units.
func Pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
