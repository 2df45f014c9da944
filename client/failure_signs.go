package client

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// failureSign says how the top level of a 2xx answer tells of a failure, or returns
// "". Wesendall documents only "success"; the other signs are common. What data holds
// is no sign: a list of messages has some with the status failed.
func failureSign(fields map[string]json.RawMessage, write bool) string {
	for _, name := range []string{"success", "ok"} {
		value, present := fields[name]
		if present && (string(value) == "false" || write && string(value) != "true") {
			return `says "` + name + `": ` + sanitize.TruncateBytes(string(value), 40)
		}
	}
	var status string
	if json.Unmarshal(fields["status"], &status) == nil &&
		slices.Contains([]string{"error", "failed", "failure"}, strings.ToLower(strings.TrimSpace(status))) {
		return `says "status": "` + sanitize.TruncateBytes(status, 40) + `"`
	}
	if value, present := fields["error"]; present && string(value) != "null" {
		return "holds an error"
	}
	if value, present := fields["errors"]; present && !isEmptyJSON(value) {
		return "holds errors"
	}
	return ""
}

// isEmptyJSON reports whether a JSON value says that there is nothing.
func isEmptyJSON(value json.RawMessage) bool {
	switch compact := strings.Join(strings.Fields(string(value)), ""); compact {
	case "null", "false", "0", `""`, "[]", "{}":
		return true
	default:
		return false
	}
}
