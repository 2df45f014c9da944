package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

const (
	variablePrefix = "WESENDALL_"
	// testVariablePrefix is for this project's own tests.
	testVariablePrefix = "WESENDALL_TEST_"
	// maxTypoDistance is one typo: two swapped letters count as two changes.
	maxTypoDistance = 2
)

// knownVariables returns the names that the program reads, credentials first.
func knownVariables() []string {
	names := append(credentialVariables(), hostconfig.EnvAuthorization)
	for _, s := range settingTable(guard.DefaultOptions()) {
		if s.variable != "" {
			names = append(names, s.variable)
		}
	}
	return names
}

// closestVariable returns the known name that is meant by a name that the program does not
// read. It returns "" for a known name, and for one that is not meant for this program.
func closestVariable(name string) string {
	words := strings.Fields(strings.ToUpper(name)) // as in "set NAME"
	if len(words) == 0 || strings.HasPrefix(name, testVariablePrefix) {
		return ""
	}
	last := strings.TrimPrefix(words[len(words)-1], "$ENV:")
	known := knownVariables()
	if slices.Contains(known, name) {
		return ""
	}
	closest, distance := "", len(last)+len(variablePrefix)
	for _, candidate := range known {
		d := sanitize.EditDistance(last, candidate)
		if containsWords(candidate, last) {
			d = min(d, maxTypoDistance+1) // as WESENDALL_SECRET is part of WESENDALL_API_SECRET
		}
		if d < distance {
			closest, distance = candidate, d
		}
	}
	if !strings.HasPrefix(last, variablePrefix) && distance > maxTypoDistance {
		return ""
	}
	return closest
}

// containsWords tells whether all words of a name are also in another one.
func containsWords(name, part string) bool {
	words := strings.Split(name, "_")
	for word := range strings.SplitSeq(part, "_") {
		if !slices.Contains(words, word) {
			return false
		}
	}
	return true
}

// assignmentPattern is a line that sets a variable, with what shells write in front.
var assignmentPattern = lazyregexp.New(
	`^\s*(?:(?i:export|setx?)\s+)?((?i:\$env:)?[A-Za-z_][A-Za-z0-9_.]*(?:[ \t]+[A-Za-z_][A-Za-z0-9_.]*)?)\s*[=:]`)

// linesOfNames returns the line of each variable in a file of NAME=value lines.
func linesOfNames(text string) map[string]int {
	lines := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		if match := assignmentPattern().FindStringSubmatch(line); match != nil {
			lines[match[1]] = i + 1
		}
	}
	return lines
}

// unknownNamesError names the variables of a file that the program would ignore: a limit that is
// spelled wrong would not hold.
func unknownNamesError(values map[string]string, text string) error {
	lines := linesOfNames(text)
	var problems []string
	for name := range values {
		closest := closestVariable(name)
		if closest == "" {
			continue
		}
		words := strings.Fields(name)
		last := words[len(words)-1]
		where := ""
		if line := lines[last]; line > 0 {
			where = fmt.Sprintf("line %d: ", line)
		}
		if last == closest { // as in "set NAME"
			problems = append(problems, fmt.Sprintf("%swrite %s=value, without the word before it", where, closest))
			continue
		}
		problems = append(problems, fmt.Sprintf("%s%s is not a setting; did you mean %s?", where, name, closest))
	}
	if problems == nil {
		return nil
	}
	slices.Sort(problems)
	return fmt.Errorf("%s", strings.Join(problems, "; "))
}

// unknownEnvironmentNames returns one sentence for each variable of the environment that
// looks like a setting and is none.
func (env environment) unknownEnvironmentNames() []string {
	var problems []string
	for _, name := range env.envNames {
		if closest := closestVariable(name); closest != "" {
			problems = append(problems, fmt.Sprintf(
				"the environment has %s, which is not a setting and does nothing; did you mean %s?", name, closest))
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// namesOf returns the names of NAME=value pairs.
func namesOf(pairs []string) []string {
	var names []string
	for _, pair := range pairs {
		if name, _, ok := strings.Cut(pair, "="); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}
