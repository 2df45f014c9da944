package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

type promptCmd struct {
	Language  *string `help:"The language to integrate in." placeholder:"NAME"`
	Framework string  `help:"The framework, if any." default:"none" placeholder:"NAME"`
	UseCase   *string `help:"What the integration is for." placeholder:"NAME"`
	Details   string  `help:"More requirements, or - to read them from stdin." placeholder:"TEXT"`
	List      bool    `help:"Print the choices instead."`
}

// Run prints the briefing that the prompt integrate_wesendall gives.
func (c promptCmd) Run(env environment) error {
	available := prompts.All(reference.New())
	prompt := available[slices.IndexFunc(available, func(prompt prompts.Prompt) bool { return prompt.Name == "integrate_wesendall" })]
	values := prompts.Values{"framework": c.Framework, "details": c.Details}
	required := map[string]*string{"language": c.Language, "use_case": c.UseCase}
	for name, value := range required {
		if value != nil {
			values[name] = *value
		}
	}
	choices := func(name string) string { return strings.Join(prompt.Complete(name, "", values), ", ") }
	if c.List {
		_, err := fmt.Fprintf(env.stdout, "--language   %s\n--framework  %s\n--use-case   %s\n", choices("language"), choices("framework"), choices("use_case"))
		return err
	}
	for _, name := range []string{"language", "use_case"} {
		if required[name] == nil {
			return usageErrorf("prompt: missing --%s, such as one of %s", strings.ReplaceAll(name, "_", "-"), choices(name))
		}
	}
	if c.Details == "-" {
		text, err := io.ReadAll(env.stdin)
		if err != nil {
			return err
		}
		values["details"] = string(text)
	}
	text, err := prompt.Text(values)
	if err != nil {
		return err
	}
	_, err = io.WriteString(env.stdout, text)
	return err
}

type referenceCmd struct {
	Section  string `arg:"" optional:"" help:"One section instead of all."`
	Language string `help:"Add the code samples in this language." placeholder:"NAME"`
	List     bool   `help:"Print the sections and languages instead."`
}

// Run prints the reference, or a part of it.
func (c referenceCmd) Run(env environment) error {
	doc := reference.New()
	var out strings.Builder
	if c.List {
		for _, s := range doc.Sections() {
			fmt.Fprintf(&out, "%-18s %s\n", s.Name, s.Description)
		}
		fmt.Fprintf(&out, "\n--language         %s\n", strings.Join(reference.LanguageNames(), ", "))
		_, err := io.WriteString(env.stdout, out.String())
		return err
	}
	sampleNames := reference.EndpointNames()
	if c.Section == "" {
		out.WriteString(doc.Full())
	} else {
		section, ok := doc.Section(c.Section)
		if !ok {
			return usageErrorf("reference: there is no section %q; the sections are %s", c.Section, strings.Join(doc.Names(), ", "))
		}
		if c.Language != "" && !slices.Contains(sampleNames, c.Section) {
			return usageErrorf("reference: %s has no code samples; those that have some are %s", c.Section, strings.Join(sampleNames, ", "))
		}
		sampleNames = []string{c.Section}
		out.WriteString(section.Text)
	}
	if c.Language != "" {
		language, ok := reference.FindLanguage(strings.ToLower(c.Language))
		if !ok {
			return usageErrorf("reference: there are no code samples in %q; the languages are %s", c.Language, strings.Join(reference.LanguageNames(), ", "))
		}
		for _, name := range sampleNames {
			text, _ := doc.Example(language.Name, name)
			fmt.Fprintf(&out, "\n## %s in %s\n\n```%s\n%s```\n", name, language.Title, language.CodeFence, text)
		}
	}
	_, err := io.WriteString(env.stdout, out.String())
	return err
}
