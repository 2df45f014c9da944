package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

type referenceCmd struct {
	Section  string `arg:"" optional:"" help:"Print only this section."`
	Language string `help:"Add the code samples in this language." placeholder:"NAME"`
	List     bool   `help:"Print the sections and languages instead."`
}

// Run prints the reference, or a part of it.
func (c referenceCmd) Run(env environment) error {
	text, err := c.render(reference.New())
	if err != nil {
		return err
	}
	_, err = io.WriteString(env.stdout, text)
	return err
}

func (c referenceCmd) render(doc *reference.Document) (string, error) {
	if c.List {
		return listReference(doc), nil
	}
	text, sampleNames := doc.Full(), reference.EndpointNames()
	if c.Section != "" {
		section, ok := doc.Section(c.Section)
		if !ok {
			return "", usageErrorf("reference: there is no section %q; the sections are %s",
				c.Section, strings.Join(doc.Names(), ", "))
		}
		if c.Language != "" && !slices.Contains(sampleNames, c.Section) {
			return "", usageErrorf("reference: %s has no code samples; the sections with samples are %s",
				c.Section, strings.Join(sampleNames, ", "))
		}
		text, sampleNames = section.Text, []string{c.Section}
	}
	if c.Language == "" {
		return text, nil
	}
	language, ok := reference.FindLanguage(strings.ToLower(c.Language))
	if !ok {
		return "", usageErrorf("reference: there are no code samples in %q; the languages are %s",
			c.Language, strings.Join(reference.LanguageNames(), ", "))
	}
	for _, name := range sampleNames {
		sample, _ := doc.Example(language.Name, name)
		text += fmt.Sprintf("\n## %s in %s\n\n```%s\n%s```\n", name, language.Title, language.CodeFence, sample)
	}
	return text, nil
}

func listReference(doc *reference.Document) string {
	var out strings.Builder
	for _, s := range doc.Sections() {
		fmt.Fprintf(&out, "%-18s %s\n", s.Name, s.Description)
	}
	fmt.Fprintf(&out, "\n--language         %s\n", strings.Join(reference.LanguageNames(), ", "))
	return out.String()
}
