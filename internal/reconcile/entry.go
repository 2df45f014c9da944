package reconcile

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
)

// entry is one message of the history, as far as it can be read. The history's form is
// not documented: any object counts that has something like a message, and the phone
// numbers in it or in the objects inside.
type entry struct {
	phone  string    // in E.164; "" if none can be read
	texts  []string  // what may be the message
	at     time.Time // the earliest time of the entry; zero if none can be read
	status status
	key    string // equal for the same entry on two pages
}

// maxDepth is how deeply nested objects are read.
const maxDepth = 16

// readEntries finds the messages in a page of the history, in its order.
func readEntries(page json.RawMessage) []entry {
	decoder := json.NewDecoder(strings.NewReader(string(page)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	return readValue(value, entry{}, maxDepth)
}

// readValue finds the messages in a value. outer is what the objects around it say.
func readValue(value any, outer entry, depth int) (entries []entry) {
	if depth == 0 {
		return nil
	}
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			entries = append(entries, readValue(inner, outer, depth-1)...)
		}
	case map[string]any:
		own, phones := readObject(v, outer)
		raw, _ := json.Marshal(v) // came from JSON
		own.key = string(raw)
		for _, phone := range phones {
			e := own
			e.phone, e.key = phone, own.key+phone
			entries = append(entries, e)
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, readValue(v[name], own, depth-1)...)
		}
		if len(entries) == 0 && hasMessage(v) {
			entries = append(entries, own)
		}
	}
	return entries
}

var (
	messageName = lazyregexp.New(`(?i)message|text|body|content`)
	phoneName   = lazyregexp.New(`(?i)phone|recipient|msisdn|mobile|number|^to$`)
	senderName  = lazyregexp.New(`(?i)sender|from`)
	timeName    = lazyregexp.New(`(?i)time|date|created|_at$|At$`)
)

// readObject reads an object's own fields. What it does not say, outer says.
func readObject(object map[string]any, outer entry) (own entry, phones []string) {
	own = outer
	own.status.text = ""
	var texts, others []string
	var earliest time.Time
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		isStatus := own.status.add(name, value)
		if at, ok := readTime(name, value); ok {
			if earliest.IsZero() || at.Before(earliest) {
				earliest = at
			}
			continue
		}
		if found := readPhones(name, value); len(found) > 0 {
			phones = append(phones, found...)
			continue
		}
		text, isText := value.(string)
		switch {
		case !isText:
		case messageName().MatchString(name):
			texts = append(texts, text)
		case isStatus:
		default:
			others = append(others, text)
		}
	}
	if own.status.text == "" {
		own.status.text = outer.status.text
	}
	if !earliest.IsZero() {
		own.at = earliest
	}
	switch {
	case len(texts) > 0:
		own.texts = texts
	case len(outer.texts) == 0:
		own.texts = others
	}
	return own, phones
}

func hasMessage(object map[string]any) bool {
	for name, value := range object {
		if _, isText := value.(string); isText && messageName().MatchString(name) {
			return true
		}
	}
	return false
}

// phonePattern matches what may be a phone number and nothing else.
var phonePattern = lazyregexp.New(`^\+?[0-9][0-9 ()-]{7,20}$`)

// readPhones reads the numbers of a field: one, or a list of them.
func readPhones(name string, value any) (phones []string) {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			if _, isObject := inner.(map[string]any); !isObject && phoneName().MatchString(name) {
				phones = append(phones, readPhones(name, inner)...)
			}
		}
		return phones
	case json.Number:
		if !phoneName().MatchString(name) {
			return nil
		}
		value = v.String()
	}
	text, _ := value.(string)
	text = strings.TrimSpace(text)
	if senderName().MatchString(name) || messageName().MatchString(name) || !phonePattern().MatchString(text) {
		return nil
	}
	number, err := phonenumbers.Parse(text, "UG")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return nil
	}
	return []string{phonenumbers.Format(number, phonenumbers.E164)}
}

// readTime reads a time with a zone, or one in Unix seconds or milliseconds.
func readTime(name string, value any) (time.Time, bool) {
	if !timeName().MatchString(name) {
		return time.Time{}, false
	}
	switch v := value.(type) {
	case string:
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
			if at, err := time.Parse(layout, v); err == nil {
				return at, true
			}
		}
	case json.Number:
		n, err := v.Int64()
		switch {
		case err != nil:
		case n > 1e9 && n < 1e10:
			return time.Unix(n, 0), true
		case n > 1e12 && n < 1e13:
			return time.UnixMilli(n), true
		}
	}
	return time.Time{}, false
}
