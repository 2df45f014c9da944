package reference

import (
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// FindParam returns a parameter of an endpoint. It panics if there is none.
func FindParam(endpoint, paramName string) client.Param {
	e, _ := client.FindEndpoint(endpoint)
	index := slices.IndexFunc(e.Params, func(p client.Param) bool { return p.Name == paramName })
	return e.Params[index]
}

// FormatLimits returns a parameter's limits in words, or "".
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
