package tools

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// normalize reads the forms that some hosts give to values: a string that is a JSON
// array, "true" and "false", and null for what is absent. It changes values. Amounts
// stay as they are.
func (t registeredTool) normalize(values map[string]any) (problems []string) {
	dropNulls(values)
	for _, field := range reflect.VisibleFields(t.inputType) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		text, isString := values[name].(string)
		switch {
		case field.Anonymous:
		case field.Type.Kind() == reflect.Bool && isString:
			values[name] = parseBool(text)
		case field.Type.Kind() == reflect.Slice:
			if isString {
				values[name] = parseArray(text, field.Type.Elem().Kind())
			}
			items, _ := values[name].([]any)
			if isString && items != nil && hasLoneSurrogate(json.RawMessage(text)) {
				problems = append(problems, name+problemLoneSurrogate)
			}
			normalizeItems(items)
		}
	}
	return problems
}

func dropNulls(values map[string]any) {
	for name, value := range values {
		if value == nil {
			delete(values, name)
		}
	}
}

// parseBool returns the boolean that a string spells, or the string.
func parseBool(text string) any {
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}

// parseArray returns the JSON array that a string is, or the string. An array of
// strings may have no numbers: a list such as [256700000012] is read as text, which
// keeps every digit.
func parseArray(text string, itemKind reflect.Kind) any {
	trimmed := string(sanitize.TrimByteOrderMark([]byte(text)))
	if !strings.HasPrefix(trimmed, "[") {
		return text
	}
	decoded, err := jsonschema.UnmarshalJSON(strings.NewReader(trimmed))
	items, ok := decoded.([]any)
	isNumber := func(item any) bool { _, ok := item.(json.Number); return ok }
	if err != nil || !ok || itemKind == reflect.String && slices.ContainsFunc(items, isNumber) {
		return text
	}
	return items
}

// normalizeItems drops the null members of items, and makes blank strings empty, so
// that the schema refuses them.
func normalizeItems(items []any) {
	for i, item := range items {
		switch v := item.(type) {
		case map[string]any:
			dropNulls(v)
		case string:
			if strings.TrimFunc(v, func(r rune) bool { return unicode.IsSpace(r) || sanitize.IsInvisible(r) }) == "" {
				items[i] = ""
			}
		}
	}
}

// keepWalletID returns what a tool without arguments does not ignore: a wallet, which
// would seem to choose another one than the operator's. Some hosts send a made-up
// argument where a schema has none.
func keepWalletID(values map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range values {
		if value != nil && isWalletName(name) {
			kept[name] = value
		}
	}
	return kept
}

// isWalletName tells whether an argument is walletId or another spelling of it.
func isWalletName(name string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	return letters == "walletid" || letters == "wallet"
}
