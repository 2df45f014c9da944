package tools

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// validateArguments checks decoded arguments against the tool's schema and the limits
// of its endpoint, and returns a sentence for each problem.
func (t registeredTool) validateArguments(values map[string]any) []string {
	problems := append(t.checkLengths(values), t.validateChunks(values)...)
	slices.SortFunc(problems, func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) })
	return slices.Compact(problems)
}

// checkLengths checks the lengths of strings in UTF-16 code units, as Wesendall
// does. JSON Schema counts code points.
func (t registeredTool) checkLengths(values map[string]any) []string {
	var problems []string
	for _, p := range t.Endpoint.Params {
		text, ok := values[p.Name].(string)
		length := int64(client.UTF16Len(text))
		switch {
		case !ok || p.Type != "string", text == "" && p.Name == "recipient": // the schema describes it
		case length < p.Min:
			problems = append(problems, p.Name+": must not be empty")
		case p.Max > 0 && length > p.Max:
			problems = append(problems, fmt.Sprintf("%s: must be at most %d UTF-16 code units (got %d)", p.Name, p.Max, length))
		}
	}
	return problems
}

// describeErrors turns the validator's errors into sentences.
func (t registeredTool) describeErrors(e *jsonschema.ValidationError) []string {
	path := strings.Join(e.InstanceLocation, "/")
	sentence := func(format string, args ...any) []string {
		return []string{path + ": " + fmt.Sprintf(format, args...)}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		var problems []string
		for _, name := range k.Missing {
			problems = append(problems, strings.TrimPrefix(path+"/"+name, "/")+": is required")
		}
		return problems
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		var problems []string
		described := k.Properties
		if len(described) > sanitize.MaxProblems {
			described = described[:sanitize.MaxProblems-1] // and one sentence about the rest
		}
		for _, name := range described {
			problems = append(problems, t.unknownArgument(path, name))
		}
		if more := len(k.Properties) - len(problems); more > 0 {
			problems = append(problems, fmt.Sprintf("%sunknown arguments: %d more", strings.TrimPrefix(path+": ", ": "), more))
		}
		return problems
	case *kind.AnyOf:
		if problems := describeItems(e, e.InstanceLocation); len(problems) > 0 {
			return problems
		}
		return sentence("must be a phone number as a string, or an array of at least one")
	case *kind.Type:
		if k.Got == "number" && k.Want[0] == "string" {
			return sentence(problemNotQuoted)
		}
		return sentence("must be %s (got %s)", withArticle(k.Want[0]), withArticle(k.Got))
	case *kind.Minimum:
		return sentence("must be at least %s (got %s)", k.Want.RatString(), truncateNumber(k.Got.FloatString(2)))
	case *kind.Maximum:
		return sentence("must be at most %s (got %s)", k.Want.RatString(), truncateNumber(k.Got.FloatString(2)))
	case *kind.MinItems:
		return sentence("must have at least %d item (got %d)", k.Want, k.Got)
	case *kind.MinLength, *kind.MaxLength:
		return nil // checkLengths reports it in UTF-16 code units
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

// truncateNumber shortens a number for an error message.
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
	case "boolean":
		return "true or false"
	case "null":
		return typ
	}
	return "a " + typ
}

// unknownArgument describes an argument that does not exist and suggests the
// one that may be meant. The path is that of a nested object, or "".
func (t registeredTool) unknownArgument(path, name string) string {
	isWallet := name == walletIDParam || len(t.argNames) == 0 && isWalletName(name)
	if path == "" && isWallet && t.multiUser {
		return `unknown argument "walletId": the wallet is the one in the request's header ` + WalletHeader
	}
	if path == "" && isWallet {
		return walletIDParam + ": must not be given; the operator sets the wallet (WESENDALL_WALLET_ID)"
	}
	valid := t.argNames
	if path != "" {
		valid = jsonNames(reflect.TypeFor[client.Contact]()) // the only nested object
		path += ": "
	}
	problem := fmt.Sprintf("%sunknown argument %q", path, sanitize.TruncateName(name))
	if suggestion := suggest(name, valid); suggestion != "" {
		return problem + fmt.Sprintf("; did you mean %q?", suggestion)
	}
	return problem + "; the arguments are " + strings.Join(valid, ", ")
}

// jsonNames are the JSON names of a struct's fields.
func jsonNames(typ reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
