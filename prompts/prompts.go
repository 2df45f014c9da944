// Package prompts writes prompts out of arguments: the integration briefing for
// coding agents, and what a person would want a slash command for.
//
// It knows nothing of the protocol that serves the prompts. Any value of an
// argument makes a usable prompt, since some hosts ask with placeholders; what
// people type is put in as data, and cannot break out of its place.
package prompts

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template"
	"unicode"
	"unicode/utf8"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

//go:embed templates
var files embed.FS

// Prompt is one prompt, and how its text is made.
type Prompt struct {
	Name, Title, Description string
	Arguments                []Argument
	Tools                    []string // that its text has an agent call

	// fill makes what the template gets. Room is for how many characters more
	// there is in the whole for what a person typed; with none, that is left out.
	fill func(v Values, room int) any
	book func() *template.Template // made when a prompt is first asked for
}

// limit is how long a prompt may be, in characters.
const limit = 12_000

// Argument is one argument of a prompt. All are text.
type Argument struct {
	Name, Description string
	Required          bool
	// Choices are the values to offer, given those already chosen; nil where
	// nothing can be offered.
	Choices func(chosen Values) []string
}

// Values are the arguments as they were given.
type Values map[string]string

// All are the prompts, the generator first.
func All(d *reference.Document) []Prompt {
	book := sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(reference.Funcs()).ParseFS(files, "templates/*"))
	})
	all := []Prompt{integrate(d), sendSMS(), broadcast(), report()}
	for i := range all {
		all[i].book = book
	}
	return all
}

// Check says everything that is wrong with the arguments: only their names can
// be, for any value will do.
func (p Prompt) Check(values Values) error {
	var faults []string
	for _, a := range p.Arguments {
		if _, given := values[a.Name]; given || !a.Required {
			continue
		}
		fault := fmt.Sprintf("missing argument %q", a.Name)
		if a.Choices != nil {
			fault += " (" + strings.Join(a.Choices(values), ", ") + ")"
		}
		faults = append(faults, fault)
	}
	var names, unknown []string
	for _, a := range p.Arguments {
		names = append(names, a.Name)
	}
	for name := range values {
		if !slices.Contains(names, name) {
			unknown = append(unknown, fmt.Sprintf("unknown argument %q", inline(name, 60)))
		}
	}
	if slices.Sort(unknown); unknown != nil {
		faults = append(append(faults, unknown...), "the arguments are "+strings.Join(names, ", "))
	}
	if faults == nil {
		return nil
	}
	return errors.New(p.Name + ": " + strings.Join(faults, "; "))
}

// Text writes the prompt.
func (p Prompt) Text(values Values) (string, error) {
	if err := p.Check(values); err != nil {
		return "", err
	}
	bare, err := p.render(p.fill(values, 0))
	if err != nil {
		return "", err
	}
	return p.render(p.fill(values, max(1, limit-utf8.RuneCountInString(bare))))
}

func (p Prompt) render(data any) (string, error) {
	var b strings.Builder
	err := p.book().ExecuteTemplate(&b, p.Name+".md", data)
	return b.String(), err
}

// Complete offers values of an argument that begin as what is typed or, where
// none does, that have it in them.
func (p Prompt) Complete(argument, typed string, chosen Values) []string {
	at := slices.IndexFunc(p.Arguments, func(a Argument) bool { return a.Name == argument })
	if at < 0 || p.Arguments[at].Choices == nil {
		return nil
	}
	return Matching(p.Arguments[at].Choices(chosen), typed)
}

// Matching keeps the values that begin as what is typed or, where none does,
// that have it in them.
func Matching(values []string, typed string) []string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	for _, fits := range []func(string, string) bool{strings.HasPrefix, strings.Contains} {
		var found []string
		for _, value := range values {
			if fits(strings.ToLower(value), typed) {
				found = append(found, value)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// inline makes a short text of one line that can stand in a sentence, without
// what Markdown would read as more than text.
func inline(text string, limit int) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("`*_[]<>\"|\\", r):
			return -1
		case unicode.IsControl(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, text)), " ")
	if runes := []rune(text); len(runes) > limit {
		text = strings.TrimSpace(string(runes[:limit])) + "…"
	}
	return text
}

// Data is what a person typed, as a template writes it: between fences that the
// text cannot close, and never longer than fits.
type Data struct {
	Fence, Text string
	Cut         int // how many characters were left out
}

const (
	mostData  = 2000 // characters
	leastData = 500  // which the longest briefing leaves
	around    = 210  // what is said around the data, at most

	// They show nothing of their own, and yet belong to what they stand in: the
	// emoji of a woman with a job, a word in Persian or Sinhala.
	joiner, nonJoiner = '\u200d', '\u200c'
)

func data(text string, room int) *Data {
	text = longRuns.ReplaceAllString(text, fences)
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && r != joiner && r != nonJoiner && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
	if text == "" || room == 0 {
		return nil
	}
	d := &Data{Text: text}
	if runes, room := []rune(text), max(leastData, min(room-around, mostData)); len(runes) > room {
		d.Text, d.Cut = string(runes[:room]), len(runes)-room
	}
	longest := 2
	for _, run := range ticks.FindAllString(d.Text, -1) {
		longest = max(longest, len(run))
	}
	d.Fence = strings.Repeat("`", longest+1)
	return d
}

const fences = "````````" // as long as a run of backticks may be, so that the fence has an end

var (
	ticks    = regexp.MustCompile("`+")
	longRuns = regexp.MustCompile("`{9,}")
)
