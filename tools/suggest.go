package tools

import (
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// argumentAliases are the names that models and other services use for our arguments.
var argumentAliases = map[string][]string{
	"recipient":    {"to", "recipients", "phone", "phones", "number", "numbers", "phone_number", "msisdn", "destination"},
	"message":      {"text", "body", "content", "sms", "msg"},
	"groupId":      {"group", "group_id", "id"},
	"phone_number": {"phone", "payer", "from", "msisdn", "number"},
	"phone":        {"number", "phone_number", "msisdn", "recipient"},
	"amount":       {"value", "sum", "ugx"},
	"title":        {"name", "group_name"},
	"per_page":     {"limit", "page_size", "size", "count"},
	"contacts":     {"contact", "numbers", "recipients", "phones"},
	"description":  {"note", "reason", "memo"},
}

// suggest returns the valid name that another name probably means, or "".
func suggest(name string, valid []string) string {
	name = strings.ToLower(name)
	for _, v := range valid {
		if slices.Contains(argumentAliases[v], name) {
			return v
		}
	}
	best, bestDistance := "", 3
	for _, v := range valid {
		if d := sanitize.EditDistance(name, strings.ToLower(v)); d < bestDistance && d < len(v)/2+1 {
			best, bestDistance = v, d
		}
	}
	return best
}

// SuggestTool returns the tool that an unknown name probably means, or "".
func (s *Toolset) SuggestTool(name string) string { return suggest(name, s.Names()) }
