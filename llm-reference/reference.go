// Package reference is the Wesendall reference for developers and their coding
// agents: the document in sections, and code samples for every endpoint in six
// languages.
//
// The words are here; every method, path, parameter, limit and error code is
// rendered from the client's catalogue. It knows nothing of the protocol that
// serves it, and it must never promise what the vendor does not document.
package reference

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
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

// RetryableStatuses are those after which a call that is safe to repeat is repeated.
const RetryableStatuses = "429, 500, 502, 503, 504"

// InstallCommand is how one gets the program, with its sandbox.
const InstallCommand = "go install github.com/wesendall/wesendall-mcp/cmd/wesendall-mcp@latest"

// Section is one part of the document. It stands alone.
type Section struct {
	Name        string // in its address and on the command line
	Title       string
	Description string  // what one finds there, to choose by
	Priority    float64 // from 0, for reference, to 1, for what everybody needs
	Text        string  // Markdown
}

// URI is the section's address.
func (s Section) URI() string { return SectionURI(s.Name) }

// SectionURI is the address of the section of a name.
func SectionURI(name string) string { return ReferenceURI + "/" + name }

// Document is the whole reference. It does not change, and is rendered when it
// is first read: most runs of the program never do.
type Document struct {
	sections func() []Section
	samples  func() *template.Template
}

// New is the document.
func New() *Document {
	return &Document{
		sync.OnceValue(renderSections),
		sync.OnceValue(func() *template.Template { return parseTemplates("samples/*") }),
	}
}

// renderSections writes the sections.
func renderSections() []Section {
	sections, templates := sectionList(), parseTemplates("sections/*")
	for i, s := range sections {
		data, name := any(nil), s.Name
		if e, ok := findEndpoint(s.Name); ok {
			data, name = endpointPage{e, s.Title, mustExecute(templates, s.Name+".md", nil)}, "endpoint"
		}
		sections[i].Text = mustExecute(templates, name+".md", data)
	}
	return sections
}

// Sections are all sections, in order.
func (d *Document) Sections() []Section { return slices.Clone(d.sections()) }

// endpointPage is what the template of an endpoint's section gets.
type endpointPage struct {
	client.Endpoint
	Title string
	Notes string // what cannot be rendered from the catalogue
}

// sectionList is the sections in their order, still without their text.
func sectionList() []Section {
	sections := []Section{
		{Name: "overview", Title: "Overview and quickstart", Description: "What Wesendall is; the first SMS in five steps", Priority: 1},
		{Name: "authentication", Title: "Authentication", Description: "Key, secret, wallet: where each goes, what is secret", Priority: 1},
		{Name: "wallet", Title: "Wallet and top-ups", Description: "Charges, refunds, Mobile Money top-ups", Priority: 0.6},
	}
	titles := map[string]string{
		client.ToolGetBalance: "Get the balance", client.ToolTopUpWallet: "Top the wallet up", client.ToolSendSMS: "Send SMS",
		client.ToolSendGroupSMS: "Send SMS to a group", client.ToolListSMSHistory: "List the SMS history",
		client.ToolListGroups: "List the groups", client.ToolCreateGroup: "Create a group", client.ToolAddContacts: "Add contacts to a group",
	}
	for _, e := range client.Endpoints() {
		sections = append(sections, Section{Name: e.Name, Title: titles[e.Name], Description: e.Method + " " + e.Path, Priority: 0.5})
	}
	return append(sections, []Section{
		{Name: "errors", Title: "Errors and retries", Description: "The codes, the money, when to repeat a call", Priority: 0.9},
		{Name: "phone-numbers", Title: "Phone numbers", Description: "Accepted forms; how to normalise", Priority: 0.6},
		{Name: "units-and-price", Title: "Units and price", Description: "How a message is counted and charged", Priority: 0.6},
		{Name: "testing", Title: "Testing without money", Description: "The sandbox and its magic values", Priority: 0.8},
		{Name: "not-documented", Title: "What is not documented", Description: "What never to build on", Priority: 0.7},
	}...)
}

// Section finds a section by its name.
func (d *Document) Section(name string) (Section, bool) {
	sections := d.sections()
	index := slices.IndexFunc(sections, func(s Section) bool { return s.Name == name })
	if index < 0 {
		return Section{}, false
	}
	return sections[index], true
}

// Names are the sections' names, in order.
func (*Document) Names() []string {
	var names []string
	for _, s := range sectionList() {
		names = append(names, s.Name)
	}
	return names
}

// Full is the document in one piece.
func (d *Document) Full() string {
	var b strings.Builder
	b.WriteString("# Wesendall API reference\n")
	for _, s := range d.sections() {
		b.WriteString("\n#" + s.Text)
	}
	return b.String()
}

// LLMsTxt lists what there is to read, in the form of an llms.txt.
func (d *Document) LLMsTxt() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Wesendall\n\n> SMS in Uganda over a REST API, paid from one prepaid wallet in shillings (UGX) that Mobile Money tops up.\n\n"+
		"Read %s and %s before writing code that spends. The whole document: [reference](%s).\n\n## Sections\n\n", "`errors`", "`not-documented`", ReferenceURI)
	for _, s := range d.sections() {
		fmt.Fprintf(&b, "- [%s](%s): %s\n", s.Title, s.URI(), s.Description)
	}
	b.WriteString("\n## Code samples\n\nComplete programs, one for each endpoint and language.\n\n")
	for _, l := range Languages() {
		fmt.Fprintf(&b, "- %s:", l.Title)
		for i, e := range client.Endpoints() {
			fmt.Fprintf(&b, "%s [%s](%s)", map[bool]string{true: ","}[i > 0], e.Name, ExampleURI(l.Name, e.Name))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func findEndpoint(name string) (client.Endpoint, bool) {
	endpoints := client.Endpoints()
	index := slices.IndexFunc(endpoints, func(e client.Endpoint) bool { return e.Name == name })
	if index < 0 {
		return client.Endpoint{}, false
	}
	return endpoints[index], true
}

// TemplateFuncs are what templates of documents write the catalogue down with.
func TemplateFuncs() template.FuncMap {
	return template.FuncMap{
		"endpoints": client.Endpoints, "codes": client.ErrorCodes, "host": func() string { return client.DefaultBaseURL },
		"formatLimits": FormatLimits, "findParam": FindParam, "thousands": sanitize.FormatThousands,
		"jsonOneLine": jsonOneLine, "exampleBody": exampleBody, "exampleBodyInline": exampleBodyInline, "exampleURL": exampleURL, "retryAdvice": RetryAdvice, "summaryAdvice": SummaryAdvice, "retryableStatuses": func() string { return RetryableStatuses }, "installCommand": func() string { return InstallCommand }, "verifyAdvice": VerifyAdvice,
		"endpointCodes": EndpointCodes, "definiteCodes": definiteCodes,
		"camelCase": camelCase, "gofmtPadding": gofmtPadding, "js": jsSyntax.format, "py": pySyntax.format, "php": phpSyntax.format, "go": goSyntax.format,
	}
}

// parseTemplates and execute cannot fail: the files are part of the program, and the
// tests render every one of them.
func parseTemplates(pattern string) *template.Template {
	return template.Must(template.New("").Funcs(TemplateFuncs()).ParseFS(files, pattern))
}

func mustExecute(t *template.Template, name string, data any) string {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		panic(err)
	}
	return b.String()
}

// FindParam is a parameter of an endpoint by their names.
func FindParam(name, paramName string) client.Param {
	e, _ := findEndpoint(name)
	index := slices.IndexFunc(e.Params, func(p client.Param) bool { return p.Name == paramName })
	return e.Params[index]
}

// FormatLimits says in words what a parameter's value may be.
func FormatLimits(p client.Param) string {
	unit := map[string]string{"string": " UTF-16 code units", "array": " items"}[p.Type]
	var limits string
	switch {
	case p.Min > 0 && p.Max > 0:
		limits = sanitize.FormatThousands(p.Min) + " to " + sanitize.FormatThousands(p.Max) + unit
	case p.Min == 1 && p.Type != "number":
		limits = "not empty"
	case p.Min > 0:
		limits = "from " + sanitize.FormatThousands(p.Min) + unit
	}
	if p.Default != 0 {
		limits += "; default " + sanitize.FormatThousands(p.Default)
	}
	return strings.TrimPrefix(limits, "; ")
}

// RetryAdvice says what a program should do about a documented code of an endpoint:
// the vendor's retry column, made safe for money.
func RetryAdvice(c client.ErrorCode, e client.Endpoint) string {
	repeatable := e.Effect == client.EffectRead || e.Effect == client.EffectIdempotentWrite
	switch {
	case c.Advice == client.RetryNever:
		return "Stop, and tell the operator."
	case c.Advice == client.RetryAfterTopUp:
		return "Nothing was sent. Top the wallet up, then call again."
	case c.Advice == client.RetryAfterFix:
		return "Nothing was done. Fix the request; the same one fails again."
	case repeatable:
		return "Repeat once, after about half a second."
	case c.Money == client.MoneyRefunded && e.Name == client.ToolSendSMS:
		return "Refunded. One recipient: repeat once. Several: some may have got it, so a person looks at the history first."
	case c.Money == client.MoneyRefunded && e.Name == client.ToolSendGroupSMS:
		return "Refunded. Some of the group may have got it: a person looks at the history before it is sent again."
	case e.Effect == client.EffectSpend:
		return "Outcome unknown. Never repeat automatically. " + VerifyAdvice(e)
	default:
		return "Outcome unknown. " + VerifyAdvice(e)
	}
}

// SummaryAdvice is the advice about a code in one line, for those of the endpoints
// that may fail with it.
func SummaryAdvice(c client.ErrorCode, endpoints []client.Endpoint) string {
	var advice []string
	repeatableCalls := "A GET"
	for _, e := range endpoints {
		if !slices.Contains(EndpointCodes(e), c) {
			continue
		}
		if e.Effect == client.EffectIdempotentWrite {
			repeatableCalls = "A GET, or adding contacts"
		}
		if line := RetryAdvice(c, e); !slices.Contains(advice, line) {
			advice = append(advice, line)
		}
	}
	switch {
	case len(advice) == 1:
		return advice[0]
	case c.Money == client.MoneyUnknown:
		return repeatableCalls + ": repeat once. All else: outcome unknown; never repeat."
	default: // a send to numbers and one to a group
		return "Refunded. One recipient: repeat once. Several, or a group: some may have got it, so a person looks at the history first."
	}
}

// VerifyAdvice says how to find out whether a call whose outcome is unknown happened.
func VerifyAdvice(e client.Endpoint) string {
	switch {
	case e.Name == client.ToolTopUpWallet:
		return "Read the balance, and ask the payer what the phone shows."
	case e.Effect == client.EffectCreate:
		return "List the groups before creating it again."
	default:
		return "Look at the history and the balance first."
	}
}

// EndpointCodes are the documented codes that a call of an endpoint may fail with. The
// vendor ties none to an endpoint; that only what takes money can lack it, and
// only a send can be refused by the provider, follows from their meaning.
func EndpointCodes(e client.Endpoint) []client.ErrorCode {
	sends := e.Name == client.ToolSendSMS || e.Name == client.ToolSendGroupSMS
	return slices.DeleteFunc(client.ErrorCodes(), func(c client.ErrorCode) bool {
		return !sends && (c.Advice == client.RetryAfterTopUp || c.Money == client.MoneyRefunded)
	})
}
