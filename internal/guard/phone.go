package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// defaultRegion is where a number without a country code is from.
const defaultRegion = "UG"

// RejectedNumber is a number that nothing can be sent to.
type RejectedNumber struct {
	Input  string `json:"number"`         // as it was written
	Item   int    `json:"item,omitempty"` // its place in the list, from 1
	Reason string `json:"reason"`
}

// phoneList are the phone numbers of a list.
type phoneList struct {
	countries []string // allowed calling codes
	e164      []string // each once, in the order of the list
	rejected  []RejectedNumber
	seen      map[string]bool
	items     int      // in the list
	repeated  int      // items that name a number again
	warnings  []string // on numbers that are possible, but in no numbering plan, and on fixed lines
}

// parseNumbers finds the numbers of a list, in E.164 and each once. "0700 000 012" is
// one number; Wesendall splits at spaces, so what is sent has none. A number without
// a plus may begin with one of the calling codes. Pieces with the same text are parsed
// once.
func parseNumbers(list, countries []string) phoneList {
	phones := phoneList{countries: countries}
	parsed := map[string]bool{}
	for piece := range splitNumbers(list, countries) {
		phones.items++
		if parsed[piece.clean] {
			phones.repeated++
			continue
		}
		parsed[piece.clean] = true
		phones.add(piece)
	}
	return phones
}

var scientificPattern = lazyregexp.New(`^\+?\d+[eE]\+?\d+$`)

// add parses one piece of a list.
func (phones *phoneList) add(piece numberPiece) {
	text, problem := normalizeDialString(piece.clean, phones.countries)
	if problem != "" {
		phones.reject(piece, problem)
		return
	}
	number, err := phonenumbers.Parse(text, defaultRegion)
	if err != nil {
		phones.reject(piece, "is not a phone number")
		return
	}
	if problem := lengthProblem(number); problem != "" {
		phones.reject(piece, problem)
		return
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if strings.HasPrefix(e164, "+2560") { // the zero that is dialled in Uganda, and a digit too few
		phones.reject(piece, "has too few digits")
		return
	}
	// In some countries a zero or two at the beginning are part of the number for
	// one reader and not for another: Wesendall must not read another number.
	reparsed, err := phonenumbers.Parse(e164, defaultRegion)
	if err != nil || phonenumbers.Format(reparsed, phonenumbers.E164) != e164 {
		phones.reject(piece, "can be read as two numbers")
		return
	}
	phones.accept(e164, number)
}

// normalizeDialString is a piece in the form that the library parses, or why it is none.
func normalizeDialString(clean string, countries []string) (text, problem string) {
	text = clean
	if len(text) > 4 && strings.EqualFold(text[:4], "tel:") {
		text = text[4:]
	}
	switch {
	case scientificPattern().MatchString(text):
		return "", "looks like a number from a spreadsheet, which has lost its last digits: format the column as text"
	case strings.ContainsAny(text, "#*") || extensionPattern().MatchString(text):
		return "", "has an extension or a code, which an SMS cannot reach"
	case strings.ContainsFunc(text, unicode.IsLetter): // would be read as the keys that they are on
		return "", "is not a phone number"
	}
	if rest, ok := strings.CutPrefix(text, "00"); ok {
		return "+" + rest, ""
	}
	foreign := foreignWithoutPlus(text, countries)
	if foreign && len(text) == nationalLength {
		return "", "can be read as two numbers: write it with a plus and the calling code"
	}
	if foreign {
		return "+" + text, ""
	}
	return text, ""
}

var extensionPattern = lazyregexp.New(`(?i)\d(x|ext)\d+$`)

// nationalLength is how many digits a Ugandan number has without a prefix.
const nationalLength = 9

// foreignWithoutPlus reports whether digits are a valid number of an allowed country
// other than Uganda, with its calling code and without the plus.
func foreignWithoutPlus(digits string, countries []string) bool {
	if strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "0") {
		return false
	}
	return slices.ContainsFunc(countries, func(code string) bool {
		if code == ugandaCode || !strings.HasPrefix(digits, code) {
			return false
		}
		number, err := phonenumbers.Parse("+"+digits, defaultRegion)
		return err == nil && phonenumbers.IsValidNumber(number)
	})
}

func lengthProblem(number *phonenumbers.PhoneNumber) string {
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.IS_POSSIBLE:
		return ""
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "has too few digits"
	case phonenumbers.TOO_LONG:
		return "has too many digits"
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "has no country code that exists"
	}
	return "has a wrong number of digits"
}

// accept adds a number, once.
func (phones *phoneList) accept(e164 string, number *phonenumbers.PhoneNumber) {
	if phones.seen[e164] {
		phones.repeated++
		return
	}
	if phones.seen == nil {
		phones.seen = map[string]bool{}
	}
	phones.seen[e164] = true
	phones.e164 = append(phones.e164, e164)
	switch {
	case !phonenumbers.IsValidNumber(number):
		phones.warnings = append(phones.warnings, e164+" is in no numbering plan known here")
	case phonenumbers.GetNumberType(number) == phonenumbers.FIXED_LINE:
		phones.warnings = append(phones.warnings, e164+" is a fixed line, which cannot get an SMS or pay by Mobile Money")
	}
}

func (phones *phoneList) reject(piece numberPiece, reason string) {
	phones.rejected = append(phones.rejected, RejectedNumber{
		Input: sanitize.Truncate(sanitize.Text(piece.raw), maxQuotedRunes), Item: phones.items, Reason: reason,
	})
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
		item := ""
		if phones.items > 1 {
			item = fmt.Sprintf(", item %d", r.Item)
		}
		problems = append(problems, fmt.Sprintf("%s%s: %q %s", argument, item, r.Input, r.Reason))
	}
	return problems
}

// notes are the warnings about a list of numbers, and how many refused numbers a quote
// does not list.
func (phones phoneList) notes() []string {
	notes := phones.warnings
	if phones.repeated > 0 {
		notes = append(slices.Clone(notes), fmt.Sprintf("Numbers listed again: %d; each is counted once.", phones.repeated))
	}
	if more := len(notes) - sanitize.MaxProblems; more > 0 {
		notes = append(slices.Clone(notes[:sanitize.MaxProblems]),
			fmt.Sprintf("and %d more such notes", more))
	}
	if more := len(phones.rejected) - sanitize.MaxProblems; more > 0 {
		notes = append(slices.Clone(notes), fmt.Sprintf("%d more are refused than are listed", more))
	}
	return notes
}

// maxQuotedRunes is how much of a value an error repeats.
const maxQuotedRunes = 40

// isComplete reports whether a number has all its digits: nine after +256, 256 or 0,
// or nine without a prefix. A number of another country is complete when it is valid
// there.
func isComplete(clean string, countries []string) bool {
	digits, international := strings.CutPrefix(strings.TrimPrefix(strings.ToLower(clean), "tel:"), "+")
	if rest, ok := strings.CutPrefix(digits, "00"); ok && !international {
		digits, international = rest, true
	}
	startsWith := func(code string) bool { return code != ugandaCode && strings.HasPrefix(digits, code) }
	switch {
	case strings.HasPrefix(digits, ugandaCode):
		return len(digits) >= len(ugandaCode)+nationalLength
	case international:
		number, err := phonenumbers.Parse("+"+digits, defaultRegion)
		return len(digits) >= maxE164Digits || err == nil && phonenumbers.IsValidNumber(number)
	case strings.HasPrefix(digits, "0"):
		return len(digits) >= 1+nationalLength
	case slices.ContainsFunc(countries, startsWith):
		return len(digits) >= maxE164Digits || foreignWithoutPlus(digits, countries)
	}
	return len(digits) >= nationalLength
}

const (
	ugandaCode    = "256"
	maxE164Digits = 15
)
