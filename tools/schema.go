package tools

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wesendall/wesendall-mcp/client"
)

// schemas are the tool's two JSON schemas, and the names of its arguments. The shape comes from the structs, the
// limits and the prose from the client's catalogue. The wallet is an argument
// only where it is not pinned.
func (t Tool) schemas(wallet bool) (input, output json.RawMessage, arguments []string) {
	in := reflectSchema(t.in, false)
	for _, p := range t.Endpoint.Params {
		property, ok := in.Properties.Get(p.Name)
		switch {
		case !ok:
		case p.Name == walletID && !wallet:
			in.Properties.Delete(p.Name)
			in.Required = without(in.Required, p.Name)
		default:
			in.Properties.Set(p.Name, limited(property, p))
		}
	}
	for property := in.Properties.Oldest(); property != nil; property = property.Next() {
		arguments = append(arguments, property.Key)
	}
	out := reflectSchema(t.out, true)
	out.Required = nil // an error is a result of the same tool, and some clients check it too
	out.Properties.Set("data", &jsonschema.Schema{Extras: map[string]any{}})
	if _, quotes := out.Properties.Get("quote"); quotes {
		out.Properties.Set("quote", &jsonschema.Schema{Type: "object"}) // to be read, and not to be paid for in every conversation
	}
	out.Properties.Delete("meta")
	return marshal(in), marshal(out), arguments
}

const walletID = "walletId"

func reflectSchema(of reflect.Type, open bool) *jsonschema.Schema {
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true, AllowAdditionalProperties: open}
	s := r.ReflectFromType(of)
	s.Version = ""
	return s
}

// limited adds to a property what the catalogue says of the parameter.
func limited(s *jsonschema.Schema, p client.Param) *jsonschema.Schema {
	if p.Name == "recipient" { // one number, a list in a string, or an array
		least := uint64(max(p.Min, 1))
		number := &jsonschema.Schema{Type: "string", MinLength: &least}
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{number, {Type: "array", Items: number, MinItems: &least}}}
	}
	s.Description = p.Description
	if p.Default != 0 {
		s.Default = p.Default
	}
	least, most := uint64(max(p.Min, 0)), uint64(max(p.Max, 0))
	switch s.Type {
	case "integer":
		s.Minimum, s.Maximum = number(p.Min), number(p.Max)
	case "string":
		s.MinLength, s.MaxLength = positive(least), positive(most)
	case "array":
		s.MinItems, s.MaxItems = positive(least), positive(most)
	}
	return s
}

func number(n int64) json.Number {
	if n == 0 {
		return ""
	}
	text, _ := json.Marshal(n) // an integer always marshals
	return json.Number(text)
}

func positive(n uint64) *uint64 {
	if n == 0 {
		return nil
	}
	return &n
}

func without(list []string, name string) []string {
	var rest []string
	for _, each := range list {
		if each != name {
			rest = append(rest, each)
		}
	}
	return rest
}

// marshal writes a schema that this package built, which cannot fail.
func marshal(s *jsonschema.Schema) json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return text
}

// compile makes a validator of a schema that this package built, which cannot
// fail.
func compile(name string, schema json.RawMessage) *validator.Schema {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		panic(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		panic(err)
	}
	return c.MustCompile(name)
}
