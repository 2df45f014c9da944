package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// defaultRegion is where a number without a country code is from.
const defaultRegion = "UG"

// RejectedNumber is a number that nothing can be sent to.
type RejectedNumber struct {
	Input  string `json:"number"`
	Reason string `json:"reason"`
}

// phoneList are the phone numbers of a list.
type phoneList struct {
	e164     []string // each once, in the order of the list
	rejected []RejectedNumber
	seen     map[string]bool
	warnings []string // on those that are possible, but in no numbering plan
}

// parseNumbers finds the numbers of a list, in E.164 and each once. "0700 000 012" is
// one number; Wesendall splits at spaces, so what is sent has none. Entries that are
// written alike are parsed once.
func parseNumbers(list []string) phoneList {
	var phones phoneList
	parsed := map[string]bool{}
	for number := range splitNumbers(list) {
		if !parsed[number] {
			parsed[number] = true
			phones.add(number)
		}
	}
	return phones
}

func (phones *phoneList) add(raw string) {
	raw = stripPunctuation(raw)
	number, err := phonenumbers.Parse(raw, defaultRegion)
	// Letters would be read as the keys that they are on.
	if err != nil || strings.ContainsFunc(raw, unicode.IsLetter) {
		phones.reject(raw, "is not a phone number")
		return
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		phones.reject(raw, "has too few digits")
		return
	case phonenumbers.TOO_LONG:
		phones.reject(raw, "has too many digits")
		return
	case phonenumbers.INVALID_COUNTRY_CODE:
		phones.reject(raw, "has no country code that exists")
		return
	default:
		phones.reject(raw, "has a wrong number of digits")
		return
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if strings.HasPrefix(e164, "+2560") { // the zero that is dialled in Uganda, and a digit too few
		phones.reject(raw, "has too few digits")
		return
	}
	// In some countries a zero or two at the beginning are part of the number for
	// one reader and not for another: Wesendall must not read another number.
	if reparsed, err := phonenumbers.Parse(e164, defaultRegion); err != nil || phonenumbers.Format(reparsed, phonenumbers.E164) != e164 {
		phones.reject(raw, "can be read as two numbers")
		return
	}
	if phones.seen[e164] {
		return
	}
	if phones.seen == nil {
		phones.seen = map[string]bool{}
	}
	phones.seen[e164] = true
	phones.e164 = append(phones.e164, e164)
	if !phonenumbers.IsValidNumber(number) {
		phones.warnings = append(phones.warnings, e164+" is in no numbering plan known here")
	}
}

func (phones *phoneList) reject(number, reason string) {
	phones.rejected = append(phones.rejected, RejectedNumber{sanitize.Truncate(number, maxQuotedRunes), reason})
}

// removeOtherCountries removes and returns the numbers without these calling codes.
func (phones *phoneList) removeOtherCountries(countries []string) []string {
	var allowed, removed []string
	for _, e164 := range phones.e164 {
		number, err := phonenumbers.Parse(e164, defaultRegion)
		if err != nil || !slices.Contains(countries, strconv.Itoa(int(number.GetCountryCode()))) {
			removed = append(removed, e164)
			continue
		}
		allowed = append(allowed, e164)
	}
	phones.e164 = allowed
	return removed
}

// problems are sentences about the rejected numbers of an argument.
func (phones phoneList) problems(argument string) []string {
	var problems []string
	for _, r := range phones.rejected {
		problems = append(problems, fmt.Sprintf("%s: %q %s", argument, r.Input, r.Reason))
	}
	return problems
}

// notes are the warnings about a list of numbers, and how many refused numbers a quote
// does not list.
func (phones phoneList) notes() []string {
	notes := phones.warnings
	if more := len(notes) - sanitize.MaxProblems; more > 0 {
		notes = append(slices.Clone(notes[:sanitize.MaxProblems]),
			fmt.Sprintf("and %d more in no numbering plan known here", more))
	}
	if more := len(phones.rejected) - sanitize.MaxProblems; more > 0 {
		notes = append(slices.Clone(notes), fmt.Sprintf("%d more are refused than are listed", more))
	}
	return notes
}

// maxQuotedRunes is how much of a value an error repeats.
const maxQuotedRunes = 40

// isComplete reports whether a number has all its digits: nine after +256, 256 or 0,
// or nine without a prefix. The length of a number of another country is not known
// here: it ends at the next plus.
func isComplete(number string) bool {
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

// stripPunctuation removes what people write between a number's digits.
func stripPunctuation(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("()./", r) {
			return -1
		}
		return r
	}, number)
}
