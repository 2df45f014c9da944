package guard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// groupList is an answer with the groups of a wallet. No document shows its shape.
type groupList struct {
	data any
	meta map[string]any // members of the answer next to data
	// hasNextPage is true if the answer's headers name a further page.
	hasNextPage bool
}

// listedGroup is one group of the list.
type listedGroup struct{ id, title string }

func parseGroupList(response *client.Response) groupList {
	l := groupList{data: decodeJSON(response.Data), meta: map[string]any{}, hasNextPage: response.HasNextPage}
	for name, raw := range response.Meta {
		l.meta[name] = decodeJSON(raw)
	}
	return l
}

// decodeJSON keeps numbers as they were written; nil if it is not JSON.
func decodeJSON(raw json.RawMessage) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil
	}
	return value
}

// find returns the objects with the id, wherever they are.
func (l groupList) find(id string) (matches []map[string]any) {
	walkObjects(l.data, func(object map[string]any) (descend bool) {
		for _, name := range groupIDNames {
			if anyText(object[name]) == id {
				matches = append(matches, object)
				return false
			}
		}
		return true
	})
	return matches
}

var (
	groupIDNames    = []string{"id", "_id", "groupId", "group_id"}
	groupTitleNames = []string{"title", "name"}
)

// groups are the groups of the list, if it can be read: one list of objects that
// all have an id.
func (l groupList) groups() (groups []listedGroup, readable bool) {
	var lists [][]any
	collectLists(l.data, &lists)
	slices.SortFunc(lists, func(a, b []any) int { return cmp.Compare(len(b), len(a)) })
	if len(lists) == 0 || len(lists) > 1 && len(lists[1]) > 0 {
		return nil, false
	}
	for _, entry := range lists[0] {
		object, _ := entry.(map[string]any)
		group := listedGroup{firstText(object, groupIDNames), firstText(object, groupTitleNames)}
		if group.id == "" {
			return nil, false
		}
		groups = append(groups, group)
	}
	return groups, true
}

// collectLists collects the lists of a value that are not in another list.
func collectLists(value any, lists *[][]any) {
	switch v := value.(type) {
	case []any:
		*lists = append(*lists, v)
	case map[string]any:
		for _, inner := range v {
			collectLists(inner, lists)
		}
	}
}

// isCertainlyMissing reports whether the list shows that no group has the id: it can be read, nothing
// says that it is only a part, and the id is not in it, except as a title.
func (l groupList) isCertainlyMissing(id string) (lacks bool, groups []listedGroup) {
	groups, readable := l.groups()
	if !readable || l.isPartial(len(groups)) {
		return false, nil
	}
	found := false
	walkObjects(l.data, func(object map[string]any) (descend bool) {
		for name, value := range object {
			isID := name == id || anyText(value) == id && !slices.Contains(groupTitleNames, name) && name != "description"
			found = found || isID
		}
		return true
	})
	return !found, groups
}

// isSet reports whether a value is set: not empty, zero, false or null.
func isSet(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != "" && v != "0" && v != "false"
	case json.Number:
		number, err := v.Float64()
		return err != nil || number != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		for _, inner := range v {
			if isSet(inner) {
				return true
			}
		}
	}
	return false
}

// wholeNumber is a whole number, also one in a string.
func wholeNumber(value any) (number int64, ok bool) {
	number, err := strconv.ParseInt(anyText(value), 10, 64)
	return number, err == nil
}

// anyText is a string, or a number as it was written; otherwise "".
func anyText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func firstText(object map[string]any, names []string) string {
	for _, name := range names {
		if text := anyText(object[name]); text != "" {
			return text
		}
	}
	return ""
}

// walkObjects visits every object in a JSON value, and what is in it where visit
// says so.
func walkObjects(value any, visit func(map[string]any) (descend bool)) {
	switch v := value.(type) {
	case map[string]any:
		if visit(v) {
			for _, inner := range v {
				walkObjects(inner, visit)
			}
		}
	case []any:
		for _, inner := range v {
			walkObjects(inner, visit)
		}
	}
}

// maxSuggestedGroups is how many groups an error suggests.
const maxSuggestedGroups = 3

// suggestGroups names the groups whose title or id is closest to what was given as
// an id, such as: did you mean g7 ("Choir")?
func suggestGroups(id string, groups []listedGroup) string {
	if len(groups) == 0 {
		return "the wallet has no groups"
	}
	type candidate struct {
		listedGroup
		distance int
	}
	candidates := make([]candidate, len(groups))
	for i, g := range groups {
		candidates[i] = candidate{g, min(nameDistance(id, g.id), nameDistance(id, g.title))}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range candidates[:min(len(candidates), maxSuggestedGroups)] {
		if candidates[0].distance == 0 && c.distance > 0 {
			break
		}
		names = append(names, c.String())
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// String is the id, and the title in parentheses.
func (g listedGroup) String() string {
	text := sanitize.Truncate(sanitize.Text(g.id), maxQuotedRunes)
	if g.title != "" {
		text += fmt.Sprintf(" (%q)", sanitize.Truncate(sanitize.Text(g.title), maxQuotedRunes))
	}
	return text
}

// nameDistance returns how much two folded names differ; 0 if they are the same.
func nameDistance(a, b string) int {
	a, b = fold.Message(sanitize.Truncate(a, maxQuotedRunes)), fold.Message(sanitize.Truncate(b, maxQuotedRunes))
	a, b = strings.ToLower(a), strings.ToLower(b)
	distance := sanitize.EditDistance(a, b)
	if a != "" && b != "" && (strings.Contains(a, b) || strings.Contains(b, a)) {
		distance = min(distance, 1)
	}
	return distance
}

// splitWords splits a field's name at a change of case and at what is neither a
// letter nor a digit, in lower case: contactCount is contact, count.
func splitWords(name string) []string {
	var spaced strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		case i == 0 || !unicode.IsUpper(r):
		case !unicode.IsUpper(runes[i-1]), beginsWord(runes[i:]):
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(r)
	}
	return strings.Fields(strings.ToLower(spaced.String()))
}

// beginsWord reports whether a capital after another one begins a word, as C in
// SMSCount does. The s of IDs belongs to the capitals.
func beginsWord(runes []rune) bool {
	isLower := func(i int) bool { return i < len(runes) && unicode.IsLower(runes[i]) }
	return isLower(1) && (runes[1] != 's' || isLower(2))
}

func singular(word string) string { return strings.TrimSuffix(word, "s") }
