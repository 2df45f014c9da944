package guard

import (
	"slices"
	"strings"
)

// isPartial reports whether there may be more groups than the count that was listed. No
// document shows the list, so only fields that are known to mean no further page may
// stand around the groups.
func (l groupList) isPartial(count int) bool {
	hints := pageHints{count: count, fullPage: isRoundSize(count)}
	hints.read(l.data)
	hints.read(l.meta)
	var others [][]any
	collectLists(l.meta, &others)
	hints.more = hints.more || slices.ContainsFunc(others, isNotEmpty)
	return l.hasNextPage || hints.more || hints.fullPage && !hints.complete
}

func isNotEmpty(list []any) bool { return len(list) > 0 }

// isRoundSize reports whether a page that was cut may have this size.
func isRoundSize(count int) bool { return count > 0 && (count%10 == 0 || count%25 == 0) }

// pageHints says whether the fields around a list of count groups name further pages.
type pageHints struct {
	count    int
	more     bool // there may be more groups
	fullPage bool // there are as many groups as may fit
	complete bool // these are all
}

// pageContainers are names of objects around or beside a list of groups.
var pageContainers = []string{
	"data", "result", "response", "payload", "body", "group", "item", "content", "list", "record",
	"meta", "metadata", "pagination", "paging", "page", "pager", "link", "cursor", "info",
}

// read reads the fields of an object and of the objects in it. The list of the groups is
// the only one that is not empty.
func (h *pageHints) read(value any) {
	object, _ := value.(map[string]any)
	for name, value := range object {
		words := splitWords(name)
		switch v := value.(type) {
		case nil:
			h.complete = h.complete || hasWord(words, []string{"next"})
		case map[string]any:
			h.readContainer(words, v)
		case []any:
		case bool:
			h.readBool(words, v)
		default:
			if text := strings.ToLower(anyText(v)); text == "true" || text == "false" {
				h.readBool(words, text == "true")
			} else {
				h.readScalar(words, v)
			}
		}
	}
}

// readContainer reads an object. One that may be a group or a map of groups, or the key of
// the next page, says that there may be more.
func (h *pageHints) readContainer(words []string, object map[string]any) {
	var lists [][]any
	collectLists(object, &lists)
	switch {
	case len(object) == 0:
	case slices.ContainsFunc(lists, isNotEmpty), len(words) > 0 && !slices.ContainsFunc(words, isNoContainer):
		h.read(object)
	default:
		h.more = true
	}
}

func isNoContainer(word string) bool { return !slices.Contains(pageContainers, singular(word)) }

var (
	moreWords  = []string{"next", "more", "truncated", "partial", "incomplete", "prev", "previou", "remaining", "continue"}
	endWords   = []string{"last", "complete", "completed", "final", "end", "done", "finished", "exhausted", "all", "full"}
	firstWords = []string{"first", "start"}
	pageWords  = []string{"page", "paged", "paging", "paginated", "pagination", "cursor", "scroll", "limit", "limited", "cut", "token"}
)

func (h *pageHints) readBool(words []string, value bool) {
	switch {
	case hasWord(words, moreWords):
		h.more = h.more || value
		h.complete = h.complete || !value && hasWord(words, []string{"more", "next"})
	case hasWord(words, endWords):
		h.more = h.more || !value
		h.complete = h.complete || value
	case hasWord(words, firstWords):
		h.more = h.more || !value
	case hasWord(words, pageWords):
		h.more = true
	}
}

// tokenWords are in names of where the next page begins, and of what is left.
var tokenWords = []string{
	"next", "cursor", "more", "truncated", "partial", "incomplete", "offset", "skip", "prev", "previou", "remaining", "left",
	"after", "before", "token", "key", "continuation", "continue", "start", "from", "since", "marker", "anchor", "scroll",
}

// readScalar reads a number or a text. A text that is no number has no known meaning,
// except an answer's status and the wallet's id.
func (h *pageHints) readScalar(words []string, value any) {
	number, isNumber := wholeNumber(value)
	has := func(names ...string) bool { return hasWord(words, names) }
	switch {
	case hasWord(words, tokenWords):
		h.more = h.more || isSet(value)
	case !isNumber:
		isStatus := slices.Contains(words, "status") && slices.Contains(goodStatuses, strings.ToLower(anyText(value)))
		h.more = h.more || isSet(value) && !isStatus && (!has("wallet") || !has("id"))
	case has("contact", "member", "recipient", "message"):
	case has("per", "limit", "size"):
		h.fullPage = h.fullPage || number > 0 && number <= int64(h.count)
	case has("page", "last", "complete"):
		isEnd := has("last", "complete")
		h.more = h.more || number > 1 || isEnd && number == 0
		h.complete = h.complete || has("total", "last") && number == 1
	case has("total", "count", "group", "item", "element", "result", "record", "row", "found", "available"):
		h.more = h.more || number > int64(h.count)
		h.complete = h.complete || has("total") && number == int64(h.count)
	}
}

// goodStatuses are what an answer's status may be without saying anything of pages.
var goodStatuses = []string{"ok", "success"}
