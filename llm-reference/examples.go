package reference

import (
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// Language is a language in which every endpoint has a code sample.
type Language struct {
	Name      string // in addresses and on the command line
	Title     string
	CodeFence string // the info string of a Markdown code block
	Extension string // of the sample's file
	MIMEType  string
}

// Languages returns the languages in their order.
func Languages() []Language {
	return []Language{
		{"javascript", "JavaScript (fetch)", "js", "mjs", "text/javascript"},
		{"nodejs", "Node.js", "js", "mjs", "text/javascript"},
		{"python", "Python", "python", "py", "text/x-python"},
		{"curl", "curl", "bash", "sh", "application/x-sh"},
		{"php", "PHP", "php", "php", "text/x-php"},
		{"go", "Go", "go", "go", "text/x-go"},
	}
}

// FindLanguage returns the language with this name.
func FindLanguage(name string) (Language, bool) {
	languages := Languages()
	index := slices.IndexFunc(languages, func(l Language) bool { return l.Name == name })
	if index < 0 {
		return Language{}, false
	}
	return languages[index], true
}

// LanguageNames returns the names of the languages.
func LanguageNames() []string {
	var names []string
	for _, l := range Languages() {
		names = append(names, l.Name)
	}
	return names
}

// EndpointNames returns the names of the endpoints; each has a sample.
func EndpointNames() []string {
	var names []string
	for _, e := range client.Endpoints() {
		names = append(names, e.Name)
	}
	return names
}

// ExampleURI returns the address of one sample.
func ExampleURI(language, endpoint string) string {
	return strings.NewReplacer("{language}", language, "{endpoint}", endpoint).Replace(ExampleTemplate)
}

// Example returns a complete program that calls an endpoint.
func (d *Document) Example(language, endpointName string) (string, bool) {
	l, languageFound := FindLanguage(language)
	e, endpointFound := client.FindEndpoint(endpointName)
	if !languageFound || !endpointFound {
		return "", false
	}
	return mustExecute(d.samples(), l.Name+".tmpl", newSample(e)), true
}

// sample is the data of a language's template.
type sample struct {
	client.Endpoint
	// PathPrefix and PathSuffix are the path around PathParam; without one, PathPrefix is the
	// whole path.
	PathPrefix, PathSuffix string
	PathParam              *client.Param
	// OtherParams are the parameters of the query or the body, without walletId.
	OtherParams []client.Param
	// UndocumentedOutcome is the outcome of a failure that is not documented: failed or unknown.
	UndocumentedOutcome string
	VerifyAdvice        string
}

func newSample(e client.Endpoint) sample {
	s := sample{Endpoint: e, PathPrefix: e.Path, UndocumentedOutcome: "failed", VerifyAdvice: VerifyAdvice(e)}
	if e.Effect == client.EffectSpend || e.Effect == client.EffectCreate {
		s.UndocumentedOutcome = "unknown"
	}
	for _, p := range e.Params {
		switch {
		case p.Location == client.ParamInPath:
			s.PathParam = &p
			s.PathPrefix, s.PathSuffix, _ = strings.Cut(e.Path, "{"+p.Name+"}")
		case p.Name != "walletId":
			s.OtherParams = append(s.OtherParams, p)
		}
	}
	return s
}

// definiteCodes returns the documented codes after which nothing was done, or everything was
// refunded.
func definiteCodes(s sample) []client.ErrorCode {
	return slices.DeleteFunc(EndpointCodes(s.Endpoint),
		func(c client.ErrorCode) bool { return c.Money == client.MoneyUnknown })
}

// gofmtPadding returns the spaces after a name that gofmt puts into an aligned list.
func gofmtPadding(name string, list any) string {
	widest := 0
	switch items := list.(type) {
	case []client.ErrorCode:
		for _, c := range items {
			widest = max(widest, len(c.Name))
		}
	case []client.Param:
		for _, p := range items {
			widest = max(widest, len(p.Name))
		}
	}
	return strings.Repeat(" ", widest-len(name)+1)
}
