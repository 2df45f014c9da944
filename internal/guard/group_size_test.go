package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestGroupSize(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]int{
		`"contact_count":3`:                               3,
		`"contactCount":2`:                                2,
		`"_count":{"contacts":7}`:                         7,
		`"contacts":4`:                                    4,
		`"contact_count":0`:                               0,
		`"members":3`:                                     3,
		`"memberTotal":{"active":12}`:                     12,
		`"recipientsCount":5,"sizes":{"now":5}`:           5,
		`"GROUP_SIZE":6`:                                  6,
		`"group-members":6`:                               6,
		`"SMSRecipients":6`:                               6,
		`"contact_count":3.0`:                             3,
		`"stats":{"contacts":{"total":9}}`:                9,
		`"contacts":[{"phone":"x"},{"phone":"y"}]`:        -1, // the list may be a part
		`"contacts":[{"size":2}]`:                         -1,
		`"contact_count":"3"`:                             -1,
		`"contact_count":2.5`:                             -1,
		`"contact_count":-1`:                              -1,
		`"contact_count":1e30`:                            -1,
		`"contact_count":true`:                            -1,
		`"contact_count":4294967296`:                      -1,
		`"contact_count":3,"members":4`:                   -1, // they disagree
		`"contacts":{"active":12,"blocked":1}`:            -1,
		`"contact_id":3`:                                  -1,
		`"contactIds":3`:                                  -1,
		`"memberIDs":3`:                                   -1,
		`"messages_sent_to_members":3`:                    -1,
		`"last_message":{"recipients":3}`:                 -1,
		`"member_cost":3,"contactPrice":3`:                -1,
		`"cost":{"members":3}`:                            -1,
		`"membersUpdatedAt":1767000000`:                   -1,
		`"members":{"updated_at":1767000000}`:             -1,
		`"contacts_created":20260101,"memberSince":2026`:  -1,
		`"members_date":20260101,"contact_time":900`:      -1,
		`"members":7,"membersUpdatedAt":1767000000`:       7,
		`"contactless":3`:                                 -1,
		`"total":3`:                                       -1,
		`"contact_count":3,"last_message":{"members":99}`: 3,
	} {
		raw := `{"id":"g",` + fields + `}`
		for range 5 { // the order of a map
			size, known := groupSize(decodeJSON([]byte(raw)).(map[string]any))
			if known != (want >= 0) || known && size != want {
				t.Errorf("%s: %d, %v", raw, size, known)
			}
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
	q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
	if q.TotalUGX != 0 || q.ReservedUGX != 900 || q.BalanceAfterUGX != nil || len(q.Notes) != 2 {
		t.Errorf("%+v", q)
	}
	env.expectOK(env.sendGroup("Hi", SpendOptions{}))
	env.expectError(CodeLimitExceeded)(env.sendGroup("Ho", SpendOptions{}))
}

// No one is shown the whole balance as a price.
func TestGroup_UnknownSizeIsNoPrice(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 9000, func(o *Options) { o.Limits.PerDay = 8000 })
	env.setResponse("/groups", mutableBody(`{"success":true,"data":[{"name":"Customers"}]}`))
	limited := env.expectError(CodeLimitExceeded)(env.sendGroup("Hi", SpendOptions{Elicit: elicitYes}))
	limited.says("size is not known", "would reserve UGX 9,000", "WESENDALL_MAX_PER_DAY")
	env.options.Limits.PerDay = 100_000
	env.restart()
	var question string
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	env.expectError(CodeDeclined)(env.sendGroup("Hi", SpendOptions{Elicit: ask}))
	if !strings.Contains(question, "not known") || !strings.Contains(question, "may cost more than UGX 1,000") ||
		strings.Contains(question, "about UGX") {
		t.Error(question)
	}
	quote := env.expectError(CodeConfirmationRequired)(env.sendGroup("Hi", SpendOptions{})).Quote
	text, err := json.Marshal(quote)
	if err != nil || strings.Contains(string(text), `"total"`) || strings.Contains(string(text), `"balance_after"`) ||
		!strings.Contains(string(text), `"reserved":9000`) {
		t.Errorf("%s, %v", text, err)
	}
}

// A wallet that is empty may have credit: one message is reserved.
func TestGroup_UnknownSizeEmptyWallet(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 0, func(o *Options) { o.Confirm = ConfirmOff })
	env.setResponse("/groups", mutableBody(`{"success":true,"data":[{"name":"Customers"}]}`))
	if q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote; q.ReservedUGX != 35 {
		t.Errorf("%+v", q)
	}
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

// A quote tells that the real call would be refused; it is no error itself.
func TestGroup_UnknownSizeQuote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		balanceUGX, reservedUGX int64
		code, says, note        string
	}{
		"more than one call may reach": {50_000, 50_000, CodeLimitExceeded, "1000 recipients", "reserves all that the wallet holds"},
		"less than one message": {30, 35, client.CodeInsufficientBalance,
			"the message to one contact of the group takes UGX 35, and the wallet holds UGX 30", "less than the price for one contact"},
		"enough": {900, 900, "", "", "reserves all that the wallet holds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, c.balanceUGX, func(o *Options) { o.Confirm = ConfirmOff })
			env.setResponse("/groups", mutableBody(`{"success":true,"data":[{"name":"Customers"}]}`))
			q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
			if q.ReservedUGX != c.reservedUGX || q.TotalUGX != 0 || !strings.Contains(strings.Join(q.Notes, " "), c.note) {
				t.Errorf("%+v", q)
			}
			if c.code == "" {
				if q.WouldRefuse != nil {
					t.Errorf("%+v", q.WouldRefuse)
				}
				return
			}
			if q.WouldRefuse == nil || q.WouldRefuse.Code != c.code || !strings.Contains(q.WouldRefuse.Reason, c.says) {
				t.Fatalf("%+v", q.WouldRefuse)
			}
			if c.code == CodeLimitExceeded {
				env.expectError(c.code)(env.sendGroup("Hi", SpendOptions{QuoteID: q.ID, Elicit: elicitYes})).says("WESENDALL_MAX_RECIPIENTS")
			}
		})
	}
}
