package sanitize

import (
	"fmt"
	"strings"
)

// MaxProblems is how many problems of one call are listed.
const MaxProblems = 20

// JoinProblems writes the first problems in one line, and how many more there are.
func JoinProblems(problems []string) string { return JoinLimited(problems, "; ") }

// JoinLimited joins the first MaxProblems items, and says how many more there are.
func JoinLimited(items []string, separator string) string {
	if more := len(items) - MaxProblems; more > 0 {
		return fmt.Sprintf("%s%sand %d more", strings.Join(items[:MaxProblems], separator), separator, more)
	}
	return strings.Join(items, separator)
}
