package reconcile

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
)

// status is what the history says about one message. Only an entry that says clearly
// that the message was sent, or says nothing, is evidence for it.
type status struct {
	text    string // as it is shown; "" if there is none
	isFault bool   // does not say that the message was sent
}

var (
	statusName = lazyregexp.New(`(?i)status|state`)
	// faultName matches fields that are set where a message was not sent, such as error
	// and failed_at.
	faultName = lazyregexp.New(`(?i)error|fail|reject|refund|cancel|declin|blocked|bounce|expired|undeliver|unsent|notsent|not_sent`)
	// sentName matches fields that are false where a message was not sent.
	sentName    = lazyregexp.New(`(?i)sent|deliver|accept|success|^(is_?)?ok$`)
	statusWords = lazyregexp.New(`[a-z0-9]+`)
)

// sentWords say that Wesendall or a mobile network took a message. neutralWords may
// stand beside them, as in DELIVERED_TO_HANDSET.
var (
	sentWords = []string{
		"sent", "delivered", "accepted", "queued", "submitted", "dispatched", "success", "successful", "successfully",
		"succeeded", "completed", "complete", "ok", "read", "received",
	}
	neutralWords = []string{
		"message", "sms", "to", "the", "by", "and", "for", "delivery", "handset", "phone", "recipient", "operator", "carrier", "network",
		"gateway",
	}
)

// goodValues are statuses of an HTTP answer that are no text.
var goodValues = []string{"200", "201", "202", "true"}

// add reads one field of an entry. A field of an entry that contradicts another one
// makes it no evidence. isStatus is false for a field of another kind.
func (s *status) add(name string, value any) (isStatus bool) {
	switch {
	case value == nil:
		return false
	case faultName().MatchString(name):
		s.isFault = s.isFault || isSet(value)
		return false // its text may be what another reader of the entry wants
	case value == false && sentName().MatchString(name):
		s.isFault = true
		return true
	case !statusName().MatchString(name):
		return false
	}
	text, isText := value.(string)
	if !isText {
		raw, _ := json.Marshal(value) // came from JSON
		text = string(raw)
		if slices.Contains(goodValues, text) {
			return true
		}
	}
	s.isFault = s.isFault || !isText || !saysSent(text)
	if s.text != "" {
		text = s.text + ", " + text
	}
	s.text = text
	return true
}

// saysSent reports whether a status says that the message was sent, and nothing else.
func saysSent(text string) bool {
	isSent := false
	for _, word := range statusWords().FindAllString(strings.ToLower(text), -1) {
		switch {
		case slices.Contains(sentWords, word):
			isSent = true
		case !slices.Contains(neutralWords, word):
			return false
		}
	}
	return isSent
}

// isSet reports whether a value says that there is something.
func isSet(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return strings.TrimSpace(v) != "" && v != "0" && !strings.EqualFold(v, "none") && !strings.EqualFold(v, "false")
	case json.Number:
		number, err := v.Float64()
		return err != nil || number != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}
