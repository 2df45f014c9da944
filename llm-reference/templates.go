package reference

import (
	"strings"
	"text/template"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// TemplateFuncs returns the functions with which templates of documents and prompts print the
// catalogue. The caller may add to the map.
func TemplateFuncs() template.FuncMap {
	return template.FuncMap{
		// the catalogue
		"endpoints": client.Endpoints, "codes": client.ErrorCodes, "endpointCodes": EndpointCodes,
		"definiteCodes": definiteCodes, "findParam": FindParam, "formatLimits": FormatLimits,
		"host":              func() string { return client.DefaultBaseURL },
		"retryableStatuses": func() string { return RetryableStatuses },
		"installCommand":    func() string { return InstallCommand },
		// advice
		"retryAdvice": RetryAdvice, "summaryAdvice": SummaryAdvice, "verifyAdvice": VerifyAdvice,
		"unknownOutcomeAdvice": client.UnknownOutcomeAdvice, "topUpPending": func() string { return client.TopUpPending },
		// examples
		"exampleBody": exampleBody, "exampleBodyInline": exampleBodyInline, "exampleURL": exampleURL,
		// formats
		"thousands": sanitize.FormatThousands, "jsonOneLine": jsonOneLine, "camelCase": camelCase,
		"gofmtPadding": gofmtPadding,
		"js":           jsSyntax.format, "py": pySyntax.format, "php": phpSyntax.format, "go": goSyntax.format,
	}
}

// parseTemplates panics on an error: the files are embedded, and the tests render all of them.
func parseTemplates(pattern string) *template.Template {
	return template.Must(template.New("").Funcs(TemplateFuncs()).ParseFS(files, pattern))
}

// mustExecute panics on an error, as parseTemplates does.
func mustExecute(t *template.Template, name string, data any) string {
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		panic(err)
	}
	return b.String()
}
