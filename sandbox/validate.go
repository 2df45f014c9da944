package sandbox

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

const unlimited = math.MaxInt

// input is one call's parameters, and everything that is wrong with them: each
// reader notes its fault and goes on, so that one answer names them all.
// Parameters that nobody reads are ignored, as Zod does by default.
type input struct {
	fields map[string]any // as JSON decodes them; a query's are strings
	prefix string         // what precedes a field's name in a fault
	faults []string

	wallet string // the one asked for
	own    string // the one that the caller's key may use
}

// check ends the reading: validation comes before the wallet's owner.
func (in *input) check() error {
	if len(in.faults) > 0 {
		return errInvalid.because(strings.Join(in.faults, "; "))
	}
	if in.wallet != in.own {
		return errForbidden
	}
	return nil
}

func (in *input) fault(field, format string, args ...any) {
	in.faults = append(in.faults, in.prefix+field+": "+fmt.Sprintf(format, args...))
}

// get reads a required field of one JSON type, called kind in the fault.
func get[T any](in *input, field, kind string) (value T, ok bool) {
	given, ok := in.fields[field]
	if !ok {
		in.fault(field, "is required")
		return value, false
	}
	if value, ok = given.(T); !ok {
		in.fault(field, "must be %s", kind)
	}
	return value, ok
}

// text reads a required string of 1 to most UTF-16 code units.
func (in *input) text(field string, most int) string {
	text, ok := get[string](in, field, "a string")
	if n := utf16Len(text); ok && n == 0 {
		in.fault(field, "must not be empty")
	} else if n > most {
		in.fault(field, "must be at most %d characters (got %d)", most, n)
	}
	return text
}

// optional reads a string that may be absent, though not null.
func (in *input) optional(field string) string {
	if _, given := in.fields[field]; !given {
		return ""
	}
	text, _ := get[string](in, field, "a string")
	return text
}

// shillings reads an amount in UGX, a currency without a smaller coin.
func (in *input) shillings(field string, least, most float64) int64 {
	amount, ok := get[float64](in, field, "a number")
	switch {
	case !ok:
	case amount < least || amount > most:
		in.fault(field, "must be from %.0f to %.0f", least, most)
	case amount != math.Trunc(amount):
		in.fault(field, "must be a whole number")
	}
	return int64(amount)
}

// whole reads an optional whole number out of a query.
func (in *input) whole(field string, absent, least, most int) int {
	text, given := in.fields[field].(string)
	if !given {
		return absent
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		in.fault(field, "must be a whole number")
	case n < least:
		in.fault(field, "must be at least %d", least)
	case n > most:
		in.fault(field, "must be at most %d", most)
	}
	return n
}

// phone reads one required phone number in the form that normal gives it.
func (in *input) phone(field string, normal func(string) (string, bool)) string {
	text, ok := get[string](in, field, "a string")
	number, valid := normal(text)
	if ok && !valid {
		in.fault(field, "%q is not a phone number", text)
	}
	return number
}

// recipients reads a string, or an array of strings, each of which may be a
// list. Nothing says that the vendor drops a number named twice, so none is
// dropped and each is paid for.
func (in *input) recipients(field string) []string {
	const kind = "a string or an array of strings"
	given, ok := get[any](in, field, kind)
	if !ok {
		return nil
	}
	items, ok := given.([]any)
	if !ok {
		items = []any{given}
	}
	if len(items) == 0 {
		in.fault(field, "must not be empty")
	}
	var numbers []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			in.fault(field, "must be %s", kind)
			continue
		}
		parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		if len(parts) == 0 {
			parts = []string{text}
		}
		for _, part := range parts {
			number, ok := anyNumber(part)
			if !ok {
				in.fault(field, "%q is not a phone number", part)
			}
			numbers = append(numbers, number)
		}
	}
	return numbers
}

type contact struct{ phone, name string }

// contacts reads a non-empty array of {phone, name?}.
func (in *input) contacts(field string) []contact {
	items, ok := get[[]any](in, field, "an array")
	if ok && len(items) == 0 {
		in.fault(field, "must not be empty")
	}
	contacts := make([]contact, len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", field, i)
		object, ok := item.(map[string]any)
		if !ok {
			in.fault(at, "must be an object")
			continue
		}
		one := input{fields: object, prefix: at + "."}
		contacts[i] = contact{one.phone("phone", anyNumber), one.optional("name")}
		in.faults = append(in.faults, one.faults...)
	}
	return contacts
}

var (
	ugandanForms = regexp.MustCompile(`^(?:\+?256|0)([0-9]{9})$`)
	foreignForm  = regexp.MustCompile(`^\+[0-9]{8,15}$`)
)

// ugandan is a number in one of the three documented forms as +256XXXXXXXXX.
func ugandan(number string) (string, bool) {
	parts := ugandanForms.FindStringSubmatch(number)
	if parts == nil {
		return "", false
	}
	return "+256" + parts[1], true
}

// anyNumber lets numbers outside Uganda pass as they are: no document says
// that they are refused.
func anyNumber(number string) (string, bool) {
	if foreignForm.MatchString(number) && !strings.HasPrefix(number, "+256") {
		return number, true
	}
	return ugandan(number)
}

// utf16Len is the length that JavaScript, where the vendor validates, gives a string.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
