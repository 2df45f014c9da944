package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// region is where a number without a country code is from.
const region = "UG"

// Refused is a number that nothing can be sent to.
type Refused struct {
	Number string `json:"number"`
	Reason string `json:"reason"`
}

// numbers are the phone numbers of a list.
type numbers struct {
	e164    []string // each once, in the order of the list
	refused []Refused
	seen    map[string]bool
	notes   []string // on those that are possible, but in no numbering plan
}

// read finds the numbers of a list, in E.164 and each once. "0700 000 012" is
// one number; the vendor splits at spaces, so what is sent has none left.
func read(list []string) numbers {
	var n numbers
	for _, entry := range list {
		for part := range strings.FieldsFuncSeq(entry, func(r rune) bool { return strings.ContainsRune(",;\r\n\t", r) }) {
			for _, number := range join(strings.Fields(part)) {
				n.add(number)
			}
		}
	}
	return n
}

func (n *numbers) add(text string) {
	text = compact(text)
	number, err := phonenumbers.Parse(text, region)
	// Letters would be read as the keys that they are on.
	if err != nil || strings.ContainsFunc(text, unicode.IsLetter) {
		n.refuse(text, "is not a phone number")
		return
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		n.refuse(text, "has too few digits")
		return
	case phonenumbers.TOO_LONG:
		n.refuse(text, "has too many digits")
		return
	case phonenumbers.INVALID_COUNTRY_CODE:
		n.refuse(text, "has no country code that exists")
		return
	default:
		n.refuse(text, "has a wrong number of digits")
		return
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if strings.HasPrefix(e164, "+2560") { // a digit is missing behind the zero that one dials at home
		n.refuse(text, "has too few digits")
		return
	}
	// In some countries a zero or two at the beginning belong to a number for
	// one reader and not for the next: the vendor must not read another number.
	if again, err := phonenumbers.Parse(e164, region); err != nil || phonenumbers.Format(again, phonenumbers.E164) != e164 {
		n.refuse(text, "can be read as two numbers")
		return
	}
	if n.seen[e164] {
		return
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[e164] = true
	n.e164 = append(n.e164, e164)
	if !phonenumbers.IsValidNumber(number) {
		n.notes = append(n.notes, e164+" is in no numbering plan known here")
	}
}

func (n *numbers) refuse(number, reason string) {
	n.refused = append(n.refused, Refused{number, reason})
}

// without takes out the numbers of other countries than these calling codes,
// and returns them.
func (n *numbers) without(countries []string) []string {
	var inside, outside []string
	for _, e164 := range n.e164 {
		number, err := phonenumbers.Parse(e164, region)
		if err != nil || !slices.Contains(countries, strconv.Itoa(int(number.GetCountryCode()))) {
			outside = append(outside, e164)
			continue
		}
		inside = append(inside, e164)
	}
	n.e164 = inside
	return outside
}

// faults are sentences about what was refused, for an argument.
func (n numbers) faults(argument string) []string {
	var faults []string
	for _, r := range n.refused {
		faults = append(faults, fmt.Sprintf("%s: %q %s", argument, shorten(r.Number), r.Reason))
	}
	return faults
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
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
