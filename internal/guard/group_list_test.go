package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

const groups = `"groups":[{"id":"a","title":"Choir"},{"id":"b","title":"Club"}]`

// groupLists are answers, and whether they certainly have no group g7.
var groupLists = map[string]bool{
	`{"data":[]}`:                                                   true,
	`{"data":{"groups":[]}}`:                                        true,
	`{"data":[{"id":"a"},{"id":"b"}]}`:                              true,
	`{"data":{"items":[{"_id":"a","title":"g7"}]}}`:                 true,
	`{"data":[{"id":7,"name":"g7"}]}`:                               true,
	`{"data":{` + groups + `}}`:                                     true,
	`{"data":{` + groups + `,"total":2}}`:                           true,
	`{"data":{` + groups + `,"total":3}}`:                           false,
	`{"data":{` + groups + `,"total":"3"}}`:                         false,
	`{"data":{` + groups + `,"totalCount":3}}`:                      false,
	`{"data":{` + groups + `,"total_contacts":300}}`:                true,
	`{"data":{` + groups + `,"page":1}}`:                            true,
	`{"data":{` + groups + `,"page":2}}`:                            false,
	`{"data":{` + groups + `,"pages":1}}`:                           true,
	`{"data":{` + groups + `,"totalPages":2}}`:                      false,
	`{"data":{` + groups + `,"last_page":"4"}}`:                     false,
	`{"data":{` + groups + `,"next":null}}`:                         true,
	`{"data":{` + groups + `,"next":""}}`:                           true,
	`{"data":{` + groups + `,"next":"/groups?p=2"}}`:                false,
	`{"data":{` + groups + `,"next_page":2}}`:                       false,
	`{"data":{` + groups + `,"links":{"next":null}}}`:               true,
	`{"data":{` + groups + `,"links":{"next":"x"}}}`:                false,
	`{"data":{` + groups + `,"has_more":false}}`:                    true,
	`{"data":{` + groups + `,"hasMore":true}}`:                      false,
	`{"data":{` + groups + `,"cursor":"abc"}}`:                      false,
	`{"data":{` + groups + `,"nextCursor":null}}`:                   true,
	`{"data":{` + groups + `,"truncated":true}}`:                    false,
	`{"data":{` + groups + `,"offset":0}}`:                          true,
	`{"data":{` + groups + `,"offset":20}}`:                         false,
	`{"data":{` + groups + `,"limit":20}}`:                          true,
	`{"data":{` + groups + `,"limit":2}}`:                           false,
	`{"data":{` + groups + `,"count":2,"limit":2}}`:                 false,
	`{"data":{` + groups + `,"per_page":2,"total":2}}`:              true,
	`{"data":{` + groups + `,"page_size":2,"has_more":false}}`:      true,
	`{"data":{` + groups + `},"meta":{"pagination":{"total":9}}}`:   false,
	`{"data":[{"id":"a"}],"meta":{"page":1,"total":1}}`:             true,
	`{"data":[{"id":"a"}],"next":"x"}`:                              false,
	`{"data":[{"id":"a","contacts":{"total":50,"has_more":true}}]}`: true, // of the contacts
	`{"data":[{"name":"Choir"}]}`:                                   false,
	`{"data":[{"id":"a"},{"name":"Choir"}]}`:                        false,
	`{"data":[{"id":"a","uuid":"g7"}]}`:                             false,
	`{"data":[{"id":"a"},"g7"]}`:                                    false,
	`{"data":{"groups":[{"id":"a"}],"archived":[{"id":"b"}]}}`:      false,
	`{"data":{"groups":[{"id":"a"}],"errors":[]}}`:                  true,
	// Signs of a further page, or of other groups.
	`{"data":{` + groups + `,"isLastPage":false}}`:                     false,
	`{"data":{` + groups + `,"isLastPage":"false"}}`:                   false,
	`{"data":{` + groups + `,"isLastPage":0}}`:                         false,
	`{"data":{` + groups + `,"isLastPage":true}}`:                      true,
	`{"data":{` + groups + `,"last":false}}`:                           false,
	`{"data":{` + groups + `,"first":true,"last":true}}`:               true,
	`{"data":{` + groups + `,"first":false}}`:                          false,
	`{"data":{` + groups + `,"complete":false}}`:                       false,
	`{"data":{` + groups + `,"complete":true}}`:                        true,
	`{"data":{` + groups + `,"paginated":true}}`:                       false,
	`{"data":{` + groups + `,"LastEvaluatedKey":{"id":{"S":"b"}}}}`:    false,
	`{"data":{` + groups + `,"LastEvaluatedKey":{"n":1}}}`:             false,
	`{"data":{` + groups + `,"LastEvaluatedKey":null}}`:                true,
	`{"data":{` + groups + `,"continuationToken":"abc"}}`:              false,
	`{"data":{` + groups + `,"continuation_token":7}}`:                 false,
	`{"data":{` + groups + `,"after":"b"}}`:                            false,
	`{"data":{` + groups + `,"after":2}}`:                              false,
	`{"data":{` + groups + `,"remaining":30}}`:                         false,
	`{"data":{` + groups + `,"remaining":0}}`:                          true,
	`{"data":{` + groups + `,"last":3}}`:                               false,
	`{"data":{` + groups + `,"groupCount":30}}`:                        false,
	`{"data":{` + groups + `,"x":"abc"}}`:                              false,
	`{"data":{` + groups + `,"x":""}}`:                                 true,
	`{"data":{` + groups + `,"active":false}}`:                         true,
	`{"data":{` + groups + `,"wallet_id":"wal_1"}}`:                    true,
	`{"data":[{"id":"a"}],"status":"success"}`:                         true,
	`{"data":[{"id":"a"}],"remaining":30}`:                             false,
	`{"data":[{"id":"a"}],"meta":{"pagination":{"isLastPage":false}}}`: false,
	`{"data":[{"id":"a"}],"archived":[{"id":"b"}]}`:                    false,
	`{"data":[{"id":"a"}],"others":{"b":{"title":"Club"}}}`:            false,
	`{"data":{` + groups + `,"archived":{"c":{"title":"Parents"}}}}`:   false,
	`{"data":{` + groups + `,"archived":{"c":{"members":3}}}}`:         false,
	`{"data":{` + groups + `,"archived":{}}}`:                          true,
	`{"data":{"groups":{"c":{"members":3,"contacts":[]}}}}`:            false,
	`{"data":{"g7":{"members":3,"contacts":[]}}}`:                      false,
	`{"data":{"result":{` + groups + `}}}`:                             true,
	`{"data":` + listOfGroups(10) + `}`:                                false,
	`{"data":` + listOfGroups(20) + `}`:                                false,
	`{"data":` + listOfGroups(25) + `}`:                                false,
	`{"data":` + listOfGroups(50) + `}`:                                false,
	`{"data":` + listOfGroups(100) + `}`:                               false,
	`{"data":` + listOfGroups(11) + `}`:                                true,
	`{"data":` + listOfGroups(10) + `,"total":10}`:                     true,
	`{"data":` + listOfGroups(10) + `,"has_more":false}`:               true,
	`{"data":` + listOfGroups(10) + `,"limit":20}`:                     false,
	`{"data":"g7"}`:                     false,
	`{"data":null}`:                     false,
	`{"data":{}}`:                       false,
	`{"data":{"g7":{"title":"Choir"}}}`: false,
}

// An id that a whole list does not have is no group. Where the list may be a part,
// or cannot be read, nobody knows.
func TestGroupList_Lacks(t *testing.T) {
	t.Parallel()
	for raw, want := range groupLists {
		var body map[string]json.RawMessage
		if err := json.Unmarshal([]byte(raw), &body); err != nil {
			t.Fatal(raw, err)
		}
		data := body["data"]
		delete(body, "data")
		list := parseGroupList(&client.Response{Data: data, Meta: body})
		if len(list.find("g7")) > 0 {
			t.Errorf("%s: found", raw)
		}
		if got, _ := list.isCertainlyMissing("g7"); got != want {
			t.Errorf("%s: lacks %v", raw, got)
		}
	}
}

// listOfGroups are groups with the ids x1, x2 and so on.
func listOfGroups(count int) string {
	groups := make([]string, count)
	for i := range groups {
		groups[i] = fmt.Sprintf(`{"id":"x%d"}`, i+1)
	}
	return "[" + strings.Join(groups, ",") + "]"
}

// A header may be the only sign of a further page. Then nobody knows that the group does
// not exist.
func TestGroup_LinkHeader(t *testing.T) {
	t.Parallel()
	for link, isNext := range map[string]bool{
		`<https://example.test/groups?page=2>; rel="next"`:                    true,
		`<https://example.test/groups?page=1>; rel="last", </x>; REL=Next`:    true,
		`<https://example.test/groups?page=9>; title="x"; rel="section next"`: true,
		`<https://example.test/next>; rel="prev"`:                             false,
		``: false,
	} {
		env := newTestEnv(t, 900, func(o *Options) { o.Confirm = ConfirmOff })
		env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
			if !strings.HasSuffix(r.URL.Path, "/groups") {
				pass(w)
				return
			}
			w.Header().Set("Link", link)
			_, _ = w.Write([]byte(`{"success":true,"data":[{"id":"a"}]}`))
		})
		receipt, err := env.sendGroup("Hi", SpendOptions{DryRun: true})
		if isNext {
			if q := env.expectOK(receipt, err).Quote; q.ReservedUGX != 900 {
				t.Errorf("%s: %+v", link, q)
			}
		} else {
			env.expectError(CodeInvalidArguments)(receipt, err).says("no group has this id")
		}
	}
}

func TestGroupList_Find(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		`{"groups":[{"id":"7","contact_count":3}]}`: 1,
		`[{"id":7}]`:                                                  1,
		`{"group":{"group_id":"7"}}`:                                  1,
		`[{"id":"7","contacts":[{"group_id":"7"}]}]`:                  1, // its own contacts
		`[{"id":"7","contact_count":3},{"id":"7","contact_count":4}]`: 2,
		`[{"id":"07"}]`:                                               0,
		`nonsense`:                                                    0,
	} {
		if got := parseGroupList(&client.Response{Data: json.RawMessage(raw)}).find("7"); len(got) != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}

func TestSplitWords(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"contactCount": "contact count", "contact_count": "contact count", "_count": "count", "ID": "id",
		"memberIDs": "member ids", "IDsOfMembers": "ids of members",
		"SMSStatus": "sms status", "SMSCount": "sms count", "total-members": "total members", "size2": "size2", "": "",
		"ContactTotal": "contact total",
	} {
		if got := strings.Join(splitWords(name), " "); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// The group is named by title and id, apart, and the way to it by the closest ones.
func TestGroup_NoSuchID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"Choir":    `no group has this id; did you mean g7 ("Choir")?`,
		" choir ":  `no group has this id; did you mean g7 ("Choir")?`,
		"G7":       `no group has this id; did you mean g7 ("Choir")?`,
		"Chior":    `did you mean g7 ("Choir") or g8 ("Choir of the east") or g9 ("Parents")?`,
		"g7x":      `did you mean g7 ("Choir") or`,
		"nosuch":   `did you mean g7 ("Choir")`,
		"Parent":   `did you mean g9 ("Parents") or`,
		"PARENTS!": `did you mean g9 ("Parents") or`,
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			env.setResponse("/groups", mutableBody(`{"success":true,"data":{"items":[{"id":"g7","title":"Choir"},`+
				`{"id":"g8","title":"Choir of the east"},{"id":"g9","title":"Parents"},{"id":"g10"}]}}`))
			for _, dryRun := range []bool{true, false} {
				request := sendGroupRequest("Hi")
				request.GroupID = id
				receipt, err := env.guard.SendGroup(context.Background(), request, SpendOptions{DryRun: dryRun})
				e := env.expectError(CodeInvalidArguments)(receipt, env.asGuardError(err)).says("groupId: ", want)
				if e.NextTool != client.ToolListGroups {
					t.Error(e.NextTool)
				}
			}
		})
	}
}

// A list with one group suggests it whatever was asked for.
func TestGroup_NoSuchID_FewGroups(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 60_000, nil)
	body := mutableBody(`{"success":true,"data":{"items":[{"id":"g7","title":"Choir\u200b \u202ex","memberTotal":{"active":12}}]}}`)
	env.setResponse("/groups", body)
	env.expectError(CodeInvalidArguments)(env.sendGroup("Hi", SpendOptions{})).says(`did you mean g7 ("Choir x")?`)
	body.Store(`{"success":true,"data":{"items":[]}}`)
	env.expectError(CodeInvalidArguments)(env.sendGroup("Hi", SpendOptions{})).says("the wallet has no groups")
}

func TestGroup_QuoteForTwelve(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 60_000, nil)
	env.setResponse("/groups", mutableBody(`{"success":true,"data":{"items":[{"id":"`+sandbox.GroupID+
		`","title":"Choir","memberTotal":{"active":12}}]}}`))
	q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
	if q.Recipients != 12 || q.TotalUGX != 420 || q.ReservedUGX != 0 || slices.Contains(q.Notes, "size") {
		t.Errorf("%+v", q)
	}
}

func FuzzGroupList(f *testing.F) {
	f.Add(`{"groups":[{"id":"g","contact_count":3}],"total":1}`, "g")
	f.Fuzz(func(t *testing.T, raw, id string) {
		list := parseGroupList(&client.Response{Data: json.RawMessage(raw)})
		for _, match := range list.find(id) {
			if size, known := groupSize(match); known && size < 0 {
				t.Error(size)
			}
		}
		if lacks, groups := list.isCertainlyMissing(id); lacks && len(list.find(id)) == 0 {
			_ = suggestGroups(id, groups)
		}
	})
}
