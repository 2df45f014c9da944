package client

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestClient_Requests(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]struct{ line, body string }{
		"get_balance": {"GET /stub/api/v1/account/balance?walletId=wal+%26+1", ""},
		"topup_wallet": {"POST /stub/api/v1/account/topup",
			`{"walletId":"wal_1","amount":500,"phone_number":"+256700000010"}`},
		"send_sms to one": {"POST /stub/api/v1/sms/send",
			`{"walletId":"wal_1","message":"Hi \u003cyou\u003e","recipient":"+256700000010"}`},
		"send_sms to several": {"POST /stub/api/v1/sms/send",
			`{"walletId":"wal_1","message":"Hi","recipient":["+256700000010","+256700000011"]}`},
		"send_sms to a list": {"POST /stub/api/v1/sms/send",
			`{"walletId":"wal_1","message":"Hi","recipient":"0700000010, 0700000011"}`},
		"send_group_sms":   {"POST /stub/api/v1/sms/group", `{"walletId":"wal_1","groupId":"grp_1","message":"Hi"}`},
		"list_sms_history": {"GET /stub/api/v1/sms/history?per_page=20&walletId=wal_1", ""},
		"list_groups":      {"GET /stub/api/v1/groups?walletId=wal_1", ""},
		"create_group":     {"POST /stub/api/v1/groups", `{"walletId":"wal_1","title":"Customers","description":"All"}`},
		"add_contacts": {
			"POST /stub/api/v1/groups/..%2Fx%3Fy/contacts",
			`{"contacts":[{"phone":"+256700000010","name":"Sarah"},{"phone":"+256700000011"}],"walletId":"wal_1"}`,
		},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, respondWith(200, `{"success":true,"data":{}}`))
			if _, err := calls[call](t.Context(), env.Client); err != nil {
				t.Fatal(err)
			}
			got := env.requests()
			if len(got) != 1 || got[0].Method+" "+got[0].URI != want.line || got[0].Body != want.body {
				t.Fatalf("got  %+v\nwant %s %s", got, want.line, want.body)
			}
			key, secret, _ := (&http.Request{Header: got[0].Header}).BasicAuth()
			if key != testKey || secret != testSecret || got[0].Header.Get("User-Agent") != "test/1" {
				t.Errorf("headers %v", got[0].Header)
			}
			if got[0].Body != "" && got[0].Header.Get("Content-Type") != "application/json" {
				t.Errorf("a body without its type: %v", got[0].Header)
			}
		})
	}
}

func TestPathParam_Invalid(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", ".."} {
		env := newTestEnv(t, respondWith(200, `{}`))
		_, err := env.AddContacts(t.Context(), AddContactsRequest{GroupID: id, WalletID: "wal_1"})
		apiErr, ok := err.(*Error) //nolint:errorlint // the method's own promise
		if !ok || apiErr.Sent || apiErr.Advice != RetryAfterFix || len(env.requests()) != 0 {
			t.Errorf("%q: %v, %d requests", id, err, len(env.requests()))
		}
	}
}

func TestEndpoints_MatchRequests(t *testing.T) {
	t.Parallel()
	requests := []any{
		BalanceRequest{}, TopUpRequest{}, SendRequest{}, SendGroupRequest{},
		HistoryRequest{}, GroupsRequest{}, CreateGroupRequest{}, AddContactsRequest{},
	}
	for i, e := range Endpoints() {
		fields := map[string]bool{}
		for f := range reflect.TypeOf(requests[i]).Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[name] = options == "" // required
		}
		params := map[string]bool{}
		for _, p := range e.Params {
			params[p.Name] = p.Required
			if (p.Location == ParamInQuery) != (e.Method == http.MethodGet) && p.Location != ParamInPath {
				t.Errorf("%s: %s is in the %s", e.Name, p.Name, p.Location)
			}
			if (p.Location == ParamInPath) != strings.Contains(e.Path, "{"+p.Name+"}") {
				t.Errorf("%s: %s and the path disagree", e.Name, p.Name)
			}
		}
		if !reflect.DeepEqual(fields, params) {
			t.Errorf("%s: fields %v, parameters %v", e.Name, fields, params)
		}
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                "https://www.wesendall.com",
		"https://api.example.test/":       "https://api.example.test",
		"HTTPS://API.Example.test:443/A":  "https://api.example.test/A",
		"http://127.0.0.1:8787":           "http://127.0.0.1:8787",
		"http://[::1]:8787/stub/":         "http://[::1]:8787/stub",
		"http://localhost:8787":           "http://localhost:8787",
		"http://localhost.:8787":          "http://localhost.:8787",
		"http://localhost.example.test":   "must begin with https://",
		"http://www.wesendall.com":        "must begin with https://",
		"http://127.0.0.1.example.test":   "must begin with https://",
		"ftp://127.0.0.1":                 "must begin with https://",
		"https://u:hunter2@example.test":  "must not contain a user name",
		"https://u:hunter2@example.test:": "must not contain a user name",
		"https://u:hunter2@exa mple.test": "cannot be read",
		"https://":                        "must be an address",
		"www.wesendall.com":               `base URL "www.wesendall.com": must begin with https://`,
		"https://example.test?x=1":        "must not have a query",
		"https://example.test/#x":         "must not have a query",
		"https://example.test/api/v1/":    "must not end in /api/v1",
	} {
		c, err := New(Options{BaseURL: text})
		switch {
		case err == nil && c.BaseURL() != want:
			t.Errorf("%q: %s", text, c.BaseURL())
		case err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%q: %v", text, err)
		}
	}
}
