package sanitize

import "regexp"

var placeholderPattern = regexp.MustCompile(`\$\{[^}]*\}?|(?i:^\s*your[-_ ])|^\s*<.*>\s*$`)

// Placeholder returns what shows that nobody filled in value: ${NAME}, <name> or
// "your-" at its beginning. It returns "" for any other value.
func Placeholder(value string) string { return placeholderPattern.FindString(value) }
