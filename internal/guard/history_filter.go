package guard

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// entryFilter says which entries of the history are wanted.
type entryFilter struct {
	e164      string // "" is any
	status    string // "" is any
	countries []string
}

func (g *Guard) newEntryFilter(filter HistoryFilter) (entryFilter, error) {
	f := entryFilter{status: strings.TrimSpace(filter.Status), countries: g.options.Countries}
	if strings.TrimSpace(filter.PhoneNumber) == "" {
		return f, nil
	}
	phones := parseNumbers([]string{filter.PhoneNumber}, g.options.Countries)
	switch {
	case len(phones.rejected) > 0:
		return f, NewError(CodeInvalidArguments, "Nothing was read. "+sanitize.JoinProblems(phones.problems("phone_number")))
	case len(phones.e164) != 1:
		return f, NewError(CodeInvalidArguments, "Nothing was read. phone_number: must be one phone number")
	}
	f.e164 = phones.e164[0]
	return f, nil
}

// pick returns the entries that fit, as they came. readable is true if an entry has
// every kind of field that the filter is about.
func (f entryFilter) pick(entries []json.RawMessage) (matches []json.RawMessage, readable bool) {
	for _, raw := range entries {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var value map[string]any
		if decoder.Decode(&value) != nil {
			continue
		}
		seen := entryFields{phoneFits: f.e164 == "", statusFits: f.status == ""}
		fits := f.fits(value, &seen, maxListDepth)
		readable = readable || (seen.hasPhone || f.e164 == "") && (seen.hasStatus || f.status == "")
		if fits {
			matches = append(matches, raw)
		}
	}
	return matches, readable
}

// entryFields is what an object, and the objects around it, say. The has fields are
// about all objects of the entry.
type entryFields struct{ phoneFits, statusFits, hasPhone, hasStatus bool }

var (
	entryPhoneName  = lazyregexp.New(`(?i)phone|recipient|msisdn|mobile|number|^to$`)
	entrySenderName = lazyregexp.New(`(?i)sender|from|short`)
	entryStatusName = lazyregexp.New(`(?i)^(delivery|message|sms)?_?(status|state)$`)
)

// fits reports whether an object, or one inside it, fits. What an object does not say,
// the objects around it say.
func (f entryFilter) fits(object map[string]any, seen *entryFields, depth int) bool {
	own := *seen
	var inner []map[string]any
	var phones []string
	for name, value := range object {
		text, isText := value.(string)
		switch {
		case isText && entryStatusName().MatchString(name):
			own.statusFits, seen.hasStatus = f.status == "" || strings.EqualFold(strings.TrimSpace(text), f.status), true
		case entryPhoneName().MatchString(name) && !entrySenderName().MatchString(name):
			phones = append(phones, f.phonesIn(value)...)
		}
		inner = append(inner, objectsIn(value)...)
	}
	if len(phones) > 0 {
		own.phoneFits, seen.hasPhone = f.e164 == "" || slices.Contains(phones, f.e164), true
	}
	found := own.phoneFits && own.statusFits
	for _, each := range inner {
		if depth == 0 {
			break
		}
		below := own
		found = f.fits(each, &below, depth-1) || found
		seen.hasPhone, seen.hasStatus = seen.hasPhone || below.hasPhone, seen.hasStatus || below.hasStatus
	}
	return found
}

// phonesIn reads the numbers of a field in E.164: one, or a list of them.
func (f entryFilter) phonesIn(value any) (phones []string) {
	switch v := value.(type) {
	case []any:
		for _, each := range v {
			phones = append(phones, f.phonesIn(each)...)
		}
		return phones
	case json.Number:
		value = v.String()
	}
	text, _ := value.(string)
	if text = strings.TrimSpace(text); len(text) < 9 || len(text) > 400 {
		return nil
	}
	return parseNumbers([]string{text}, f.countries).e164
}

// objectsIn are the objects that a value is, or that a list has.
func objectsIn(value any) (objects []map[string]any) {
	switch v := value.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		for _, each := range v {
			if object, ok := each.(map[string]any); ok {
				objects = append(objects, object)
			}
		}
	}
	return objects
}
