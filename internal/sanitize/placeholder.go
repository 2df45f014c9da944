package sanitize

import "regexp"

var placeholderPattern = regexp.MustCompile(`\$\{[^}]*\}?|(?i:^\s*your[-_ ])|^\s*<.*>\s*$`)

// Placeholder returns the placeholder that a value still has: ${NAME}, <name> or "your-"
// at its beginning. It returns "" if the value was filled in.
func Placeholder(value string) string { return placeholderPattern.FindString(value) }
