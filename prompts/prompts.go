// Package prompts turns arguments into prompts: the integration briefing for coding agents, and
// prompts that help a user to send messages.
//
// It does not know the protocol that serves the prompts. Every value of an argument makes a
// usable prompt, because some hosts ask with placeholders. What a user typed is quoted as data
// that cannot end its fence.
package prompts

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"
	"unicode/utf8"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

//go:embed templates
var files embed.FS

// Prompt is one prompt and how to make its text.
type Prompt struct {
	Name, Title, Description string
	Arguments                []Argument
	Tools                    []string // that the text tells an agent to call

	// buildData returns the template's data. budget is how many characters remain for what
	// the user typed; with 0 it is left out.
	buildData func(v Values, budget int) any
	templates func() *template.Template // parsed at the first use
}

// maxPromptChars limits the length of a prompt, in characters.
const maxPromptChars = 12_000

// Argument is one argument of a prompt; its value is text.
type Argument struct {
	Name, Description string
	Required          bool
	// Choices returns values to offer, given those already chosen. It may be nil.
	Choices func(chosen Values) []string
}

// Values maps the names of arguments to the values that were given.
type Values map[string]string

// All returns the prompts, the integration prompt first.
func All(d *reference.Document) []Prompt {
	templates := sync.OnceValue(func() *template.Template {
		funcs := reference.TemplateFuncs()
		funcs["add"] = func(a, b int64) int64 { return a + b }
		return template.Must(template.New("").Funcs(funcs).ParseFS(files, "templates/*"))
	})
	prompts := []Prompt{integratePrompt(d), sendSMSPrompt(), broadcastPrompt(), reportPrompt()}
	for i := range prompts {
		prompts[i].templates = templates
	}
	return prompts
}

// Check returns an error that names every missing and every unknown argument. Values are never
// wrong.
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

// Text returns the prompt. It fails as Check does.
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

// Complete returns the argument's choices that match what is typed; see FilterMatches.
func (p Prompt) Complete(argument, typed string, chosen Values) []string {
	index := slices.IndexFunc(p.Arguments, func(a Argument) bool { return a.Name == argument })
	if index < 0 || p.Arguments[index].Choices == nil {
		return nil
	}
	return FilterMatches(p.Arguments[index].Choices(chosen), typed)
}

// FilterMatches returns the values that begin with what is typed or, if none does, that contain
// it. Case does not matter.
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
