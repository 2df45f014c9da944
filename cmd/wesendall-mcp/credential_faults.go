package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// The forms of values that nothing has replaced, or that are no credentials at all.
var (
	shellReference = lazyregexp.New(`^\$(?:(?i:env):)?(?:[A-Z_][A-Z0-9_]*|[A-Za-z_]+)$|^\$\(.*\)$|^%[A-Za-z_][A-Za-z0-9_]*%$|` +
		`^!?\{\{?.*\}\}?$|^![A-Za-z_]+!$`)
	managerReference = lazyregexp.New(`^[A-Za-z][A-Za-z0-9+.-]*://|^(?i:env|file|keychain|vault):`)
	exampleValue     = lazyregexp.New(`(?i)x{6,}|[-_]x{3,}$|^x+$|\*{3,}|\.{3}|…|0{8,}|` +
		`^_*(?:change[-_ ]?me|todo|tbd|example|placeholder|` +
		`replace[-_ ].*|my[-_ ].*|insert[-_ ].*|(?:api[-_ ]?)?(?:key|secret)|wallet(?:[-_ ]?id)?)_*$`)
	assignedValue = lazyregexp.New(`^(?:(?i:export|setx?)\s+)?[A-Z][A-Z0-9_]*\s*=[^=]`)
	keyPattern    = lazyregexp.New(`^(?:sk|pk)_(?:live|test)_`)
)

// credentialFault says why a value cannot be a credential; "" if it may be one. It continues a
// sentence that starts with the variable's name, and never has a part of the value.
func credentialFault(value string) string {
	hidden := strings.IndexFunc(value, isInvisible)
	switch {
	case value == "":
		return ""
	case sanitize.Placeholder(value) != "":
		return " is still a placeholder"
	case strings.ContainsAny(value, "“”„‟‘’‚‛«»"):
		return " has typographic quotes, as text editors insert them: type it without quotes"
	case strings.ContainsAny(value[:1]+value[len(value)-1:], "\"'`"):
		return " is in quotes that are part of the value: remove them"
	case hidden >= 0:
		r := []rune(value[hidden:])[0]
		return fmt.Sprintf(" contains a character that cannot be seen (U+%04X): copy it again, or type it", r)
	case assignedValue().MatchString(value):
		return " contains NAME=value: only the value belongs there"
	case shellReference().MatchString(value):
		return " is a variable that nothing has replaced: write the value itself"
	case managerReference().MatchString(value):
		return " is a reference for a password manager that nothing has replaced: start the server through its command, " +
			"or write the value itself"
	case exampleValue().MatchString(value):
		return " is an example, not a real value"
	case strings.ContainsFunc(value, unicode.IsSpace):
		return " has a space in it"
	}
	return ""
}

// isInvisible tells whether a character does not show: a control or format character, a space
// that is not typed, or what became of a byte that is not UTF-8.
func isInvisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) || r == '\ufffd' || r != ' ' && unicode.IsSpace(r)
}
