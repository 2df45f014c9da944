package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// jsonOneLine formats a value as JSON on one line, with a space after each comma.
func jsonOneLine(value any) (string, error) { return jsonSyntax.format(value) }

// exampleBody returns the JSON body of the endpoint's example request, or "".
func exampleBody(e client.Endpoint) (string, error) {
	return exampleMembers(e, "{\n  ", ",\n  ", "\n}")
}

// exampleBodyInline returns the same on one line.
func exampleBodyInline(e client.Endpoint) (string, error) { return exampleMembers(e, "{", ", ", "}") }

func exampleMembers(e client.Endpoint, prefix, separator, suffix string) (string, error) {
	var lines []string
	for _, p := range e.Params {
		if p.Location != client.ParamInBody {
			continue
		}
		value, err := jsonOneLine(p.Example)
		if err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%q: %s", p.Name, value))
	}
	if lines == nil {
		return "", nil
	}
	return prefix + strings.Join(lines, separator) + suffix, nil
}

// exampleURL returns the path and query of the endpoint's example request.
func exampleURL(e client.Endpoint) string {
	path, separator := e.Path, "?"
	for _, p := range e.Params {
		example := fmt.Sprint(p.Example)
		switch p.Location {
		case client.ParamInPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", example)
		case client.ParamInQuery:
			path += separator + p.Name + "=" + example
			separator = "&"
		}
	}
	return path
}

// camelCase turns snake_case into camelCase.
func camelCase(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

// literalSyntax is how a language writes a literal.
type literalSyntax struct {
	objectOpen, objectClose, arrayOpen, arrayClose, keySeparator string

	formatKey, formatString func(string) string
}

var (
	jsonSyntax = literalSyntax{"{", "}", "[", "]", ": ", jsonQuoted, jsonQuoted}
	jsSyntax   = literalSyntax{"{ ", " }", "[", "]", ": ", func(s string) string { return s }, jsonQuoted}
	pySyntax   = jsonSyntax
	phpSyntax  = literalSyntax{"[", "]", "[", "]", " => ", singleQuoted, singleQuoted}
	goSyntax   = literalSyntax{"map[string]any{", "}", "[]any{", "}", ": ", strconv.Quote, strconv.Quote}
)

func jsonQuoted(s string) string {
	text, _ := json.Marshal(s) // a string always marshals
	return string(text)
}

func singleQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// format returns a value as a literal. It goes through JSON, which has the names of members
// and keeps their order.
func (n literalSyntax) format(value any) (string, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return n.formatNext(decoder)
}

func (n literalSyntax) formatNext(decoder *json.Decoder) (string, error) {
	token, err := decoder.Token()
	if err != nil {
		return "", err
	}
	var parts []string
	switch t := token.(type) {
	case json.Delim:
		for decoder.More() {
			key := ""
			if t == '{' {
				name, err := decoder.Token()
				if err != nil {
					return "", err
				}
				key = n.formatKey(fmt.Sprint(name)) + n.keySeparator
			}
			value, err := n.formatNext(decoder)
			if err != nil {
				return "", err
			}
			parts = append(parts, key+value)
		}
		if _, err := decoder.Token(); err != nil {
			return "", err
		}
		if t == '{' {
			return n.objectOpen + strings.Join(parts, ", ") + n.objectClose, nil
		}
		return n.arrayOpen + strings.Join(parts, ", ") + n.arrayClose, nil
	case string:
		return n.formatString(t), nil
	default:
		return fmt.Sprint(t), nil
	}
}
