package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// responseShapes are calls in their order, each with the data of its response.
var responseShapes = []struct{ name, call, body, want string }{
	{
		"the balance of a new wallet", "GET /account/balance", "",
		`{"wallet_id":"wal_sandbox","balance":5000,"currency":"UGX","cost_per_sms":35}`,
	},
	{
		"an empty history is no null", "GET /sms/history", "",
		`{"page":1,"per_page":50,"total":0,"total_pages":0,"messages":[]}`,
	},
	{"no groups are no null", "GET /groups", "", `{"groups":[]}`},
	{
		"a top-up is pending", "POST /account/topup",
		`{"amount":1000,"phone_number":"0700000010","description":"May"}`,
		`{"deposit_id":"dep_1","status":"pending","amount":1000,"phone_number":"+256700000010"}`,
	},
	{
		"a send to two", "POST /sms/send", `{"message":"Hi","recipient":["0700000010","256700000011"]}`,
		`{"batch_id":"bat_1","status":"sent","recipients":2,"units":1,"total_cost":70,"balance":4930,"messages":[` +
			`{"id":"msg_1","phone":"+256700000010","status":"sent"},` +
			`{"id":"msg_2","phone":"+256700000011","status":"sent"}]}`,
	},
	{
		"a new group", "POST /groups", `{"title":"Staff","description":"All of us"}`,
		`{"id":"grp_1","title":"Staff","description":"All of us","contact_count":0}`,
	},
	{
		"a group without a description", "POST /groups", `{"title":"Board"}`,
		`{"id":"grp_2","title":"Board","description":"","contact_count":0}`,
	},
	{
		"contacts, one of them named twice", "POST /groups/grp_1/contacts",
		`{"contacts":[{"phone":"0700000010","name":"Sarah"},{"phone":"+256700000010"},{"phone":"+254700000001"}]}`,
		`{"group_id":"grp_1","added":2,"skipped":1,"contact_count":2}`,
	},
	{
		"contacts that the group has", "POST /groups/grp_1/contacts",
		`{"contacts":[{"phone":"256700000010"},{"phone":"+256700000012"}]}`,
		`{"group_id":"grp_1","added":1,"skipped":1,"contact_count":3}`,
	},
	{
		"groups with their counts", "GET /groups", "",
		`{"groups":[{"id":"grp_1","title":"Staff","description":"All of us","contact_count":3},` +
			`{"id":"grp_2","title":"Board","description":"","contact_count":0}]}`,
	},
	{
		"a send to the group", "POST /sms/group", `{"groupId":"grp_1","message":"Hello"}`,
		`{"batch_id":"bat_2","status":"sent","recipients":3,"units":1,"total_cost":105,"balance":4825,"messages":[` +
			`{"id":"msg_3","phone":"+256700000010","status":"sent"},` +
			`{"id":"msg_4","phone":"+254700000001","status":"sent"},` +
			`{"id":"msg_5","phone":"+256700000012","status":"sent"}]}`,
	},
	{
		"the newest of the history", "GET /sms/history?per_page=1", "",
		`{"page":1,"per_page":1,"total":5,"total_pages":5,"messages":[{"id":"msg_5","phone":"+256700000012",` +
			`"message":"Hello","status":"sent","units":1,"cost":35,"created_at":"2026-01-02T03:04:05.000Z"}]}`,
	},
}

func TestEndpoints_ResponseShape(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: DefaultBalance})
	for _, step := range responseShapes {
		resp := env.do(step.call, step.body)
		env.expect(resp, http.StatusOK, `{"success":true,"data":`+step.want+`}`)
		if resp.header.Get("Content-Type") != "application/json" || resp.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers %v", step.name, resp.header)
		}
	}
}

func TestAuth_Rejected(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{})
	for name, tc := range map[string]struct{ key, secret, code string }{
		"no credentials":                   {"", "", "invalid_credentials"},
		"an unknown key":                   {"sk_test_unknown", APISecret, "invalid_credentials"},
		"a wrong secret":                   {APIKey, "ws_test_wrong", "invalid_credentials"},
		"an empty secret":                  {APIKey, "", "invalid_credentials"},
		"a revoked key":                    {"sk_test_revoked", APISecret, "key_revoked"},
		"a revoked key and a wrong secret": {"sk_test_revoked", "x", "key_revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := env.doWithKey("POST /sms/send", "not even JSON", tc.key, tc.secret)
			if err != nil || resp.status != http.StatusUnauthorized || resp.errorCode() != tc.code {
				t.Errorf("%d %s, %v", resp.status, resp.body, err)
			}
		})
	}
}

func TestValidation_Order(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{})
	id := decodeData[groupResponse](env, env.do("POST /groups", `{"title":"Staff"}`)).ID
	for name, tc := range map[string]struct {
		call, body string
		status     int
		code       string
	}{
		"validation before the wallet": {
			"POST /sms/send", `{"walletId":"wal_other","recipient":"0700000010"}`, 422, "validation_failed",
		},
		"the wallet before the balance": {
			"POST /sms/send", `{"walletId":"wal_other","message":"Hi","recipient":"0700000010"}`, 403, "wallet_forbidden",
		},
		"the balance last": {
			"POST /sms/send", `{"message":"Hi","recipient":"0700000010"}`, 402, "insufficient_balance",
		},
		"another's wallet does not tell which groups it has": {
			"POST /sms/group", `{"walletId":"wal_other","message":"Hi","groupId":"grp_404"}`, 403, "wallet_forbidden",
		},
		"our groups are not another wallet's": {
			"POST /groups/" + id + "/contacts", `{"walletId":"wal_other","contacts":[{"phone":"0700000010"}]}`,
			403, "wallet_forbidden",
		},
		"a read of another's balance": {"GET /account/balance?walletId=wal_other", "", 403, "wallet_forbidden"},
		"a read of another's history": {"GET /sms/history?walletId=wal_other", "", 403, "wallet_forbidden"},
		"a read of another's groups":  {"GET /groups?walletId=wal_other", "", 403, "wallet_forbidden"},
		"a top-up of another's wallet": {
			"POST /account/topup", `{"walletId":"wal_other","amount":500,"phone_number":"0700000010"}`,
			403, "wallet_forbidden",
		},
		"a group in another's wallet": {"POST /groups", `{"walletId":"wal_other","title":"x"}`, 403, "wallet_forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if resp := env.do(tc.call, tc.body); resp.status != tc.status || resp.errorCode() != tc.code {
				t.Errorf("got %d %s", resp.status, resp.body)
			}
		})
	}
}

func TestRoutes_NotFound(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{})
	for name, tc := range map[string]struct {
		call   string
		status int
		code   string
		allow  string
	}{
		"an unknown path":                 {"GET /account", 404, "not_found", ""},
		"a trailing slash":                {"GET /groups/", 404, "not_found", ""},
		"a doubled slash":                 {"POST //groups", 404, "not_found", ""},
		"a group id that climbs":          {"POST /groups/../contacts", 404, "not_found", ""},
		"a group id that climbs, escaped": {"POST /groups/%2e%2e/contacts", 404, "not_found", ""},
		"a group id with a slash in it":   {"POST /groups/..%2Fx%3Fy/contacts", 422, "validation_failed", ""},
		"a group without an id":           {"POST /groups//contacts", 404, "not_found", ""},
		"a POST of the balance":           {"POST /account/balance", 405, "method_not_allowed", "GET"},
		"a GET of a send":                 {"GET /sms/send", 405, "method_not_allowed", "POST"},
		"a DELETE of groups":              {"DELETE /groups", 405, "method_not_allowed", "GET, POST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := env.do(tc.call, "")
			if resp.status != tc.status || resp.errorCode() != tc.code || resp.header.Get("Allow") != tc.allow {
				t.Errorf("got %d %s, Allow %q", resp.status, resp.body, resp.header.Get("Allow"))
			}
			if resp.header.Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
		})
	}
}

func TestHistory_Paging(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 35 * 120})
	for i := range 60 {
		env.do("POST /sms/send", fmt.Sprintf(`{"message":"%d","recipient":"0700000010,0700000011"}`, i))
	}
	for name, tc := range map[string]struct {
		query       string
		shown       int
		pages       int
		first, last string
	}{
		"fifty by default":                {"", 50, 3, "59", "35"},
		"the last page holds the rest":    {"?page=3", 20, 3, "9", "0"},
		"a page beyond the last":          {"?page=4", 0, 3, "", ""},
		"the highest page there can be":   {"?page=9223372036854775807&per_page=100", 0, 2, "", ""},
		"one at a time":                   {"?per_page=1&page=120", 1, 120, "0", "0"},
		"a hundred":                       {"?per_page=100", 100, 2, "59", "10"},
		"a page size that divides evenly": {"?per_page=60&page=2", 60, 2, "29", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decodeData[struct {
				Total      int
				TotalPages int `json:"total_pages"`
				Messages   []struct{ Message string }
			}](env, env.do("GET /sms/history"+tc.query, ""))
			if got.Total != 120 || got.TotalPages != tc.pages || len(got.Messages) != tc.shown {
				t.Fatalf("total %d on %d pages, %d shown", got.Total, got.TotalPages, len(got.Messages))
			}
			if n := tc.shown; n > 0 && (got.Messages[0].Message != tc.first || got.Messages[n-1].Message != tc.last) {
				t.Errorf("from %q to %q", got.Messages[0].Message, got.Messages[n-1].Message)
			}
		})
	}
}

func TestRequest_ClientDisconnect(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 35})
	ctx, hangUp := context.WithCancel(t.Context())
	body := `{"walletId":"wal_sandbox","message":"Hi","recipient":"0700000010"}`
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/sms/send", strings.NewReader(body))
	req.SetBasicAuth(APIKey, APISecret)
	hangUp()
	env.ServeHTTP(httptest.NewRecorder(), req)
	if got := env.balance(); got != 0 {
		t.Errorf("balance %d", got)
	}
}

func TestDB_Failure(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{})
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	if resp := env.do("GET /account/balance", ""); resp.status != 500 || resp.errorCode() != "internal_error" {
		t.Errorf("got %d %s", resp.status, resp.body)
	}
}
