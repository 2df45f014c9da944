package guard

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
)

// splitNumbers yields what may be a number each, without the punctuation. It joins
// the groups of digits between spaces: a group begins a new number when the one
// before it is complete, or when it begins with a plus.
func splitNumbers(list []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, entry := range list {
			for part := range strings.FieldsFuncSeq(entry, isListSeparator) {
				if !yieldJoined(part, yield) {
					return
				}
			}
		}
	}
}

func isListSeparator(r rune) bool { return strings.ContainsRune(",;\r\n\t", r) }

// yieldJoined yields the numbers of a part that has no separator except spaces.
func yieldJoined(part string, yield func(string) bool) bool {
	number := ""
	for group := range strings.FieldsSeq(part) {
		group = stripPunctuation(group)
		if group == "" {
			continue
		}
		begins := strings.HasPrefix(group, "+") && number != "+" || isComplete(number)
		if begins && number != "" {
			if !yield(number) {
				return false
			}
			number = ""
		}
		number += group
	}
	return number == "" || yield(number)
}

// countNumbers counts the numbers of a list without parsing them, and stops where the
// list certainly has far more than maxCount. Entries with the same last nine digits
// count once, because they may be one number.
func countNumbers(list []string, maxCount int) (count int, complete bool) {
	const digitsKept, entriesPerNumber, minEntries = 9, 10, 100
	seen := map[string]bool{}
	entries := 0
	for entry := range splitNumbers(list) {
		if entries++; entries > entriesPerNumber*maxCount+minEntries {
			return count, false
		}
		digits := strings.Map(func(r rune) rune {
			if !unicode.IsDigit(r) {
				return -1
			}
			return r
		}, entry[max(0, len(entry)-2*digitsKept):])
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
	count, complete := countNumbers(list, maxCount)
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
