package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// compact is a value as JSON on one line, with a space after each comma.
func compact(value any) (string, error) { return wire.write(value) }

// body is the JSON body of the endpoint's example request.
func body(e client.Endpoint) (string, error) { return members(e, "{\n  ", ",\n  ", "\n}") }

// example is the same on one line.
func example(e client.Endpoint) (string, error) { return members(e, "{", ", ", "}") }

func members(e client.Endpoint, first, between, last string) (string, error) {
	var all []string
	for _, p := range e.Params {
		if p.In != client.InBody {
			continue
		}
		value, err := compact(p.Example)
		if err != nil {
			return "", err
		}
		all = append(all, fmt.Sprintf("%q: %s", p.Name, value))
	}
	if all == nil {
		return "", nil
	}
	return first + strings.Join(all, between) + last, nil
}

// query is the query of the endpoint's example request, with its path.
func query(e client.Endpoint) string {
	path, sign := e.Path, "?"
	for _, p := range e.Params {
		example := fmt.Sprint(p.Example)
		switch p.In {
		case client.InPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", example)
		case client.InQuery:
			path += sign + p.Name + "=" + example
			sign = "&"
		}
	}
	return path
}

// camel makes camelCase of snake_case.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

// notation is how a language writes down a value.
type notation struct {
	object, endObject, array, endArray, arrow string

	key, text func(string) string
}

var (
	wire       = notation{"{", "}", "[", "]", ": ", quote, quote}
	javascript = notation{"{ ", " }", "[", "]", ": ", func(s string) string { return s }, quote}
	python     = wire
	php        = notation{"[", "]", "[", "]", " => ", single, single}
	golang     = notation{"map[string]any{", "}", "[]any{", "}", ": ", strconv.Quote, strconv.Quote}
)

func quote(s string) string {
	text, _ := json.Marshal(s) // a string always marshals
	return string(text)
}

func single(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }

// write writes a value down. It goes through JSON, which knows the names of
// members and keeps their order.
func (n notation) write(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return n.next(d)
}

func (n notation) next(d *json.Decoder) (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	var parts []string
	switch t := token.(type) {
	case json.Delim:
		for d.More() {
			key := ""
			if t == '{' {
				name, err := d.Token()
				if err != nil {
					return "", err
				}
				key = n.key(fmt.Sprint(name)) + n.arrow
			}
			value, err := n.next(d)
			if err != nil {
				return "", err
			}
			parts = append(parts, key+value)
		}
		if _, err := d.Token(); err != nil {
			return "", err
		}
		if t == '{' {
			return n.object + strings.Join(parts, ", ") + n.endObject, nil
		}
		return n.array + strings.Join(parts, ", ") + n.endArray, nil
	case string:
		return n.text(t), nil
	default:
		return fmt.Sprint(t), nil
	}
}
