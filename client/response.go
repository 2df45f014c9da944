package client

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody is how much of an answer is read, in bytes.
const maxBody = 8 << 20

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
	Date time.Time
}

// unwrap opens the documented envelope {"success": true, "data": …}. Only the
// balance call is shown to have it, so any other JSON is data as it is.
func unwrap(body []byte, changes bool) (json.RawMessage, map[string]json.RawMessage, error) {
	switch {
	case len(body) == 0:
		return nil, nil, errors.New("the answer is empty")
	case !json.Valid(body):
		return nil, nil, errors.New("the answer is not JSON: " + quote(body))
	case changes && body[0] != '{' && body[0] != '[':
		return nil, nil, errors.New("the answer is neither an object nor a list: " + quote(body))
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return body, nil, nil
	}
	success, said := members["success"]
	if said && (string(success) == "false" || changes && string(success) != "true") {
		return nil, nil, errors.New(`the answer says "success": ` + shorten(string(success), 40))
	}
	if failure, said := members["error"]; said && string(failure) != "null" {
		return nil, nil, errors.New("the answer holds an error")
	}
	data, ok := members["data"]
	if !ok || string(members["success"]) != "true" {
		return body, nil, nil
	}
	delete(members, "data")
	delete(members, "success")
	if len(members) == 0 {
		members = nil
	}
	return data, members, nil
}

// explanation is what an error body says.
type explanation struct{ code, message, details string }

// understand reads an error body of any shape. The documents promise a code and
// show no body, so nothing here may fail.
func understand(body []byte) explanation {
	var text string
	var members map[string]json.RawMessage
	switch {
	case len(body) == 0:
		return explanation{}
	case json.Unmarshal(body, &text) == nil:
		return explanation{code: codeIn("", text), message: shorten(text, maxMessage)}
	case json.Unmarshal(body, &members) != nil:
		return explanation{message: "the answer is not a JSON object: " + quote(body)}
	}
	e := explanation{code: take(members, "code"), message: take(members, "message")}
	var inner map[string]json.RawMessage
	if json.Unmarshal(members["error"], &inner) == nil && inner != nil {
		if code := take(inner, "code"); code != "" {
			e.code = code
		}
		if message := take(inner, "message"); message != "" {
			e.message = message
		}
		delete(members, "error")
		for name, value := range inner {
			if _, taken := members[name]; !taken {
				members[name] = value
			}
		}
	} else if message := take(members, "error"); e.message == "" {
		e.message = message
	}
	delete(members, "success")
	if rest, err := json.Marshal(members); err == nil && len(members) > 0 {
		e.details = shorten(string(rest), maxMessage)
	}
	e.code, e.message = codeIn(shorten(e.code, 64), e.message), shorten(e.message, maxMessage)
	return e
}

// codeIn is the code, or else a message that is itself one of the seven.
func codeIn(code, message string) string {
	if code == "" && slices.ContainsFunc(Codes(), func(c Code) bool { return c.Name == message }) {
		return message
	}
	return code
}

// take removes a member that is a string, and returns it.
func take(members map[string]json.RawMessage, name string) string {
	var text string
	if value := members[name]; value != nil && json.Unmarshal(value, &text) == nil {
		delete(members, name)
	}
	return text
}

// maxMessage is how much of a server's explanation is kept, in bytes: a list of
// faults fits, a whole page does not.
const maxMessage = 2000

// quote is the beginning of a body in one line.
func quote(body []byte) string {
	return shorten(strings.Join(strings.Fields(string(body[:min(len(body), 400)])), " "), 200)
}

// shorten cuts a text to so many bytes, between characters.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}
