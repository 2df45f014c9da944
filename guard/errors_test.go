package guard

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// calls are the guard's methods by the name of their tool.
var calls = map[string]func(context.Context, *Guard) error{
	"get_balance": func(ctx context.Context, g *Guard) error {
		_, err := g.Balance(ctx, client.BalanceRequest{WalletID: "w"})
		return err
	},
	"topup_wallet": func(ctx context.Context, g *Guard) error {
		_, err := g.TopUp(ctx, client.TopUpRequest{WalletID: "w", Amount: 500, PhoneNumber: "+256 700 000 010"}, How{})
		return err
	},
	"send_sms": func(ctx context.Context, g *Guard) error {
		_, err := g.Send(ctx, client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{"+256700000010"}}, How{})
		return err
	},
	"send_sms to several": func(ctx context.Context, g *Guard) error {
		_, err := g.Send(ctx, client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{"0700000010 0700000011"}}, How{})
		return err
	},
	"send_group_sms": func(ctx context.Context, g *Guard) error {
		_, err := g.SendGroup(ctx, client.GroupSendRequest{WalletID: "w", GroupID: "g", Message: "Hi"}, How{})
		return err
	},
	"list_sms_history": func(ctx context.Context, g *Guard) error {
		_, err := g.History(ctx, client.HistoryRequest{WalletID: "w"})
		return err
	},
	"list_groups": func(ctx context.Context, g *Guard) error {
		_, err := g.Groups(ctx, client.GroupsRequest{WalletID: "w"})
		return err
	},
	"create_group": func(ctx context.Context, g *Guard) error {
		_, err := g.CreateGroup(ctx, client.CreateGroupRequest{WalletID: "w", Title: "T"})
		return err
	},
	"add_contacts": func(ctx context.Context, g *Guard) error {
		_, err := g.AddContacts(ctx, client.AddContactsRequest{GroupID: "g", WalletID: "w", Contacts: []client.Contact{{Phone: "0700 000-010"}}})
		return err
	},
}

// guarded is a guard before a server that answers so.
func guarded(t *testing.T, answer http.HandlerFunc) *Guard {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return New(c, without(t))
}

// without are options that ask nobody and have a ledger of their own.
func without(t *testing.T) Options {
	t.Helper()
	o := Defaults()
	o.Confirm, o.Rate = Off, 0
	return o
}

// priced answers the reads that come before a spend, and leaves the rest.
func priced(rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		switch q.Method + " " + q.URL.Path {
		case "GET /api/v1/account/balance":
			_, _ = io.WriteString(w, `{"success":true,"data":{"wallet_id":"w","balance":100000,"currency":"UGX","cost_per_sms":35}}`)
		case "GET /api/v1/groups":
			_, _ = io.WriteString(w, `{"success":true,"data":{"groups":[{"id":"g","title":"G","contact_count":3}]}}`)
		default:
			rest(w, q)
		}
	}
}

func fails(t *testing.T, g *Guard, call string) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](calls[call](t.Context(), g))
	if !ok {
		t.Fatalf("%s did not fail with an error of ours", call)
	}
	return e
}

func says(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": map[string]any{"code": code, "message": "why", "fields": []string{"x"}}})
	}
}

func TestEveryFailureHasItsCode(t *testing.T) {
	t.Parallel()
	const (
		all    = "get_balance, topup_wallet, send_sms, send_sms to several, send_group_sms, list_sms_history, list_groups, create_group, add_contacts"
		sends  = "send_sms, send_sms to several, send_group_sms"
		safe   = "get_balance, list_sms_history, list_groups, add_contacts"
		charge = client.NotCharged
	)
	hangsUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name, calls string
		answer      http.HandlerFunc
		code        string
		money       client.Money
		retry       client.Retry
		next        string
	}{
		{"bad credentials", all, says(401, "invalid_credentials"), "invalid_credentials", charge, client.RetryNo, ""},
		{"a revoked key", all, says(401, "key_revoked"), "key_revoked", charge, client.RetryNo, ""},
		{"another's wallet", all, says(403, "wallet_forbidden"), "wallet_forbidden", charge, client.RetryNo, ""},
		{"too little money", all, says(402, "insufficient_balance"), "insufficient_balance", charge, client.RetryAfterTopUp, "topup_wallet"},
		{"a refused value", all, says(422, "validation_failed"), "validation_failed", charge, client.RetryAfterFix, ""},
		{"a refund", "send_sms", says(502, "send_failed"), "send_failed", client.Refunded, client.RetryLater, ""},
		{"a refund of many", "send_sms to several, send_group_sms", says(502, "send_failed"), "send_failed", client.Refunded, client.CheckFirst, "list_sms_history"},
		{"an internal error", sends, says(500, "internal_error"), OutcomeUnknown, client.Unknown, client.CheckFirst, "list_sms_history"},
		{"an internal error", "topup_wallet", says(500, "internal_error"), OutcomeUnknown, client.Unknown, client.CheckFirst, "get_balance"},
		{"an internal error", "create_group", says(500, "internal_error"), OutcomeUnknown, charge, client.CheckFirst, "list_groups"},
		{"an internal error", safe, says(500, "internal_error"), "internal_error", charge, client.RetryLater, ""},
		{"a lost connection", sends, hangsUp, OutcomeUnknown, client.Unknown, client.CheckFirst, "list_sms_history"},
		{"a lost connection", safe, hangsUp, Unreachable, charge, client.RetryLater, ""},
		{"too many calls", sends, says(429, ""), OutcomeUnknown, client.Unknown, client.CheckFirst, "list_sms_history"},
		{"too many calls", safe, says(429, ""), RateLimited, charge, client.RetryLater, ""},
		{"a code under another status", sends, says(422, "insufficient_balance"), OutcomeUnknown, client.Unknown, client.CheckFirst, "list_sms_history"},
		{"a 503", safe, says(503, ""), BadResponse, charge, client.RetryLater, ""},
		{"a 404", safe, says(404, ""), BadResponse, charge, client.RetryNo, ""},
		{"a success that says false", sends, says(200, ""), OutcomeUnknown, client.Unknown, client.CheckFirst, "list_sms_history"},
		{"a success that says false", safe, says(200, ""), BadResponse, charge, client.RetryNo, ""},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				answer := c.answer
				if strings.HasPrefix(call, "send") || call == "topup_wallet" {
					answer = priced(answer)
				}
				e := fails(t, guarded(t, answer), call)
				if e.Code != c.code || e.Money != c.money || e.Retry != c.retry || e.Next != c.next {
					t.Errorf("%+v", e)
				}
				if e.HTTPStatus != 0 && (e.RequestID != "req_1" || e.Details == "" || e.Attempts == 0) {
					t.Errorf("what came is lost: %+v", e)
				}
			})
		}
	}
}

func TestNobodyThereMeansNothingSent(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1", Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"topup_wallet", "send_sms", "send_group_sms", "create_group"} {
		e := fails(t, New(c, without(t)), call)
		if e.Code != Unreachable || e.Money != client.NotCharged || !strings.Contains(e.Message, "Nothing was sent") {
			t.Errorf("%s: %+v", call, e)
		}
	}
}

func TestTheTableHasEveryCodeOnce(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, m := range Codes() {
		codes = append(codes, m.Code)
		if e := Fail(m.Code, "x"); e.Code != m.Code || e.Retry != m.Retry || e.Money != m.Money || m.Meaning == "" {
			t.Errorf("%+v", e)
		}
	}
	slices.Sort(codes)
	if len(codes) != 19 || len(slices.Compact(codes)) != 19 {
		t.Error(codes)
	}
}
