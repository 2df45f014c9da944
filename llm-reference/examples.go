package reference

import (
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// Language is one that every endpoint has a code sample in.
type Language struct {
	Name      string // in addresses and on the command line
	Title     string
	Fence     string // of a Markdown code block
	Extension string // of the sample's file
	MIMEType  string
}

// Languages are the six.
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

// FindLanguage finds a language by its name.
func FindLanguage(name string) (Language, bool) {
	all := Languages()
	at := slices.IndexFunc(all, func(l Language) bool { return l.Name == name })
	if at < 0 {
		return Language{}, false
	}
	return all[at], true
}

// LanguageNames are the languages' names.
func LanguageNames() []string {
	var names []string
	for _, l := range Languages() {
		names = append(names, l.Name)
	}
	return names
}

// EndpointNames are the names of the endpoints that have a sample.
func EndpointNames() []string {
	var names []string
	for _, e := range client.Endpoints() {
		names = append(names, e.Name)
	}
	return names
}

// ExampleURI is the address of one sample.
func ExampleURI(language, endpoint string) string {
	return strings.NewReplacer("{language}", language, "{endpoint}", endpoint).Replace(ExampleTemplate)
}

// Example is a complete program in a language that calls an endpoint.
func (d *Document) Example(language, name string) (string, bool) {
	l, ok := FindLanguage(language)
	e, found := endpoint(name)
	if !ok || !found {
		return "", false
	}
	return execute(d.samples(), l.Name+".tmpl", newSample(e)), true
}

// sample is what the template of a language gets.
type sample struct {
	client.Endpoint
	// Before and After are the path around its parameter; without one, Before
	// is the whole path.
	Before, After string
	PathParam     *client.Param
	// Rest are the parameters of the query or the body, but for the wallet.
	Rest []client.Param
	// Otherwise is what is said of a failure that no document describes.
	Otherwise string
	Check     string
}

func newSample(e client.Endpoint) sample {
	s := sample{Endpoint: e, Before: e.Path, Otherwise: "failed", Check: Check(e)}
	if e.Effect == client.Spends || e.Effect == client.Creates {
		s.Otherwise = "unknown"
	}
	for _, p := range e.Params {
		switch {
		case p.In == client.InPath:
			s.PathParam = &p
			s.Before, s.After, _ = strings.Cut(e.Path, "{"+p.Name+"}")
		case p.Name != "walletId":
			s.Rest = append(s.Rest, p)
		}
	}
	return s
}

// refusals are the documented codes after which nothing was done, or all of it
// was taken back.
func refusals(s sample) []client.Code {
	return slices.DeleteFunc(Codes(s.Endpoint), func(c client.Code) bool { return c.Money == client.Unknown })
}

// pad is the space between a name and its value where gofmt aligns a list of
// them.
func pad(name string, all any) string {
	widest := 0
	switch list := all.(type) {
	case []client.Code:
		for _, c := range list {
			widest = max(widest, len(c.Name))
		}
	case []client.Param:
		for _, p := range list {
			widest = max(widest, len(p.Name))
		}
	}
	return strings.Repeat(" ", widest-len(name)+1)
}
