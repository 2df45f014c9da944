package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

// serveHistory answers a page of the history with the data that page returns.
func serveHistory(page func(page, perPage int) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		number, _ := strconv.Atoi(r.FormValue("page"))
		perPage, _ := strconv.Atoi(r.FormValue("per_page"))
		_, _ = fmt.Fprintf(w, `{"success":true,"data":%s}`, page(number, perPage))
	}
}

// rows is a list of perPage entries of a page, each with an id, a number and a status.
func rows(page, perPage int) string {
	var list []string
	for i := range perPage {
		list = append(list, fmt.Sprintf(`{"id":"%d-%d","to":"25670000001%d","status":"SENT"}`, page, i, i%10))
	}
	return `{"items":[` + strings.Join(list, ",") + `]}`
}

func search(t *testing.T, answer http.HandlerFunc, f HistoryFilter, page, perPage int64) (HistoryMatches, error) {
	t.Helper()
	req := client.HistoryRequest{WalletID: "w", Page: page, PerPage: perPage}
	return newTestGuard(t, answer).SearchHistory(t.Context(), req, f)
}

func TestSearchHistory_Pages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages                int // that exist; the last is short
		first, perPage       int64
		entries, read, last  int
		complete, isNotRead3 bool
	}{
		"a short first page ends it":      {pages: 1, perPage: 10, read: 1, last: 1, complete: true},
		"a short page ends it":            {pages: 3, perPage: 10, entries: 2, read: 3, last: 3, complete: true},
		"ten pages at most":               {pages: 50, perPage: 10, entries: 10, read: 10, last: 10},
		"from a later page":               {pages: 50, first: 11, perPage: 20, entries: 20, read: 10, last: 20},
		"a hundred entries where not set": {pages: 2, entries: 10, read: 2, last: 2, complete: true},
		"a page that fails ends it":       {pages: 50, perPage: 10, entries: 2, read: 2, last: 2, isNotRead3: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			history := serveHistory(func(page, perPage int) string {
				if page >= c.pages {
					return `{"items":[]}`
				}
				return rows(page, perPage)
			})
			found, err := search(t, func(w http.ResponseWriter, r *http.Request) {
				if c.isNotRead3 && r.FormValue("page") == "3" {
					respondWith(403, "wallet_forbidden")(w, r)
					return
				}
				history(w, r)
			}, HistoryFilter{PhoneNumber: "0700 000 013"}, c.first, c.perPage)
			if err != nil || !found.Recognized || len(found.Entries) != c.entries || found.PagesRead != c.read ||
				found.LastPage != c.last || found.Complete != c.complete || (found.Failure != nil) != c.isNotRead3 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

// Entries are found in any of the usual shapes, and come back as they were.
func TestSearchHistory_Shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ data, want string }{
		{
			`[{"phone":"0700000010","status":"sent"},{"phone":"0700000011","status":"sent"}]`,
			`{"phone":"0700000010","status":"sent"}`,
		},
		{
			`{"rows":[{"msisdn":256700000010,"state":"Sent","n":1.50}]}`,
			`{"msisdn":256700000010,"state":"Sent","n":1.50}`,
		},
		{
			`{"page":{"items":[{"recipient":"+256 700 000 010","status":"SENT"}]}}`,
			`{"recipient":"+256 700 000 010","status":"SENT"}`,
		},
		{
			`{"items":[{"recipients":["0700000011","0700000010"],"status":"SENT"}]}`,
			`{"recipients":["0700000011","0700000010"],"status":"SENT"}`,
		},
		{
			`{"items":[{"status":"SENT","messages":[{"to":"0700000010"}]}]}`,
			`{"status":"SENT","messages":[{"to":"0700000010"}]}`,
		},
		{`{"items":[{"messages":[{"to":"0700000010","status":"failed"},{"to":"0700000011","status":"sent"}]}]}`, ""},
		{`{"items":[{"from":"0700000010","to":"0700000011","status":"sent"}]}`, ""},
		{`{"items":[{"to":"0700000010","status":"unsent"}]}`, ""},
		{`{"items":[]}`, ""},
	} {
		filter := HistoryFilter{PhoneNumber: "+256700000010", Status: "sent"}
		found, err := search(t, serveHistory(func(int, int) string { return c.data }), filter, 0, 0)
		var got []string
		for _, entry := range found.Entries {
			got = append(got, string(entry))
		}
		if err != nil || !found.Recognized || strings.Join(got, ";") != c.want || !found.Complete {
			t.Errorf("%s: %q, %+v, %v", c.data, got, found, err)
		}
	}
}

// A list that cannot be searched is said, and its page comes back as it is.
func TestSearchHistory_NotRecognized(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"a":[{"to":"0700000010"}],"b":[{"to":"0700000010"}]}`, `["x"]`, `{}`, `null`, `"text"`,
		`{"items":[{"to":"+25670****010"}]}`, `{"items":[{"text":"Hi"}]}`,
	} {
		filter := HistoryFilter{PhoneNumber: "0700000010"}
		found, err := search(t, serveHistory(func(int, int) string { return data }), filter, 2, 0)
		if err != nil || found.Recognized || found.Complete || found.LastPage != 2 || string(found.Last.Data) != data {
			t.Errorf("%s: %+v, %v", data, found, err)
		}
	}
}

// A server that answers the same page for every number is not counted ten times, and
// an entry that moves to the next page is counted once.
func TestSearchHistory_SameEntriesAgain(t *testing.T) {
	t.Parallel()
	filter := HistoryFilter{Status: "sent"}
	found, err := search(t, serveHistory(func(_, perPage int) string { return rows(1, perPage) }), filter, 0, 5)
	if err != nil || len(found.Entries) != 5 || found.PagesRead != 1 || found.Complete {
		t.Errorf("%+v, %v", found, err)
	}
	moved := []string{`[{"id":2,"status":"sent"},{"id":1,"status":"sent"}]`, `[{"id":1,"status":"sent"}]`}
	found, err = search(t, serveHistory(func(page, _ int) string { return moved[page-1] }), filter, 0, 2)
	if err != nil || len(found.Entries) != 2 || !found.Complete {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestSearchHistory_WrongNumber(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"12", "0700000010, 0700000011", "Sarah"} {
		_, err := search(t, dropConnection, HistoryFilter{PhoneNumber: number}, 0, 0)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != CodeInvalidArguments || !strings.Contains(e.Message, "phone_number: ") {
			t.Errorf("%s: %v", number, err)
		}
	}
}

func TestSearchHistory_Progress(t *testing.T) {
	t.Parallel()
	var told []string
	ctx := WithProgress(t.Context(), func(text string, now bool) { told = append(told, fmt.Sprint(text, now)) })
	answer := serveHistory(func(page, _ int) string { return rows(page, 3-page) })
	g := newTestGuard(t, answer)
	_, err := g.SearchHistory(ctx, client.HistoryRequest{WalletID: "w", PerPage: 2}, HistoryFilter{Status: "SENT"})
	want := []string{"Reading page 1 of the history.false", "Reading page 2 of the history.true"}
	if err != nil || !slices.Equal(told, want) {
		t.Errorf("%q, %v", told, err)
	}
}

// The fields of a page are other people's: no depth or shape of them stops the server.
func FuzzFindEntries(f *testing.F) {
	f.Add(`{"items":[{"to":"0700000010","status":"x"}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		entries, ok := FindEntries(json.RawMessage(data))
		if !ok && entries != nil && len(entries) == 0 {
			t.Error("entries that are not recognised")
		}
		filter := entryFilter{e164: "+256700000010", status: "x", countries: []string{ugandaCode}}
		if matches, _ := filter.pick(entries); len(matches) > len(entries) {
			t.Error("more matches than entries")
		}
	})
}
