package guard

import (
	"fmt"
	"strings"
	"unicode"
)

// countNumbers counts the numbers of a list without parsing them, and stops where the
// list certainly has far more than maxCount. Entries with the same last nine digits
// count once, because they may be one number.
func countNumbers(list, countries []string, maxCount int) (count int, complete bool) {
	const digitsKept, entriesPerNumber, minEntries = 9, 10, 100
	seen := map[string]bool{}
	entries := 0
	for piece := range splitNumbers(list, countries) {
		if entries++; entries > entriesPerNumber*maxCount+minEntries {
			return count, false
		}
		digits := strings.Map(func(r rune) rune {
			if !unicode.IsDigit(r) {
				return -1
			}
			return r
		}, piece.clean[max(0, len(piece.clean)-2*digitsKept):])
		if key := digits[max(0, len(digits)-digitsKept):]; len(key) < digitsKept || !seen[key] {
			seen[key] = true
			count++
		}
	}
	return count, true
}

// checkCount refuses a send to nobody, or to more numbers than one call may reach. It
// comes before anything is read for the call.
func (g *Guard) checkCount(list []string) error {
	maxCount, _ := g.maxRecipients()
	count, complete := countNumbers(list, g.options.Countries, maxCount)
	switch {
	case count == 0 && complete:
		return NewError(CodeInvalidArguments, "Nothing was sent. recipient: must name at least one phone number")
	case !complete:
		return g.recipientsError("recipient: far too many numbers", "Send to fewer in each call.")
	case count > maxCount:
		return g.recipientsError(fmt.Sprintf("recipient: %d numbers", count), "Send to fewer in each call.")
	}
	return nil
}
