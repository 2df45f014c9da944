// Package reference is the Wesendall reference for developers and their coding agents: a
// document in sections, and code samples for every endpoint in six languages.
//
// The texts are here; every method, path, parameter, limit and error code is rendered from the
// client's catalogue. The package does not know the protocol that serves it, and must never
// promise what Wesendall does not document.
package reference

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"
)

//go:embed sections samples
var files embed.FS

// The addresses of the documents.
const (
	ReferenceURI    = "wesendall://reference"
	LLMsTxtURI      = "wesendall://llms.txt"
	SectionTemplate = ReferenceURI + "/{section}"
	ExampleTemplate = "wesendall://examples/{language}/{endpoint}"
)

// RetryableStatuses are the HTTP statuses after which a call that is safe to repeat may be
// repeated.
const RetryableStatuses = "429, 500, 502, 503, 504"

// InstallCommand installs the program, and with it the sandbox.
const InstallCommand = "go install github.com/wesendall/wesendall-mcp/cmd/wesendall-mcp@latest"

// Document is the whole reference. It is rendered at the first use, because most runs of the
// program never read it.
type Document struct {
	sections func() []Section
	samples  func() *template.Template
}

// New returns the document.
func New() *Document {
	return &Document{
		sync.OnceValue(renderSections),
		sync.OnceValue(func() *template.Template { return parseTemplates("samples/*") }),
	}
}

// Sections returns all sections, in order.
func (d *Document) Sections() []Section { return slices.Clone(d.sections()) }

// Section returns the section with this name.
func (d *Document) Section(name string) (Section, bool) {
	sections := d.sections()
	index := slices.IndexFunc(sections, func(s Section) bool { return s.Name == name })
	if index < 0 {
		return Section{}, false
	}
	return sections[index], true
}

// Names returns the sections' names, in order.
func (*Document) Names() []string {
	var names []string
	for _, s := range sectionList() {
		names = append(names, s.Name)
	}
	return names
}

// Full returns all sections as one text.
func (d *Document) Full() string {
	var b strings.Builder
	b.WriteString("# Wesendall API reference\n")
	for _, s := range d.sections() {
		b.WriteString("\n#" + s.Text)
	}
	return b.String()
}

// LLMsTxt returns a list of all documents in the llms.txt format.
func (d *Document) LLMsTxt() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Wesendall\n\n"+
		"> SMS in Uganda over a REST API, paid from one prepaid wallet in shillings (UGX) that Mobile Money tops up.\n\n"+
		"Read `errors` and `not-documented` before writing code that spends. The whole document: [reference](%s).\n\n"+
		"## Sections\n\n", ReferenceURI)
	for _, s := range d.sections() {
		fmt.Fprintf(&b, "- [%s](%s): %s\n", s.Title, s.URI(), s.Description)
	}
	b.WriteString("\n## Code samples\n\nComplete programs, one for each endpoint and language.\n\n")
	for _, l := range Languages() {
		var links []string
		for _, name := range EndpointNames() {
			links = append(links, fmt.Sprintf("[%s](%s)", name, ExampleURI(l.Name, name)))
		}
		fmt.Fprintf(&b, "- %s: %s\n", l.Title, strings.Join(links, ", "))
	}
	return b.String()
}
