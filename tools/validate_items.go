package tools

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// itemsPerCheck is how many items of an array are validated at once. The validator
// makes an error of each wrong item, and an array may have hundreds of thousands.
const itemsPerCheck = 1000

// validateChunks validates arguments against the schema. It checks a long array a
// part at a time and stops at the part that has enough problems to list.
func (t registeredTool) validateChunks(values map[string]any) []string {
	name, items := longArray(values)
	if name == "" {
		return t.validateSchema(values, 0)
	}
	defer func() { values[name] = items }()
	var problems []string
	for start := 0; start < len(items); start += itemsPerCheck {
		values[name] = items[start:min(start+itemsPerCheck, len(items))]
		problems = append(problems, t.validateSchema(values, start)...)
		slices.Sort(problems) // every part repeats the problems of other arguments
		problems = slices.Compact(problems)
		isWhole := func(problem string) bool { return strings.HasPrefix(problem, name+": ") }
		if len(problems) > sanitize.MaxProblems || slices.ContainsFunc(problems, isWhole) {
			break
		}
	}
	return problems
}

// longArray finds an argument that is a long array. No tool has two.
func longArray(values map[string]any) (name string, items []any) {
	for name, value := range values {
		if items, ok := value.([]any); ok && len(items) > itemsPerCheck {
			return name, items
		}
	}
	return "", nil
}

// validateSchema validates arguments whose array begins at an index of the whole.
func (t registeredTool) validateSchema(values map[string]any, firstIndex int) []string {
	err, ok := errors.AsType[*jsonschema.ValidationError](t.validator().Validate(values))
	if !ok {
		return nil
	}
	if firstIndex > 0 {
		shiftIndexes(err, firstIndex)
	}
	return t.describeErrors(err)
}

// shiftIndexes adds to the indexes of items in the locations of an error.
func shiftIndexes(e *jsonschema.ValidationError, by int) {
	if len(e.InstanceLocation) > 1 {
		if index, err := strconv.Atoi(e.InstanceLocation[1]); err == nil {
			e.InstanceLocation = slices.Clone(e.InstanceLocation)
			e.InstanceLocation[1] = strconv.Itoa(index + by)
		}
	}
	for _, cause := range e.Causes {
		shiftIndexes(cause, by)
	}
}

// problemNotQuoted is what to do about a number where a string belongs: a JSON number
// has lost its leading zero, and may have lost digits.
const problemNotQuoted = "write it in quotes"

// describeItems describes what is wrong with a recipient, or with each item of a list
// of them. An argument that is neither has no description here.
func describeItems(e *jsonschema.ValidationError, list []string) []string {
	var problems []string
	for _, cause := range e.Causes {
		problems = append(problems, describeItems(cause, list)...)
	}
	isItem := len(e.InstanceLocation) > len(list)
	path := strings.Join(e.InstanceLocation, "/")
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		switch {
		case k.Got == "number" && k.Want[0] == "string":
			problems = append(problems, path+": "+problemNotQuoted)
		case isItem:
			problems = append(problems, fmt.Sprintf("%s: must be a phone number in quotes (got %s)", path, withArticle(k.Got)))
		}
	case *kind.MinLength:
		problems = append(problems, path+": is empty")
	}
	return problems
}

// sortKey orders problems by argument and by the number of the item.
func sortKey(problem string) string {
	name, rest, ok := strings.Cut(problem, "/")
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if !ok || digits == 0 {
		return problem
	}
	return fmt.Sprintf("%s/%9s%s", name, rest[:digits], rest[digits:])
}
