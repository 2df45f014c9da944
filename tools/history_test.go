package tools

import (
	"strings"
	"testing"
)

const historyOfTwo = `{"success":true,"data":{"messages":[{"phone":"+256700000010","status":"SENT"},` +
	`{"phone":"+256700000011","status":"FAILED"}],"total":2}}`

// A page says which it is and how many entries it has.
func TestHistory_Page(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, historyOfTwo))
	for arguments, summary := range map[string]string{
		`{}`:                                  "Page 1 of what was sent, with 2 entries.",
		`{"page":3,"per_page":2}`:             "Page 3 of what was sent, with 2 entries.",
		`{"phone_number":"","status":" "}`:    "Page 1 of what was sent, with 2 entries.",
		`{"phone_number":null,"status":null}`: "Page 1 of what was sent, with 2 entries.",
	} {
		got := env.call(t, "list_sms_history", arguments)
		if got.get("summary") != summary || got.get("count") != "2" || got.get("data") == "" || got.get("matches") != "" ||
			got.get("pages_read") != "" || got.get("complete") != "" {
			t.Errorf("%s: %s", arguments, got.text)
		}
	}
	env = newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{"success":true,"data":{"a":1}}`))
	if got := env.call(t, "list_sms_history", `{}`); !strings.Contains(got.get("summary"), "is not recognised") ||
		got.get("count") != "" || got.get("page") != "1" || got.get("data") != `{"a":1}` {
		t.Error(got.text)
	}
}

// A search has its matches and no data, and says whether there may be more.
func TestHistory_Search(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, historyOfTwo))
	got := env.call(t, "list_sms_history", `{"phone_number":"0700 000 011","status":"failed"}`)
	if got.get("matches") != `[{"phone":"+256700000011","status":"FAILED"}]` || got.get("count") != "1" ||
		got.get("pages_read") != "1" || got.get("complete") != "true" || got.get("data") != "" ||
		!strings.HasPrefix(got.get("summary"), "1 entry found on 1 page, up to page 1. That is the whole history") {
		t.Error(got.text)
	}
	if all := env.requests(); len(all) != 1 || all[0] != "GET /api/v1/sms/history?page=1&per_page=100&walletId=wal_1 " {
		t.Error(all)
	}
	got = env.call(t, "list_sms_history", `{"status":"queued"}`)
	if got.get("matches") != `[]` || got.get("count") != "0" {
		t.Error(got.text)
	}
	got = env.call(t, "list_sms_history", `{"status":"SENT","per_page":2}`)
	if got.get("complete") != "false" || !strings.Contains(got.get("summary"), "There may be more: call again with page: 2") {
		t.Error(got.text)
	}
	env = newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{"success":true,"data":{"a":1}}`))
	got = env.call(t, "list_sms_history", `{"status":"SENT"}`)
	if !strings.Contains(got.get("summary"), "not recognised, so nothing was searched") || got.get("data") != `{"a":1}` ||
		got.get("matches") != "" || got.get("complete") != "false" || got.get("pages_read") != "1" {
		t.Error(got.text)
	}
}
