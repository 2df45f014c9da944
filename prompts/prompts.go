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

	// buildData makes what the template gets. budget says how many characters more
	// there is in the whole for what a person typed; with none, that is left out.
	buildData func(v Values, budget int) any
	templates func() *template.Template // made when a prompt is first asked for
}

// maxPromptChars is how long a prompt may be, in characters.
const maxPromptChars = 12_000

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
	templates := sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(reference.TemplateFuncs()).ParseFS(files, "templates/*"))
	})
	prompts := []Prompt{integratePrompt(d), sendSMSPrompt(), broadcastPrompt(), reportPrompt()}
	for i := range prompts {
		prompts[i].templates = templates
	}
	return prompts
}

// Check says everything that is wrong with the arguments: only their names can
// be, for any value will do.
func (p Prompt) Check(values Values) error {
	var problems []string
	for _, a := range p.Arguments {
		if _, given := values[a.Name]; given || !a.Required {
			continue
		}
		problem := fmt.Sprintf("missing argument %q", a.Name)
		if a.Choices != nil {
			problem += " (" + strings.Join(a.Choices(values), ", ") + ")"
		}
		problems = append(problems, problem)
	}
	var names, unknown []string
	for _, a := range p.Arguments {
		names = append(names, a.Name)
	}
	for name := range values {
		if !slices.Contains(names, name) {
			unknown = append(unknown, fmt.Sprintf("unknown argument %q", inlineText(name, 60)))
		}
	}
	if slices.Sort(unknown); unknown != nil {
		problems = append(append(problems, unknown...), "the arguments are "+strings.Join(names, ", "))
	}
	if problems == nil {
		return nil
	}
	return errors.New(p.Name + ": " + strings.Join(problems, "; "))
}

// Text writes the prompt.
func (p Prompt) Text(values Values) (string, error) {
	if err := p.Check(values); err != nil {
		return "", err
	}
	bare, err := p.render(p.buildData(values, 0))
	if err != nil {
		return "", err
	}
	return p.render(p.buildData(values, max(1, maxPromptChars-utf8.RuneCountInString(bare))))
}

func (p Prompt) render(data any) (string, error) {
	var b strings.Builder
	err := p.templates().ExecuteTemplate(&b, p.Name+".md", data)
	return b.String(), err
}

// Complete offers values of an argument that begin as what is typed or, where
// none does, that have it in them.
func (p Prompt) Complete(argument, typed string, chosen Values) []string {
	index := slices.IndexFunc(p.Arguments, func(a Argument) bool { return a.Name == argument })
	if index < 0 || p.Arguments[index].Choices == nil {
		return nil
	}
	return FilterMatches(p.Arguments[index].Choices(chosen), typed)
}

// FilterMatches keeps the values that begin as what is typed or, where none does,
// that have it in them.
func FilterMatches(values []string, typed string) []string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	for _, matches := range []func(string, string) bool{strings.HasPrefix, strings.Contains} {
		var filtered []string
		for _, value := range values {
			if matches(strings.ToLower(value), typed) {
				filtered = append(filtered, value)
			}
		}
		if filtered != nil {
			return filtered
		}
	}
	return nil
}

// inlineText makes a short text of one line that can stand in a sentence, without
// what Markdown would read as more than text.
func inlineText(text string, maxChars int) string {
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
	if runes := []rune(text); len(runes) > maxChars {
		text = strings.TrimSpace(string(runes[:maxChars])) + "…"
	}
	return text
}

// FencedData is what a person typed, as a template writes it: between fences that the
// text cannot close, and never longer than fits.
type FencedData struct {
	Fence, Text string
	Omitted     int // how many characters were left out
}

const (
	maxDataChars = 2000 // characters
	minDataChars = 500  // which the longest briefing leaves
	dataOverhead = 210  // what is said around the data, at most

	// They show nothing of their own, and yet belong to what they stand in: the
	// emoji of a woman with a job, a word in Persian or Sinhala.
	zwj, zwnj = '\u200d', '\u200c'
)

func newFencedData(text string, budget int) *FencedData {
	text = longBacktickRun.ReplaceAllString(text, maxFence)
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && r != zwj && r != zwnj && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
	if text == "" || budget == 0 {
		return nil
	}
	d := &FencedData{Text: text}
	if runes, budget := []rune(text), max(minDataChars, min(budget-dataOverhead, maxDataChars)); len(runes) > budget {
		d.Text, d.Omitted = string(runes[:budget]), len(runes)-budget
	}
	longest := 2
	for _, run := range backtickRun.FindAllString(d.Text, -1) {
		longest = max(longest, len(run))
	}
	d.Fence = strings.Repeat("`", longest+1)
	return d
}

const maxFence = "````````" // as long as a run of backticks may be, so that the fence has an end

var (
	backtickRun     = regexp.MustCompile("`+")
	longBacktickRun = regexp.MustCompile("`{9,}")
)
