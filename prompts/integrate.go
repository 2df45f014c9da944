package prompts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

func integratePrompt(d *reference.Document) Prompt {
	return Prompt{
		Name: "integrate_wesendall", Title: "Integrate Wesendall",
		Description: "A complete briefing for a coding agent",
		Arguments: []Argument{
			{Name: "language", Description: "JavaScript, Python, …", Required: true,
				Choices: func(Values) []string { return nameList(languages()) }},
			{Name: "framework", Description: "Next.js, Django, …", Required: true, Choices: frameworkChoices},
			{Name: "use_case", Description: strings.Join(nameList(useCases()), ", "), Required: true,
				Choices: func(Values) []string { return nameList(useCases()) }},
			{Name: "details", Description: "More requirements"},
		},
		buildData: func(v Values, budget int) any { return newIntegrateData(d, v, budget) },
	}
}

// frameworkChoices returns the frameworks of the chosen language, or of all languages.
func frameworkChoices(chosen Values) []string {
	if l, ok := findByName(languages(), chosen["language"]); ok {
		return nameList(l.Frameworks)
	}
	var choices []string
	for _, l := range languages() {
		for _, name := range nameList(l.Frameworks) {
			if !slices.Contains(choices, name) {
				choices = append(choices, name)
			}
		}
	}
	return choices
}

// integrateData is what the templates integrate_*.md get.
type integrateData struct {
	Language  language
	Framework framework
	UseCase   useCase
	Notes     []string    // how unknown arguments were read
	Details   *FencedData // nil if there are none

	// These follow from the use case's endpoints.
	Main                                         client.Endpoint
	Codes                                        []codeGroup
	Has                                          map[string]bool // by endpoint name
	HasSends, Spends, Creates, HasPhoneNumbers   bool
	HasDocumentedAnswers, HasUndocumentedAnswers bool

	Sample, SampleIntro, CodeFence string // empty if the language has no sample
}

func newIntegrateData(d *reference.Document, v Values, budget int) *integrateData {
	b := &integrateData{Has: map[string]bool{}}
	b.chooseUseCase(v["use_case"])
	b.chooseLanguage(v["language"])
	b.chooseFramework(v["framework"])
	if b.UseCase.Name == "full" && budget != 0 {
		budget = maxDataChars + dataOverhead // this use case is longer than maxPromptChars anyway
	}
	b.Details = newFencedData(v["details"], budget)
	b.addEndpoints()
	b.addSample(d)
	return b
}

func (b *integrateData) addNote(format string, args ...any) {
	b.Notes = append(b.Notes, fmt.Sprintf(format, args...))
}

func (b *integrateData) chooseUseCase(typed string) {
	var ok bool
	if b.UseCase, ok = findByName(useCases(), typed); !ok {
		b.UseCase = fullUseCase()
		b.addNote("The use case “%s” is not one of %s, so this briefing covers everything.",
			inlineText(typed, 60), strings.Join(nameList(useCases()), ", "))
	}
}

func (b *integrateData) chooseLanguage(typed string) {
	var ok bool
	if b.Language, ok = findByName(languages(), typed); !ok {
		b.Language = genericLanguage(inlineText(typed, 40))
		b.addNote("There is no sample for the language “%s”: the requests are given as precise HTTP.",
			inlineText(typed, 60))
	}
}

func (b *integrateData) chooseFramework(typed string) {
	var ok bool
	if b.Framework, ok = findByName(b.Language.Frameworks, typed); ok {
		return
	}
	b.Framework.SecretStorage = "In the server's environment or its secret store, read once when it starts."
	name := inlineText(typed, 30)
	if _, isNone := findByName([]framework{{Name: "none"}, {Name: "n/a"}}, typed); isNone || name == "" {
		return
	}
	b.Framework.Name = name
	b.addNote("Nothing is known here of “%s”: the general rules hold.", name)
}

func (b *integrateData) addEndpoints() {
	for _, e := range b.UseCase.Endpoints {
		b.Has[e.Name] = true
		b.Spends = b.Spends || e.Effect == client.EffectSpend
		b.Creates = b.Creates || e.Effect == client.EffectCreate
		b.HasDocumentedAnswers = b.HasDocumentedAnswers || e.ExampleResponse != nil
		b.HasUndocumentedAnswers = b.HasUndocumentedAnswers || e.ExampleResponse == nil
		if e.Name == b.UseCase.MainEndpoint {
			b.Main = e
		}
	}
	b.HasSends = b.Has[client.ToolSendSMS] || b.Has[client.ToolSendGroupSMS]
	b.HasPhoneNumbers = b.HasSends || b.Has[client.ToolTopUpWallet] || b.Has[client.ToolAddContacts]
	b.Codes = groupCodes(b.UseCase.Endpoints)
}

func (b *integrateData) addSample(d *reference.Document) {
	sample, ok := d.Example(b.Language.SampleLanguage, b.Main.Name)
	if !ok {
		return
	}
	l, _ := reference.FindLanguage(b.Language.SampleLanguage)
	b.Sample, b.CodeFence = sample, l.CodeFence
	b.SampleIntro = fmt.Sprintf("`%s %s` in %s, tested against the sandbox. Keep its judgement of failures",
		b.Main.Method, b.Main.Path, l.Title)
	if b.Language.Name == "TypeScript" {
		b.SampleIntro += ", and add types"
	}
	b.SampleIntro += "; fit the rest to the project."
}

// codeGroup holds the codes of one status that have the same action.
type codeGroup struct {
	Status int
	Names  string // in Markdown
	Action string
}

// groupCodes returns the codes that calls of these endpoints may fail with.
func groupCodes(endpoints []client.Endpoint) []codeGroup {
	var groups []codeGroup
	for _, c := range client.ErrorCodes() {
		canFailWith := func(e client.Endpoint) bool { return slices.Contains(reference.EndpointCodes(e), c) }
		if !slices.ContainsFunc(endpoints, canFailWith) {
			continue
		}
		action, last := reference.SummaryAdvice(c, endpoints), len(groups)-1
		if last >= 0 && groups[last].Status == c.Status && groups[last].Action == action {
			groups[last].Names += ", `" + c.Name + "`"
			continue
		}
		groups = append(groups, codeGroup{c.Status, "`" + c.Name + "`", action})
	}
	return groups
}
