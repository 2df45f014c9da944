package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestGroupSize(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{
		`{"groups":[{"id":"g","contact_count":3}]}`:                   3,
		`[{"id":"h","contactCount":1},{"id":"g","contactCount":2}]`:   2,
		`{"data":{"items":[{"_id":"g","_count":{"contacts":7}}]}}`:    7,
		`[{"groupId":"g","contacts":[{"phone":"x"},{"phone":"y"}]}]`:  -1, // the list may be incomplete
		`[{"id":"g","contacts":4}]`:                                   4,
		`[{"id":"g","contact_count":0}]`:                              0,
		`[{"id":"g","members":3}]`:                                    -1,
		`[{"id":"g","contact_count":"3"}]`:                            -1,
		`[{"id":"g","contact_count":2.5}]`:                            -1,
		`[{"id":"g","contact_count":-1}]`:                             -1,
		`[{"id":"h","contact_count":3}]`:                              -1,
		`[{"id":"g","contact_count":3},{"id":"g","contact_count":4}]`: -1,
		`"g"`: -1, `nonsense`: -1, `null`: -1,
	} {
		size, _, known := groupSize([]byte(raw), "g")
		if known != (want >= 0) || known && size != want {
			t.Errorf("%s: %d, %v", raw, size, known)
		}
	}
}

func TestGroup_Empty(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	groups := mutableBody(groupsBody(0))
	env.setResponse("/groups", groups)
	env.expectError(CodeInvalidArguments)(env.sendGroup("Hi", SpendOptions{})).says("no contacts")
}

// A group may grow before the user answers.
func TestGroup_RereadAfterConfirm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		code string
	}{
		"the group grew":                 {11, CodeConfirmationRequired},
		"the group grew above the limit": {1001, CodeLimitExceeded},
		"the group kept its size":        {10, ""},
		"the group shrank":               {9, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
			groups := mutableBody(groupsBody(10))
			env.setResponse("/groups", groups)
			ask := func(_ context.Context, question string) (Answer, error) {
				if !strings.Contains(question, "the 10 contacts of the group") || !strings.Contains(question, "UGX 350") {
					t.Error(question)
				}
				groups.Store(groupsBody(c.size))
				return AnswerYes, nil
			}
			send := func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{Elicit: ask}) }
			if c.code != "" {
				env.expectError(c.code)(send())
				return
			}
			if got := env.expectOK(send()); got.Quote.Recipients != c.size || got.BudgetRemaining != 100_000-int64(c.size)*35 {
				t.Errorf("%+v, %d left", got.Quote, got.BudgetRemaining)
			}
		})
	}
}

// If a group's size is unknown, the wallet's whole balance counts as the cost.
func TestGroup_UnknownSizeCost(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 900, func(o *Options) { o.Limits.PerDay = 1000 })
	env.setResponse("/groups", mutableBody(`{"success":true,"data":[{"name":"Customers"}]}`))
	if q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote; q.TotalUGX != 900 || len(q.Notes) != 2 {
		t.Errorf("%+v", q)
	}
	env.expectOK(env.sendGroup("Hi", SpendOptions{}))
	env.expectError(CodeLimitExceeded)(env.sendGroup("Ho", SpendOptions{}))
}

// The length of a list of contacts is no size: the list may be incomplete.
func TestGroup_UnknownSizeRecipients(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 900, func(o *Options) { o.Confirm, o.Limits.Recipients = ConfirmOff, 25 })
	groups := mutableBody(fmt.Sprintf(`{"data":[{"id":%q,"contacts":[]}]}`, sandbox.GroupID))
	env.setResponse("/groups", groups)
	env.expectError(CodeLimitExceeded)(env.sendGroup("Hi", SpendOptions{})).says("WESENDALL_MAX_RECIPIENTS")
	env.options.Limits.Recipients = 26 // UGX 900 pays for 25.7 messages
	env.restart()
	env.expectOK(env.sendGroup("Hi", SpendOptions{}))
}
