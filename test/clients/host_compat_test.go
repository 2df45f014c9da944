package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// One schema that a host's model does not accept hides every tool, or the server. So
// the lists, as they are on the wire, are checked against what all hosts accept.
func TestLists_HostCompatible(t *testing.T) {
	t.Parallel()
	c := program(t, nil, "--sandbox")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	lists := []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"}
	reader := bufio.NewReader(out)
	for _, method := range lists {
		if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`+"\n", method, meta); err != nil {
			t.Fatal(err)
		}
		line, err := reader.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Result map[string]any }
		if err := json.Unmarshal(line, &answer); err != nil || answer.Result == nil {
			t.Fatalf("%s: %s", method, line)
		}
		for _, fault := range lint(method, answer.Result) {
			t.Error(fault)
		}
		if tools, ok := answer.Result["tools"].([]any); ok {
			for _, each := range tools {
				tool := each.(map[string]any)
				for _, kind := range []string{"inputSchema", "outputSchema"} {
					for _, fault := range lintSchema(fmt.Sprint(tool["name"], " ", kind), tool[kind], true) {
						t.Error(fault)
					}
				}
			}
		}
	}
	_ = in.Close()
	if _, err := io.Copy(io.Discard, reader); err != nil || c.Wait() != nil {
		t.Error("it did not end well")
	}
}

var portableName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// lint finds a null anywhere, and a name that some host refuses.
func lint(at string, value any) (faults []string) {
	switch v := value.(type) {
	case nil:
		return []string{at + " is null"}
	case []any:
		for i, each := range v {
			faults = append(faults, lint(fmt.Sprintf("%s/%d", at, i), each)...)
		}
	case map[string]any:
		for name, each := range v {
			text, isString := each.(string)
			isName := isString && name == "name" && !strings.HasPrefix(at, "resources") && !strings.Contains(at, "_meta")
			if isName && !portableName.MatchString(text) {
				faults = append(faults, fmt.Sprintf("%s/name: %q", at, text))
			}
			faults = append(faults, lint(at+"/"+name, each)...)
		}
	}
	return faults
}

// lintSchema finds what some host's model does not accept: a combinator at the top,
// a bare boolean for a schema, an array without items, a type that is a list, a
// reference, a name with other characters.
func lintSchema(at string, schema any, top bool) (faults []string) {
	fault := func(text string) { faults = append(faults, at+": "+text) }
	s, ok := schema.(map[string]any)
	if !ok {
		fault(fmt.Sprintf("the schema is %T", schema))
		return faults
	}
	if top && s["type"] != "object" {
		fault("the top is no object")
	}
	if _, list := s["type"].([]any); list {
		fault("the type is a list")
	}
	if _, has := s["items"]; s["type"] == "array" && !has {
		fault("an array without items")
	}
	for keyword, value := range s {
		switch keyword {
		case "$ref", "$defs", "definitions", "oneOf", "allOf", "not", "if", "const", "patternProperties", "$schema", "$id":
			fault("has " + keyword)
		case "anyOf":
			if top {
				fault("has anyOf at the top")
			}
			for i, each := range value.([]any) {
				faults = append(faults, lintSchema(fmt.Sprintf("%s/anyOf/%d", at, i), each, false)...)
			}
		case "items":
			faults = append(faults, lintSchema(at+"/items", value, false)...)
		case "properties":
			for name, each := range value.(map[string]any) {
				if !portableName.MatchString(name) {
					fault("has a property " + name)
				}
				faults = append(faults, lintSchema(at+"/"+name, each, false)...)
			}
		case "required":
			for _, name := range value.([]any) {
				if _, known := s["properties"].(map[string]any)[name.(string)]; !known {
					fault("requires " + name.(string) + ", which it does not have")
				}
			}
		}
	}
	return faults
}

func TestSchemaLint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`true`:              "the schema is bool",
		`{"type":"string"}`: "the top is no object",
		`{"type":"object","anyOf":[{"type":"object"}]}`:                                                                 "anyOf at the top",
		`{"type":"object","properties":{"a":true}}`:                                                                     "the schema is bool",
		`{"type":"object","properties":{"a":{"type":"array"}}}`:                                                         "an array without items",
		`{"type":"object","properties":{"a b":{"type":"string"}}}`:                                                      "has a property a b",
		`{"type":"object","properties":{"a":{"type":["string"]}}}`:                                                      "the type is a list",
		`{"type":"object","properties":{"a":{"$ref":"#"}}}`:                                                             "has $ref",
		`{"type":"object","properties":{},"required":["a"]}`:                                                            "requires a",
		`{"type":"object","properties":{"a":{"anyOf":[true]}}}`:                                                         "the schema is bool",
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}}}`: "",
	} {
		var schema any
		if err := json.Unmarshal([]byte(text), &schema); err != nil {
			t.Fatal(err)
		}
		faults := lintSchema("x", schema, true)
		if want == "" && faults != nil || want != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("%s: %q", text, faults)
		}
	}
	if faults := lint("tools/list", map[string]any{"a": []any{nil}, "name": "a b"}); len(faults) != 2 {
		t.Error(faults)
	}
}
