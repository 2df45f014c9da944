package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// decodeArguments decodes the arguments that a model wrote, once, and checks
// the decoded values. It finds every problem and returns a sentence for each.
// In the values, integers are int64 and arguments that were null are absent;
// fillStruct puts them into a tool's request.
func (t registeredTool) decodeArguments(raw json.RawMessage) (values map[string]any, problems []string) {
	values, problem := parseArguments(raw)
	if len(t.argNames) == 0 {
		values = keepWalletID(values)
		return values, t.validateArguments(values)
	}
	if problem != "" {
		return nil, []string{problem}
	}
	problems = t.normalize(values)
	for name, value := range values {
		values[name] = clampNumbers(value)
	}
	for _, p := range t.Endpoint.Params {
		if value, ok := values[p.Name]; ok && p.Type == "number" {
			values[p.Name] = normalizeInteger(value, p.Name != "amount")
		}
	}
	return values, append(problems, t.validateArguments(values)...)
}

// parseArguments decodes a JSON object and keeps each number as it was written.
func parseArguments(raw json.RawMessage) (values map[string]any, problem string) {
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, ""
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	values, ok := decoded.(map[string]any)
	if err != nil || !ok {
		return nil, "arguments: must be a JSON object"
	}
	if hasLoneSurrogate(raw) {
		return nil, describeLoneSurrogate(raw)
	}
	return values, ""
}

// normalizeInteger returns 5, 5.0, 5e0 and, where allowString is set, "5" as
// int64. Any other value is returned as it is.
func normalizeInteger(value any, allowString bool) any {
	switch v := value.(type) {
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && allowString {
			return n
		}
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n
		}
		if n, ok := new(big.Rat).SetString(string(v)); ok && n.IsInt() && n.Num().IsInt64() {
			return n.Num().Int64()
		}
	}
	return value
}

// clampNumbers replaces numbers that are costly to compare exactly, such as
// 1e999999999, by the nearest float64.
func clampNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if exponent := strings.IndexAny(string(v), "eE"); len(v) > 40 || exponent >= 0 && len(v)-exponent > 4 {
			n, _ := v.Float64() // infinity when out of range
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

// hasLoneSurrogate tells whether a JSON text escapes half of a UTF-16 pair.
// Decoding replaces such a half by U+FFFD, so it is looked for in the text.
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

// decodeUnicodeEscape returns the UTF-16 code unit of the \uXXXX that a text
// begins with, or -1.
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

// problemLoneSurrogate follows the name of an argument.
const problemLoneSurrogate = ": has half of a character (a lone surrogate), which nobody could read"

// describeLoneSurrogate names the argument that has a lone surrogate.
func describeLoneSurrogate(raw json.RawMessage) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // it was decoded before
	for name, value := range members {
		if hasLoneSurrogate(value) {
			return name + problemLoneSurrogate
		}
	}
	return "arguments: a name has half of a character (a lone surrogate)"
}

// fillStruct sets the fields of a struct, by their JSON names, to values that
// the tool's schema allows. The error names the field whose value does not fit.
func fillStruct(target reflect.Value, values map[string]any) error {
	for _, field := range reflect.VisibleFields(target.Type()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value, ok := values[name]
		if !ok || field.Anonymous {
			continue
		}
		if err := fillValue(target.FieldByIndex(field.Index), value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// fillValue sets one value. A slice also takes a single element.
func fillValue(target reflect.Value, value any) error {
	if object, ok := value.(map[string]any); ok && target.Kind() == reflect.Struct {
		return fillStruct(target, object)
	}
	if target.Kind() == reflect.Slice {
		items, ok := value.([]any)
		if !ok {
			items = []any{value}
		}
		target.Set(reflect.MakeSlice(target.Type(), len(items), len(items)))
		for i, item := range items {
			if err := fillValue(target.Index(i), item); err != nil {
				return err
			}
		}
		return nil
	}
	v := reflect.ValueOf(value)
	switch {
	case target.CanInt() && (!v.CanInt() || target.OverflowInt(v.Int())):
		return errors.New("is a number that is too large")
	case target.CanInt():
		target.SetInt(v.Int())
	case value != nil && v.Type().AssignableTo(target.Type()):
		target.Set(v)
	default:
		return fmt.Errorf("does not fit a %s", target.Type()) // the schema of the tool is wrong
	}
	return nil
}
