package sandbox

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

const noLimit = math.MaxInt

// requestFields holds the parameters of one call and the problems found in them. Each reading
// method adds its problem and goes on, so that one response names them all. Unknown
// parameters are ignored, as Zod does by default.
type requestFields struct {
	values   map[string]any // as JSON decodes them; all strings in a query
	prefix   string         // stands before a field's name in a problem
	problems []string

	wallet    string // that the call names
	ownWallet string // that the caller's key may use
}

// validate returns errValidation with all problems, or errWalletForbidden.
func (in *requestFields) validate() error {
	if len(in.problems) > 0 {
		return errValidation.withMessage(strings.Join(in.problems, "; "))
	}
	if in.wallet != in.ownWallet {
		return errWalletForbidden
	}
	return nil
}

// readNothing is for an endpoint with no field except the wallet.
func readNothing(context.Context, *requestFields) (struct{}, error) { return struct{}{}, nil }

func (in *requestFields) addProblem(field, format string, args ...any) {
	in.problems = append(in.problems, in.prefix+field+": "+fmt.Sprintf(format, args...))
}

// requiredField reads a required field of type T, which problems call typ.
func requiredField[T any](in *requestFields, field, typ string) (value T, ok bool) {
	raw, ok := in.values[field]
	if !ok {
		in.addProblem(field, "is required")
		return value, false
	}
	if value, ok = raw.(T); !ok {
		in.addProblem(field, "must be %s", typ)
	}
	return value, ok
}

// stringField reads a required string of 1 to maxLen UTF-16 code units.
func (in *requestFields) stringField(field string, maxLen int) string {
	text, ok := requiredField[string](in, field, "a string")
	if n := utf16Len(text); ok && n == 0 {
		in.addProblem(field, "must not be empty")
	} else if n > maxLen {
		in.addProblem(field, "must be at most %d characters (got %d)", maxLen, n)
	}
	return text
}

// optionalString reads a string that may be absent, but not null.
func (in *requestFields) optionalString(field string) string {
	if _, given := in.values[field]; !given {
		return ""
	}
	value, _ := requiredField[string](in, field, "a string")
	return value
}

// amountField reads a required whole amount in UGX.
func (in *requestFields) amountField(field string, minAmount, maxAmount float64) int64 {
	amount, ok := requiredField[float64](in, field, "a number")
	switch {
	case !ok:
	case amount < minAmount || amount > maxAmount:
		in.addProblem(field, "must be from %.0f to %.0f", minAmount, maxAmount)
	case amount != math.Trunc(amount):
		in.addProblem(field, "must be a whole number")
	}
	return int64(amount)
}

// intField reads an optional whole number from a query.
func (in *requestFields) intField(field string, defaultValue, minValue, maxValue int) int {
	raw, given := in.values[field].(string)
	if !given {
		return defaultValue
	}
	n, err := strconv.Atoi(raw)
	switch {
	case err != nil:
		in.addProblem(field, "must be a whole number")
	case n < minValue:
		in.addProblem(field, "must be at least %d", minValue)
	case n > maxValue:
		in.addProblem(field, "must be at most %d", maxValue)
	}
	return n
}

// phoneField reads a required phone number and normalizes it.
func (in *requestFields) phoneField(field string, normalize func(string) (string, bool)) string {
	raw, ok := requiredField[string](in, field, "a string")
	number, valid := normalize(raw)
	if ok && !valid {
		in.addProblem(field, "%q is not a phone number", raw)
	}
	return number
}

// recipientsField reads a string or an array of strings, each of which may be a list separated
// by commas or spaces. Wesendall documents no removal of duplicates, so each is kept and paid.
func (in *requestFields) recipientsField(field string) []string {
	const typ = "a string or an array of strings"
	raw, ok := requiredField[any](in, field, typ)
	if !ok {
		return nil
	}
	items, ok := raw.([]any)
	if !ok {
		items = []any{raw}
	}
	if len(items) == 0 {
		in.addProblem(field, "must not be empty")
	}
	var numbers []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			in.addProblem(field, "must be %s", typ)
			continue
		}
		parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
		if len(parts) == 0 {
			parts = []string{text}
		}
		for _, part := range parts {
			number, ok := normalizePhone(part)
			if !ok {
				in.addProblem(field, "%q is not a phone number", part)
			}
			numbers = append(numbers, number)
		}
	}
	return numbers
}

type contact struct{ phone, name string }

// contactsField reads a non-empty array of {phone, name?}.
func (in *requestFields) contactsField(field string) []contact {
	items, ok := requiredField[[]any](in, field, "an array")
	if ok && len(items) == 0 {
		in.addProblem(field, "must not be empty")
	}
	contacts := make([]contact, len(items))
	for i, raw := range items {
		name := fmt.Sprintf("%s[%d]", field, i)
		object, ok := raw.(map[string]any)
		if !ok {
			in.addProblem(name, "must be an object")
			continue
		}
		item := requestFields{values: object, prefix: name + "."}
		contacts[i] = contact{item.phoneField("phone", normalizePhone), item.optionalString("name")}
		in.problems = append(in.problems, item.problems...)
	}
	return contacts
}

var (
	ugandanPattern = regexp.MustCompile(`^(?:\+?256|0)([0-9]{9})$`)
	foreignPattern = regexp.MustCompile(`^\+[0-9]{8,15}$`)
)

// normalizeUgandan turns the three documented forms into +256XXXXXXXXX.
func normalizeUgandan(number string) (string, bool) {
	parts := ugandanPattern.FindStringSubmatch(number)
	if parts == nil {
		return "", false
	}
	return "+256" + parts[1], true
}

// normalizePhone normalizes Ugandan numbers and returns others unchanged: no document says
// that they are refused.
func normalizePhone(number string) (string, bool) {
	if foreignPattern.MatchString(number) && !strings.HasPrefix(number, "+256") {
		return number, true
	}
	return normalizeUgandan(number)
}

// utf16Len returns the length of text in UTF-16 code units, as JavaScript counts it. The
// sandbox does not import the client's function, so that a mistake there is found.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
