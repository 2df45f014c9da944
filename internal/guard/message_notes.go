package guard

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

var (
	literalEscape = lazyregexp.New(`\\[nrt]`)
	htmlEntity    = lazyregexp.New(`&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});`)
	// placeholderPatterns find what templates leave where nobody filled in a value.
	placeholderPatterns = []*regexp.Regexp{
		regexp.MustCompile(`\{\{[^{}]*\}\}`),
		regexp.MustCompile(`\$?\{[A-Za-z_][\w .-]{0,40}\}`),
		regexp.MustCompile(`<[A-Za-z][A-Za-z_ -]{0,40}>`),
		regexp.MustCompile(`(?i)\[(?:your|insert|enter|add)\b[^\[\]]{0,40}\]|\[(?:(?:first|last|full|customer|company)[ _]?)?name\]`),
		regexp.MustCompile(`%\([A-Za-z_]\w*\)[sd]`),
	}
	// A percent sign after a digit is a percentage.
	formatVerb = lazyregexp.New(`(?:^|[^\w%])(%(?:[0-9]\$)?[sd])(?:\W|$)`)
)

// maxListedFindings is how many findings of a kind a note shows.
const maxListedFindings = 3

// messageNotes says what in a message was probably not meant to be sent as it is.
// It never keeps the message from being sent.
func messageNotes(message string, carrier client.GSMInfo) (notes []string) {
	if found := literalEscape().FindAllString(message, -1); found != nil {
		notes = append(notes, fmt.Sprintf("The message has %s as two characters, not as a line break or tab.", listFindings(found)))
	}
	if found := htmlEntities(message); found != nil {
		notes = append(notes, fmt.Sprintf("The message has HTML entities, which phones show as they are: %s.", listFindings(found)))
	}
	if found := placeholders(message); found != nil {
		notes = append(notes, fmt.Sprintf("The message may have placeholders that nobody filled in: %s.", listFindings(found)))
	}
	if strings.ContainsRune(message, '\uFFFD') {
		notes = append(notes, "The message has U+FFFD, which stands where a character was lost.")
	}
	return append(notes, carrierNotes(message, carrier)...)
}

func htmlEntities(message string) (entities []string) {
	for _, entity := range htmlEntity().FindAllString(message, -1) {
		if html.UnescapeString(entity) != entity {
			entities = append(entities, entity)
		}
	}
	return entities
}

func placeholders(message string) (found []string) {
	for _, pattern := range placeholderPatterns {
		found = append(found, pattern.FindAllString(message, -1)...)
		message = pattern.ReplaceAllString(message, " ") // {{name}} is not {name} as well
	}
	for _, match := range formatVerb().FindAllStringSubmatch(message, -1) {
		found = append(found, match[1])
	}
	return found
}

// carrierNotes names the characters that make the mobile networks carry a message
// in more parts.
func carrierNotes(message string, carrier client.GSMInfo) []string {
	if len(carrier.NonGSMChars) == 0 {
		return nil
	}
	var names []string
	var plainForms []string
	for _, c := range carrier.NonGSMChars {
		plain := "?"
		if c.Replacement != nil {
			plain = *c.Replacement
		}
		character, name := c.Character, c.Character
		if r := invisibleRune(c.Character); r != 0 {
			character = string(r)
		}
		names, plainForms = append(names, name), append(plainForms, character, plain)
	}
	plain := client.AnalyzeGSM(strings.NewReplacer(plainForms...).Replace(message)).Segments
	if plain >= carrier.Segments {
		return nil
	}
	return []string{fmt.Sprintf("The mobile networks carry it in %s. Without these characters it would be %d: %s. "+
		"The price does not depend on it.", sanitize.Pluralize(carrier.Segments, "part"), plain, listFindings(names))}
}

// invisibleRune is the character that NonGSMChar writes like U+200B; 0 for others.
func invisibleRune(character string) (r rune) {
	if _, err := fmt.Sscanf(character, "U+%X", &r); err != nil {
		return 0
	}
	return r
}

// listFindings lists what was found, each once: the first three, and how many more.
func listFindings(found []string) string {
	var distinct []string
	for _, f := range found {
		if f = sanitize.Truncate(sanitize.Text(f), maxQuotedRunes); !slices.Contains(distinct, f) {
			distinct = append(distinct, f)
		}
	}
	text := strings.Join(distinct[:min(len(distinct), maxListedFindings)], " ")
	if more := len(distinct) - maxListedFindings; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
