package client

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// maxResponseBytes is how much of an answer is read, in bytes.
const maxResponseBytes = 8 << 20

// Response is a success.
type Response struct {
	// Data is the envelope's data, or the whole body where there is no
	// envelope, byte for byte but for characters that were not UTF-8.
	Data json.RawMessage
	// Meta are the envelope's other members, if it has any.
	Meta      map[string]json.RawMessage
	Status    int // HTTP
	RequestID string
	Attempts  int // how often the request was sent
	// Date is what the server's clock said; zero where it did not say.
	ServerTime time.Time
}

// unwrapEnvelope opens the documented envelope {"success": true, "data": …}. Only the
// balance call is shown to have it, so any other JSON is data as it is.
func unwrapEnvelope(body []byte, write bool) (json.RawMessage, map[string]json.RawMessage, error) {
	switch {
	case len(body) == 0:
		return nil, nil, errors.New("the answer is empty")
	case !json.Valid(body):
		return nil, nil, errors.New("the answer is not JSON: " + bodySnippet(body))
	case write && body[0] != '{' && body[0] != '[':
		return nil, nil, errors.New("the answer is neither an object nor a list: " + bodySnippet(body))
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body, nil, nil
	}
	success, present := fields["success"]
	if present && (string(success) == "false" || write && string(success) != "true") {
		return nil, nil, errors.New(`the answer says "success": ` + sanitize.TruncateBytes(string(success), 40))
	}
	if failure, present := fields["error"]; present && string(failure) != "null" {
		return nil, nil, errors.New("the answer holds an error")
	}
	data, ok := fields["data"]
	if !ok || string(fields["success"]) != "true" {
		return body, nil, nil
	}
	delete(fields, "data")
	delete(fields, "success")
	if len(fields) == 0 {
		fields = nil
	}
	return data, fields, nil
}

// errorBody is what an error body says.
type errorBody struct{ code, message, details string }

// parseErrorBody reads an error body of any shape. The documents promise a code and
// show no body, so nothing here may fail.
func parseErrorBody(body []byte) errorBody {
	var str string
	var fields map[string]json.RawMessage
	switch {
	case len(body) == 0:
		return errorBody{}
	case json.Unmarshal(body, &str) == nil:
		return errorBody{code: documentedCode("", str), message: sanitize.TruncateBytes(str, maxErrorTextBytes)}
	case json.Unmarshal(body, &fields) != nil:
		return errorBody{message: "the answer is not a JSON object: " + bodySnippet(body)}
	}
	e := errorBody{code: popString(fields, "code"), message: popString(fields, "message")}
	var inner map[string]json.RawMessage
	if json.Unmarshal(fields["error"], &inner) == nil && inner != nil {
		if code := popString(inner, "code"); code != "" {
			e.code = code
		}
		if message := popString(inner, "message"); message != "" {
			e.message = message
		}
		delete(fields, "error")
		for name, value := range inner {
			if _, exists := fields[name]; !exists {
				fields[name] = value
			}
		}
	} else if message := popString(fields, "error"); e.message == "" {
		e.message = message
	}
	delete(fields, "success")
	if rest, err := json.Marshal(fields); err == nil && len(fields) > 0 {
		e.details = sanitize.TruncateBytes(string(rest), maxErrorTextBytes)
	}
	e.code, e.message = documentedCode(sanitize.TruncateBytes(e.code, 64), e.message), sanitize.TruncateBytes(e.message, maxErrorTextBytes)
	return e
}

// documentedCode is the code, or else a message that is itself one of the seven.
func documentedCode(code, message string) string {
	if code == "" && slices.ContainsFunc(ErrorCodes(), func(c ErrorCode) bool { return c.Name == message }) {
		return message
	}
	return code
}

// popString removes a member that is a string, and returns it.
func popString(fields map[string]json.RawMessage, name string) string {
	var str string
	if value := fields[name]; value != nil && json.Unmarshal(value, &str) == nil {
		delete(fields, name)
	}
	return str
}

// maxErrorTextBytes is how much of a server's explanation is kept, in bytes: a list of
// faults fits, a whole page does not.
const maxErrorTextBytes = 2000

// bodySnippet is the beginning of a body in one line.
func bodySnippet(body []byte) string {
	return sanitize.TruncateBytes(strings.Join(strings.Fields(string(body[:min(len(body), 400)])), " "), 200)
}
