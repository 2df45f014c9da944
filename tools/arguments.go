package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

// arguments checks what a model wrote against the tool's schema, and returns it
// in the form that decodes: integers as integers, nulls of optional arguments
// left out. It finds every fault, each in a sentence that can be acted on.
func (t served) arguments(raw json.RawMessage) (map[string]json.RawMessage, []string) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil || args == nil {
		return nil, []string{"arguments: must be a JSON object"}
	}
	for name, value := range args {
		if halved(value) {
			return nil, []string{name + ": has half of a character (a lone surrogate), which nobody could read"}
		}
	}
	optional := t.optional()
	for name, value := range args {
		if string(value) == "null" && slices.Contains(optional, name) {
			delete(args, name)
		}
	}
	for _, p := range t.Endpoint.Params {
		if value, given := args[p.Name]; given && p.Type == "number" {
			args[p.Name] = integer(value, p.Name != "amount")
		}
	}
	values := make(map[string]any, len(args))
	for name, value := range args {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(value)))
		if err != nil {
			return nil, []string{name + ": is not valid JSON"}
		}
		values[name] = bounded(parsed)
	}
	faults := t.lengths(values)
	if failure, ok := errors.AsType[*jsonschema.ValidationError](t.schema().Validate(values)); ok {
		faults = append(faults, t.faults(failure)...)
	}
	slices.Sort(faults)
	return args, slices.Compact(faults)
}

// optional are the arguments that need not be given.
func (t served) optional() []string {
	return slices.DeleteFunc(slices.Clone(t.names), func(name string) bool {
		return slices.ContainsFunc(t.Endpoint.Params, func(p client.Param) bool { return p.Name == name && p.Required })
	})
}

// integer rewrites 5.0, 5e0 and, where that is harmless, "5" as 5.
func integer(value json.RawMessage, fromText bool) json.RawMessage {
	text := string(value)
	var inner string
	if json.Unmarshal(value, &inner) == nil && fromText {
		text = strings.TrimSpace(inner)
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return value
		}
	}
	if exponent := strings.IndexAny(text, "eE"); len(text) > 40 || exponent >= 0 && len(text)-exponent > 4 {
		return value
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok || !n.IsInt() || !n.Num().IsInt64() {
		return value
	}
	return json.RawMessage(n.Num().String())
}

// halved tells whether a JSON text escapes one half of a character without the
// other: it would decode to something else than was meant.
func halved(text json.RawMessage) bool {
	for at := 0; at+1 < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		at++
		r := escaped(text[at-1:])
		if !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, escaped(text[min(at+5, len(text)):])) == unicode.ReplacementChar {
			return true
		}
		at += 10
	}
	return false
}

// escaped is the UTF-16 code unit that a text begins with, if it is escaped.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// bounded replaces numbers that would be costly to compare exactly, such as
// 1e999999999.
func bounded(value any) any {
	switch v := value.(type) {
	case json.Number:
		if len(v) > 32 || strings.ContainsAny(string(v), "eE") {
			n, _ := v.Float64() // an infinity says enough
			return max(min(n, math.MaxFloat64), -math.MaxFloat64)
		}
	case []any:
		for i := range v {
			v[i] = bounded(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = bounded(v[name])
		}
	}
	return value
}

// lengths checks the strings in UTF-16 code units, as the vendor does; JSON
// Schema counts code points.
func (t served) lengths(values map[string]any) []string {
	var faults []string
	for _, p := range t.Endpoint.Params {
		text, ok := values[p.Name].(string)
		length := int64(guard.Length(text))
		switch {
		case !ok || p.Type != "string", text == "" && p.Name == "recipient": // of which the schema says what it may be
		case length < p.Min:
			faults = append(faults, p.Name+": must not be empty")
		case p.Max > 0 && length > p.Max:
			faults = append(faults, fmt.Sprintf("%s: must be at most %d UTF-16 code units (got %d)", p.Name, p.Max, length))
		}
	}
	return faults
}

// faults makes sentences of the validator's findings.
func (t served) faults(e *jsonschema.ValidationError) []string {
	at := strings.Join(e.InstanceLocation, "/")
	one := func(text string, args ...any) []string { return []string{at + ": " + fmt.Sprintf(text, args...)} }
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		var all []string
		for _, name := range k.Missing {
			all = append(all, strings.TrimPrefix(at+"/"+name, "/")+": is required")
		}
		return all
	case *kind.AdditionalProperties:
		var all []string
		for _, name := range k.Properties {
			all = append(all, t.unknown(at, name))
		}
		return all
	case *kind.AnyOf:
		return one("must be a phone number as a string, or an array of at least one")
	case *kind.Type:
		return one("must be %s (got %s)", article(k.Want[0]), article(k.Got))
	case *kind.Minimum:
		return one("must be at least %s (got %s)", k.Want.RatString(), written(k.Got.FloatString(2)))
	case *kind.Maximum:
		return one("must be at most %s (got %s)", k.Want.RatString(), written(k.Got.FloatString(2)))
	case *kind.MinItems:
		return one("must have at least %d item (got %d)", k.Want, k.Got)
	case *kind.MinLength, *kind.MaxLength:
		return nil // lengths says it in the vendor's unit
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, t.faults(cause)...)
	}
	if all == nil && len(e.Causes) == 0 {
		return one("is not what the tool's schema describes")
	}
	return all
}

// written shortens a number as it is quoted back.
func written(n string) string {
	n = strings.TrimSuffix(n, ".00")
	if len(n) > 24 {
		return "a number of " + strconv.Itoa(len(n)) + " digits"
	}
	return n
}

func article(kind string) string {
	switch kind {
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + kind
	case "null":
		return kind
	}
	return "a " + kind
}

// unknown says that there is no such argument, and which one may be meant.
func (t served) unknown(at, name string) string {
	if at == "" && name == walletID && t.callers {
		return `unknown argument "walletId": the wallet is the one in the request's header ` + WalletHeader
	}
	if at == "" && name == walletID {
		return walletID + ": must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"
	}
	valid := t.names
	if at != "" {
		valid = []string{"phone", "name"} // of a contact, the one object inside
		at += ": "
	}
	fault := fmt.Sprintf("%sunknown argument %q", at, shortened(name))
	if meant := closest(name, valid); meant != "" {
		return fault + fmt.Sprintf("; did you mean %q?", meant)
	}
	if len(valid) == 0 {
		return fault + "; this tool takes none"
	}
	return fault + "; the arguments are " + strings.Join(valid, ", ")
}

func shortened(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

// aliases are what models and other services call the same things.
var aliases = map[string][]string{
	"recipient":    {"to", "recipients", "phone", "phones", "number", "numbers", "phone_number", "msisdn", "destination"},
	"message":      {"text", "body", "content", "sms", "msg"},
	"groupId":      {"group", "group_id", "id"},
	"phone_number": {"phone", "payer", "from", "msisdn", "number"},
	"phone":        {"number", "phone_number", "msisdn", "recipient"},
	"amount":       {"value", "sum", "ugx"},
	"title":        {"name", "group_name"},
	"per_page":     {"limit", "page_size", "size", "count"},
	"contacts":     {"contact", "numbers", "recipients", "phones"},
	"description":  {"note", "reason", "memo"},
}

// closest is the valid name that is meant by another, or "".
func closest(name string, valid []string) string {
	name = strings.ToLower(name)
	for _, v := range valid {
		if slices.Contains(aliases[v], name) {
			return v
		}
	}
	best, least := "", 3
	for _, v := range valid {
		if d := distance(name, strings.ToLower(v)); d < least && d < len(v)/2+1 {
			best, least = v, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Closest is the name of a tool that may be meant by a wrong one, or "".
func (s *Set) Closest(name string) string { return closest(name, s.Names()) }
