package client

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// failedStatuses are the values of "status" that say that a call failed.
var failedStatuses = []string{"error", "errors", "fail", "failed", "failure"}

// failureSign says how the top level of a 2xx answer tells of a failure, or returns
// "". Wesendall documents only "success"; the other signs are common. Names and values
// count in any case. What data holds is no sign: a list of messages has some with the
// status failed.
func failureSign(fields map[string]json.RawMessage, write bool) string {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if isFailure(strings.ToLower(name), fields[name], write) {
			return `says "` + sanitize.TruncateName(name) + `": ` + sanitize.TruncateBytes(string(fields[name]), 40)
		}
	}
	return ""
}

// isFailure reports whether the field with a name in lower case tells of a failure.
func isFailure(name string, value json.RawMessage, write bool) bool {
	switch name {
	case "success", "ok":
		return string(value) == "false" || write && string(value) != "true"
	case "status":
		var status string
		return json.Unmarshal(value, &status) == nil &&
			slices.Contains(failedStatuses, strings.ToLower(strings.TrimSpace(status)))
	case "error": // the samples of the reference judge it in the same way
		return string(value) != "null"
	case "errors":
		return !isEmptyJSON(value)
	default:
		return false
	}
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
