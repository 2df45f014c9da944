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
func (c promptCmd) Run(w world) error {
	all := prompts.All(reference.New())
	p := all[slices.IndexFunc(all, func(p prompts.Prompt) bool { return p.Name == "integrate_wesendall" })]
	values := prompts.Values{"framework": c.Framework, "details": c.Details}
	given := map[string]*string{"language": c.Language, "use_case": c.UseCase}
	for name, value := range given {
		if value != nil {
			values[name] = *value
		}
	}
	choices := func(name string) string { return strings.Join(p.Complete(name, "", values), ", ") }
	if c.List {
		_, err := fmt.Fprintf(w.out, "--language   %s\n--framework  %s\n--use-case   %s\n", choices("language"), choices("framework"), choices("use_case"))
		return err
	}
	for _, name := range []string{"language", "use_case"} {
		if given[name] == nil {
			return usage("prompt: missing --%s, such as one of %s", strings.ReplaceAll(name, "_", "-"), choices(name))
		}
	}
	if c.Details == "-" {
		text, err := io.ReadAll(w.in)
		if err != nil {
			return err
		}
		values["details"] = string(text)
	}
	text, err := p.Text(values)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w.out, text)
	return err
}

type referenceCmd struct {
	Section  string `arg:"" optional:"" help:"One section instead of all."`
	Language string `help:"Add the code samples in this language." placeholder:"NAME"`
	List     bool   `help:"Print the sections and languages instead."`
}

// Run prints the reference, or a part of it.
func (c referenceCmd) Run(w world) error {
	d := reference.New()
	var out strings.Builder
	if c.List {
		for _, s := range d.Sections() {
			fmt.Fprintf(&out, "%-18s %s\n", s.Name, s.Description)
		}
		fmt.Fprintf(&out, "\n--language         %s\n", strings.Join(reference.LanguageNames(), ", "))
		_, err := io.WriteString(w.out, out.String())
		return err
	}
	samples := reference.EndpointNames()
	if c.Section == "" {
		out.WriteString(d.Whole())
	} else {
		section, ok := d.Section(c.Section)
		if !ok {
			return usage("reference: there is no section %q; the sections are %s", c.Section, strings.Join(d.Names(), ", "))
		}
		if c.Language != "" && !slices.Contains(samples, c.Section) {
			return usage("reference: %s has no code samples; those that have some are %s", c.Section, strings.Join(samples, ", "))
		}
		samples = []string{c.Section}
		out.WriteString(section.Text)
	}
	if c.Language != "" {
		language, ok := reference.FindLanguage(strings.ToLower(c.Language))
		if !ok {
			return usage("reference: there are no code samples in %q; the languages are %s", c.Language, strings.Join(reference.LanguageNames(), ", "))
		}
		for _, name := range samples {
			text, _ := d.Example(language.Name, name)
			fmt.Fprintf(&out, "\n## %s in %s\n\n```%s\n%s```\n", name, language.Title, language.Fence, text)
		}
	}
	_, err := io.WriteString(w.out, out.String())
	return err
}
