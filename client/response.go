package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

const (
	// maxResponseBytes is how much of a body is read.
	maxResponseBytes = 8 << 20
	// maxErrorTextBytes is how much of a server's explanation is kept: a list of
	// validation errors fits, a whole page does not.
	maxErrorTextBytes = 2000
	// maxCodeBytes and maxRequestIDBytes limit what is shown of short names.
	maxCodeBytes      = 64
	maxRequestIDBytes = 128
)

// Response is the answer to a call that succeeded.
type Response struct {
	// Data is the envelope's data, or the whole body where there is no envelope.
	// Its bytes are the server's, except for the secret and for invalid UTF-8.
	Data json.RawMessage
	// Meta holds the envelope's other members; nil if there are none.
	Meta       map[string]json.RawMessage
	Status     int // HTTP
	RequestID  string
	Attempts   int       // how often the request was sent
	ServerTime time.Time // from the Date header; zero without one
	// HasNextPage is true if a Link header names a further page.
	HasNextPage bool
}

// decodeResponse turns an HTTP response into a Response or an Error.
func (c *Client) decodeResponse(r request, httpResp *http.Response) (*Response, *Error) {
	body, readErr := io.ReadAll(io.LimitReader(httpResp.Body, maxResponseBytes+1))
	body = bytes.TrimSpace(sanitize.TrimByteOrderMark(bytes.ToValidUTF8(body, []byte("\uFFFD"))))
	requestID := sanitize.TruncateBytes(c.redactor.redactText(findRequestID(httpResp.Header)), maxRequestIDBytes)

	problem := ""
	if httpResp.StatusCode/100 == 2 && readErr == nil && len(body) <= maxResponseBytes {
		data, meta, err := unwrapEnvelope(body, r.endpoint.Effect != EffectRead)
		if err == nil {
			return &Response{
				Data: c.redactor.redactJSON(data), Meta: c.redactor.redactFields(meta),
				Status: httpResp.StatusCode, RequestID: requestID, Attempts: 1, ServerTime: serverTime(httpResp),
				HasNextPage: hasNextPage(httpResp.Header),
			}, nil
		}
		problem = err.Error()
	}
	failure := c.readFailure(httpResp, body, readErr)
	for _, alternative := range []string{problem, http.StatusText(httpResp.StatusCode)} {
		if failure.message == "" {
			failure.message = alternative
		}
	}
	e := &Error{
		Endpoint: r.endpoint.Name, Status: httpResp.StatusCode, RequestID: requestID, Sent: true, Attempts: 1,
		Code: failure.code, Message: c.redactor.redactText(failure.message), Details: failure.details,
		RetryAfter: parseRetryAfter(httpResp.Header.Get("Retry-After")), ServerTime: serverTime(httpResp),
	}
	if httpResp.StatusCode/100 == 2 && readErr != nil {
		e.connFailed, e.Err = true, readErr
	}
	e.classify(r)
	return nil, e
}

// unwrapEnvelope opens the documented envelope {"success": true, "data": …}. The
// documents show it for the balance only, so any other JSON is data as it is. The
// answer to a write must say success, or say nothing that contradicts it.
func unwrapEnvelope(body []byte, write bool) (data json.RawMessage, meta map[string]json.RawMessage, err error) {
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
	if sign := failureSign(fields, write); sign != "" {
		return nil, nil, errors.New("the answer " + sign)
	}
	success := fields["success"]
	data, ok := fields["data"]
	if !ok || string(success) != "true" {
		return body, nil, nil
	}
	delete(fields, "data")
	delete(fields, "success")
	if len(fields) == 0 {
		fields = nil
	}
	return data, fields, nil
}

// errorBody is the content of an error response.
type errorBody struct{ code, message, details string }

// readFailure reads what went wrong. Its message is empty if the response has no
// explanation.
func (c *Client) readFailure(httpResp *http.Response, body []byte, readErr error) errorBody {
	switch {
	case httpResp.StatusCode/100 == 2 && readErr != nil:
		return errorBody{message: "the connection was lost during the answer: " + readErr.Error()}
	case len(body) > maxResponseBytes:
		return errorBody{message: fmt.Sprintf("the answer is longer than %d MiB", maxResponseBytes>>20)}
	case httpResp.StatusCode/100 == 3:
		message := "the server redirects the call; redirects are never followed," +
			" so the base URL must be where the API itself answers"
		if location, err := httpResp.Location(); err == nil {
			message += fmt.Sprintf(" (this one leads to %s://%s)", location.Scheme, location.Host)
		}
		return errorBody{message: message}
	}
	// The secret is removed before anything is cut, so that no part of it stays.
	if json.Valid(body) {
		body = c.redactor.redactJSON(body)
	}
	return parseErrorBody([]byte(c.redactor.redactText(string(body))))
}

// parseErrorBody reads an error body of any shape. The documents promise a code and
// show no body, so every shape is accepted.
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
	e.code = documentedCode(sanitize.TruncateBytes(e.code, maxCodeBytes), e.message)
	e.message = sanitize.TruncateBytes(e.message, maxErrorTextBytes)
	return e
}

// documentedCode returns code, or the message where it is itself a documented code.
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

// bodySnippet is the beginning of a body in one line.
func bodySnippet(body []byte) string {
	return sanitize.TruncateBytes(strings.Join(strings.Fields(string(body[:min(len(body), 400)])), " "), 200)
}

// findRequestID reads the id of the request from the usual headers. The documents
// name none.
func findRequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Request-Id", "X-Correlation-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

var nextLink = regexp.MustCompile(`(?i);\s*rel\s*=\s*("[^"]*\bnext\b|next\b)`)

// hasNextPage reads the Link headers (RFC 8288).
func hasNextPage(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Link"), nextLink.MatchString)
}

// serverTime reads the Date header. It returns the zero time without one.
func serverTime(httpResp *http.Response) time.Time {
	date, _ := http.ParseTime(httpResp.Header.Get("Date"))
	return date
}
