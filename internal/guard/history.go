package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
)

// HistoryFilter says which entries of the history are wanted; "" is any.
type HistoryFilter struct{ PhoneNumber, Status string }

// HistoryMatches are the entries that a search found. Its form is not documented, so
// entries are recognised by what their fields look like.
type HistoryMatches struct {
	Last       *client.Response // the last page that was read
	Recognized bool             // false: the first page, Last, cannot be searched
	Entries    []json.RawMessage
	PagesRead  int
	LastPage   int
	Complete   bool  // the end of the history was read
	Failure    error // that ended the search early; nil if none did
}

const (
	maxSearchPages = 10
	searchPerPage  = 100 // the most that Wesendall allows
)

// SearchHistory reads up to ten pages of the history, from the page of the request,
// and returns the entries that fit the filter.
func (g *Guard) SearchHistory(
	ctx context.Context, req client.HistoryRequest, filter HistoryFilter,
) (HistoryMatches, error) {
	wanted, err := g.newEntryFilter(filter)
	if err != nil {
		return HistoryMatches{}, err
	}
	if req.PerPage == 0 {
		req.PerPage = searchPerPage
	}
	req.Page = max(req.Page, 1)
	found := HistoryMatches{Recognized: true, Entries: []json.RawMessage{}}
	previous, seen := "", map[string]bool{}
	for ; found.PagesRead < maxSearchPages && !found.Complete; req.Page++ {
		reportProgress(ctx, fmt.Sprintf("Reading page %d of the history.", req.Page), found.PagesRead > 0)
		response, err := g.History(ctx, req)
		if err != nil && found.PagesRead == 0 {
			return HistoryMatches{}, err
		}
		if err != nil {
			found.Failure = err
			return found, nil
		}
		entries, ok := FindEntries(response.Data)
		matches, readable := wanted.pick(entries)
		ok = ok && (readable || len(entries) == 0)
		if !ok || len(entries) > 0 && string(response.Data) == previous { // or the page is ignored
			if found.PagesRead == 0 {
				found.Last, found.Recognized, found.PagesRead, found.LastPage = response, false, 1, int(req.Page)
			}
			return found, nil
		}
		previous = string(response.Data)
		found.Entries = append(found.Entries, dropSeen(matches, seen)...)
		found.Last, found.LastPage = response, int(req.Page)
		found.PagesRead++
		found.Complete = isLastPage(response.Data, len(entries), int(req.PerPage))
	}
	return found, nil
}

// dropSeen removes entries with an id that an earlier page had: what is sent during a
// search moves others to the next page.
func dropSeen(entries []json.RawMessage, seen map[string]bool) []json.RawMessage {
	return slices.DeleteFunc(entries, func(raw json.RawMessage) bool {
		var entry struct{ ID any }
		if json.Unmarshal(raw, &entry) != nil || entry.ID == nil {
			return false
		}
		again := seen[string(raw)]
		seen[string(raw)] = true
		return again
	})
}

// isLastPage reports whether a page has fewer entries than were asked for, and also
// fewer than it says itself that a page has.
func isLastPage(data json.RawMessage, entries, perPage int) bool {
	var told struct {
		PerPage any `json:"per_page"`
	}
	if json.Unmarshal(data, &told) == nil {
		if n, ok := told.PerPage.(float64); ok && n >= 1 && n < float64(perPage) {
			perPage = int(n)
		}
	}
	return entries < perPage
}

// listNames are the usual names of a list of messages.
var listNames = []string{"messages", "items", "history", "entries", "results", "records", "data", "sms"}

// maxListDepth is how deeply a list is looked for.
const maxListDepth = 3

// FindEntries finds the list of objects in a page. ok is false where there is none, or
// more than one that could be it.
func FindEntries(data json.RawMessage) (entries []json.RawMessage, ok bool) {
	return findEntries(data, maxListDepth)
}

func findEntries(data json.RawMessage, depth int) (entries []json.RawMessage, ok bool) {
	if list, isList := objectList(data); isList {
		return list, true
	}
	var fields map[string]json.RawMessage
	if depth == 0 || json.Unmarshal(data, &fields) != nil {
		return nil, false
	}
	for _, name := range listNames {
		if list, isList := objectList(fields[name]); isList {
			return list, true
		}
	}
	found := 0
	for _, value := range fields {
		if list, isList := findEntries(value, depth-1); isList {
			entries = list
			found++
		}
	}
	return entries, found == 1
}

// objectList reads a JSON array that has objects only.
func objectList(raw json.RawMessage) (list []json.RawMessage, ok bool) {
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, false
	}
	isObject := func(item json.RawMessage) bool { return item[0] == '{' }
	return list, !slices.ContainsFunc(list, func(item json.RawMessage) bool { return !isObject(item) })
}
