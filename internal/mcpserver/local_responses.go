package mcpserver

import (
	"encoding/json"
	"io"
)

// localResponses passes messages of the server on to a client in the same process. It
// looks for answers without an id: they say that the server could not read a message,
// and the client would wait for another answer until its deadline.
type localResponses struct {
	out      io.WriteCloser
	onUnread func(reason string) // called for each answer without an id
}

// Write takes one message.
func (r *localResponses) Write(message []byte) (int, error) {
	var answer struct {
		ID    json.RawMessage
		Error *struct{ Message string }
	}
	if json.Unmarshal(message, &answer) == nil && answer.Error != nil && (answer.ID == nil || isNull(answer.ID)) {
		r.onUnread(answer.Error.Message)
	}
	return r.out.Write(message)
}
