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
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// decodeArguments checks what a model wrote against the tool's schema, and returns it
// in the form that decodes: integers as integers, nulls of optional arguments
// left out. It finds every fault, each in a sentence that can be acted on.
func (t registeredTool) decodeArguments(raw json.RawMessage) (map[string]json.RawMessage, []string) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	var args map[string]json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil || args == nil {
		return nil, []string{"arguments: must be a JSON object"}
	}
	for name, value := range args {
		if hasLoneSurrogate(value) {
			return nil, []string{name + ": has half of a character (a lone surrogate), which nobody could read"}
		}
	}
	optional := t.optionalNames()
	for name, value := range args {
		if string(value) == "null" && slices.Contains(optional, name) {
			delete(args, name)
		}
	}
	for _, p := range t.Endpoint.Params {
		if value, ok := args[p.Name]; ok && p.Type == "number" {
			args[p.Name] = normalizeInteger(value, p.Name != "amount")
		}
	}
	values := make(map[string]any, len(args))
	for name, value := range args {
		parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(value)))
		if err != nil {
			return nil, []string{name + ": is not valid JSON"}
		}
		values[name] = clampNumbers(parsed)
	}
	problems := t.checkLengths(values)
	if validationErr, ok := errors.AsType[*jsonschema.ValidationError](t.validator().Validate(values)); ok {
		problems = append(problems, t.describeErrors(validationErr)...)
	}
	slices.Sort(problems)
	return args, slices.Compact(problems)
}

// optionalNames are the arguments that need not be given.
func (t registeredTool) optionalNames() []string {
	return slices.DeleteFunc(slices.Clone(t.argNames), func(name string) bool {
		return slices.ContainsFunc(t.Endpoint.Params, func(p client.Param) bool { return p.Name == name && p.Required })
	})
}

// normalizeInteger rewrites 5.0, 5e0 and, where that is harmless, "5" as 5.
func normalizeInteger(value json.RawMessage, allowString bool) json.RawMessage {
	text := string(value)
	var inner string
	if json.Unmarshal(value, &inner) == nil && allowString {
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

// hasLoneSurrogate tells whether a JSON text escapes one half of a character without the
// other: it would decode to something else than was meant.
func hasLoneSurrogate(raw json.RawMessage) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		r := decodeUnicodeEscape(raw[i-1:])
		if !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, decodeUnicodeEscape(raw[min(i+5, len(raw)):])) == unicode.ReplacementChar {
			return true
		}
		i += 10
	}
	return false
}

// decodeUnicodeEscape is the UTF-16 code unit that a text begins with, if it is escaped.
func decodeUnicodeEscape(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// clampNumbers replaces numbers that would be costly to compare exactly, such as
// 1e999999999.
func clampNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if len(v) > 32 || strings.ContainsAny(string(v), "eE") {
			n, _ := v.Float64() // an infinity says enough
			return max(min(n, math.MaxFloat64), -math.MaxFloat64)
		}
	case []any:
		for i := range v {
			v[i] = clampNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = clampNumbers(v[name])
		}
	}
	return value
}

// checkLengths checks the strings in UTF-16 code units, as the vendor does; JSON
// Schema counts code points.
func (t registeredTool) checkLengths(values map[string]any) []string {
	var problems []string
	for _, p := range t.Endpoint.Params {
		text, ok := values[p.Name].(string)
		length := int64(guard.UTF16Len(text))
		switch {
		case !ok || p.Type != "string", text == "" && p.Name == "recipient": // of which the schema says what it may be
		case length < p.Min:
			problems = append(problems, p.Name+": must not be empty")
		case p.Max > 0 && length > p.Max:
			problems = append(problems, fmt.Sprintf("%s: must be at most %d UTF-16 code units (got %d)", p.Name, p.Max, length))
		}
	}
	return problems
}

// describeErrors makes sentences of the validator's findings.
func (t registeredTool) describeErrors(e *jsonschema.ValidationError) []string {
	path := strings.Join(e.InstanceLocation, "/")
	sentence := func(format string, args ...any) []string { return []string{path + ": " + fmt.Sprintf(format, args...)} }
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		var problems []string
		for _, name := range k.Missing {
			problems = append(problems, strings.TrimPrefix(path+"/"+name, "/")+": is required")
		}
		return problems
	case *kind.AdditionalProperties:
		var problems []string
		for _, name := range k.Properties {
			problems = append(problems, t.unknownArgument(path, name))
		}
		return problems
	case *kind.AnyOf:
		return sentence("must be a phone number as a string, or an array of at least one")
	case *kind.Type:
		return sentence("must be %s (got %s)", withArticle(k.Want[0]), withArticle(k.Got))
	case *kind.Minimum:
		return sentence("must be at least %s (got %s)", k.Want.RatString(), truncateNumber(k.Got.FloatString(2)))
	case *kind.Maximum:
		return sentence("must be at most %s (got %s)", k.Want.RatString(), truncateNumber(k.Got.FloatString(2)))
	case *kind.MinItems:
		return sentence("must have at least %d item (got %d)", k.Want, k.Got)
	case *kind.MinLength, *kind.MaxLength:
		return nil // lengths says it in the vendor's unit
	}
	var problems []string
	for _, cause := range e.Causes {
		problems = append(problems, t.describeErrors(cause)...)
	}
	if problems == nil && len(e.Causes) == 0 {
		return sentence("is not what the tool's schema describes")
	}
	return problems
}

// truncateNumber shortens a number as it is quoted back.
func truncateNumber(n string) string {
	n = strings.TrimSuffix(n, ".00")
	if len(n) > 24 {
		return "a number of " + strconv.Itoa(len(n)) + " digits"
	}
	return n
}

func withArticle(typ string) string {
	switch typ {
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + typ
	case "null":
		return typ
	}
	return "a " + typ
}

// unknownArgument says that there is no such argument, and which one may be meant.
func (t registeredTool) unknownArgument(path, name string) string {
	if path == "" && name == walletIDParam && t.multiUser {
		return `unknown argument "walletId": the wallet is the one in the request's header ` + WalletHeader
	}
	if path == "" && name == walletIDParam {
		return walletIDParam + ": must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"
	}
	valid := t.argNames
	if path != "" {
		valid = []string{"phone", "name"} // of a contact, the one object inside
		path += ": "
	}
	problem := fmt.Sprintf("%sunknown argument %q", path, sanitize.TruncateName(name))
	if suggestion := suggest(name, valid); suggestion != "" {
		return problem + fmt.Sprintf("; did you mean %q?", suggestion)
	}
	if len(valid) == 0 {
		return problem + "; this tool takes none"
	}
	return problem + "; the arguments are " + strings.Join(valid, ", ")
}
