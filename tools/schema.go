package tools

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// buildSchemas returns the tool's JSON schemas and the names of its arguments.
// Their shape comes from the Go structs; limits and descriptions come from the
// client's endpoints. The wallet is an argument only if withWallet is set.
func (t Tool) buildSchemas(withWallet bool) (input, output json.RawMessage, argNames []string) {
	in := reflectSchema(t.inputType, false)
	for _, p := range t.Endpoint.Params {
		property, ok := in.Properties.Get(p.Name)
		switch {
		case !ok:
		case p.Name == walletIDParam && !withWallet:
			in.Properties.Delete(p.Name)
			in.Required = removeName(in.Required, p.Name)
		default:
			in.Properties.Set(p.Name, applyLimits(property, p))
		}
	}
	for property := in.Properties.Oldest(); property != nil; property = property.Next() {
		argNames = append(argNames, property.Key)
	}
	out := reflectSchema(t.outputType, true)
	out.Required = nil // some clients also check errors, which have other members
	out.Properties.Set("data", &jsonschema.Schema{Extras: map[string]any{}})
	out.Properties.Delete("meta")
	if _, ok := out.Properties.Get("matches"); ok {
		out.Properties.Set("matches", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Extras: map[string]any{}}})
	}
	return mustMarshal(in), mustMarshal(out), argNames
}

const walletIDParam = "walletId"

func reflectSchema(typ reflect.Type, allowExtra bool) *jsonschema.Schema {
	r := jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, ExpandedStruct: true, AllowAdditionalProperties: allowExtra,
		Mapper: omitQuoteMembers,
	}
	s := r.ReflectFromType(typ)
	s.Version = ""
	return s
}

// omitQuoteMembers omits the members of a quote from schemas: they would add to the
// context of every conversation, and to the time of every start.
func omitQuoteMembers(typ reflect.Type) *jsonschema.Schema {
	if typ == reflect.TypeFor[guard.Quote]() {
		return &jsonschema.Schema{Type: "object"}
	}
	return nil
}

// applyLimits adds the description and the limits of a parameter to its property.
func applyLimits(s *jsonschema.Schema, p client.Param) *jsonschema.Schema {
	if p.Name == "recipient" { // one number, a list in a string, or an array
		minValue := uint64(max(p.Min, 1))
		numberSchema := &jsonschema.Schema{Type: "string", MinLength: &minValue}
		listSchema := &jsonschema.Schema{Type: "array", Items: numberSchema, MinItems: &minValue}
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{numberSchema, listSchema}}
	}
	s.Description = p.Description
	if p.Default != 0 {
		s.Default = p.Default
	}
	minValue, maxValue := uint64(max(p.Min, 0)), uint64(max(p.Max, 0))
	switch s.Type {
	case "integer":
		s.Minimum, s.Maximum = jsonNumber(p.Min), jsonNumber(p.Max)
	case "string":
		s.MinLength, s.MaxLength = nonZero(minValue), nonZero(maxValue)
	case "array":
		s.MinItems, s.MaxItems = nonZero(minValue), nonZero(maxValue)
	}
	return s
}

func jsonNumber(n int64) json.Number {
	if n == 0 {
		return ""
	}
	raw, _ := json.Marshal(n) // an integer always marshals
	return json.Number(raw)
}

func nonZero(n uint64) *uint64 {
	if n == 0 {
		return nil
	}
	return &n
}

func removeName(list []string, name string) []string {
	var rest []string
	for _, item := range list {
		if item != name {
			rest = append(rest, item)
		}
	}
	return rest
}

// mustMarshal encodes a schema of this package, which cannot fail.
func mustMarshal(s *jsonschema.Schema) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return raw
}

// mustCompile makes the validator of a schema of this package, which cannot fail.
func mustCompile(name string, schema json.RawMessage) *validator.Schema {
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
