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

// toolCalls are the guard's methods by the name of their tool.
var toolCalls = map[string]func(context.Context, *Guard) error{
	"get_balance": func(ctx context.Context, g *Guard) error {
		_, err := g.Balance(ctx, client.BalanceRequest{WalletID: "w"})
		return err
	},
	"topup_wallet": func(ctx context.Context, g *Guard) error {
		_, err := g.TopUp(ctx, client.TopUpRequest{WalletID: "w", Amount: 500, PhoneNumber: "+256 700 000 010"}, SpendOptions{})
		return err
	},
	"send_sms": func(ctx context.Context, g *Guard) error {
		_, err := g.Send(ctx, client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{"+256700000010"}}, SpendOptions{})
		return err
	},
	"send_sms to several": func(ctx context.Context, g *Guard) error {
		_, err := g.Send(ctx, client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{"0700000010 0700000011"}}, SpendOptions{})
		return err
	},
	"send_group_sms": func(ctx context.Context, g *Guard) error {
		_, err := g.SendGroup(ctx, client.SendGroupRequest{WalletID: "w", GroupID: "g", Message: "Hi"}, SpendOptions{})
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

// newTestGuard is a guard before a server that answers so.
func newTestGuard(t *testing.T, answer http.HandlerFunc) *Guard {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL, SleepFunc: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return New(c, confirmOffOptions(t))
}

// confirmOffOptions are options that ask nobody and have a ledger of their own.
func confirmOffOptions(t *testing.T) Options {
	t.Helper()
	o := DefaultOptions()
	o.Confirm, o.Rate = ConfirmOff, 0
	return o
}

// answerReads answers the reads that come before a spend, and leaves the rest.
func answerReads(rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /api/v1/account/balance":
			_, _ = io.WriteString(w, `{"success":true,"data":{"wallet_id":"w","balance":100000,"currency":"UGX","cost_per_sms":35}}`)
		case "GET /api/v1/groups":
			_, _ = io.WriteString(w, `{"success":true,"data":{"groups":[{"id":"g","title":"G","contact_count":3}]}}`)
		default:
			rest(w, r)
		}
	}
}

func expectToolError(t *testing.T, g *Guard, call string) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](toolCalls[call](t.Context(), g))
	if !ok {
		t.Fatalf("%s did not fail with an error of ours", call)
	}
	return e
}

func respondWith(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": map[string]any{"code": code, "message": "why", "fields": []string{"x"}}})
	}
}

func TestErrors_Codes(t *testing.T) {
	t.Parallel()
	const (
		allCalls  = "get_balance, topup_wallet, send_sms, send_sms to several, send_group_sms, list_sms_history, list_groups, create_group, add_contacts"
		sends     = "send_sms, send_sms to several, send_group_sms"
		safeCalls = "get_balance, list_sms_history, list_groups, add_contacts"
		charge    = client.MoneyNotCharged
	)
	dropConnection := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name, calls string
		answer      http.HandlerFunc
		code        string
		money       client.MoneyState
		retry       client.RetryAdvice
		next        string
	}{
		{"bad credentials", allCalls, respondWith(401, "invalid_credentials"), "invalid_credentials", charge, client.RetryNever, ""},
		{"a revoked key", allCalls, respondWith(401, "key_revoked"), "key_revoked", charge, client.RetryNever, ""},
		{"another's wallet", allCalls, respondWith(403, "wallet_forbidden"), "wallet_forbidden", charge, client.RetryNever, ""},
		{"too little money", allCalls, respondWith(402, "insufficient_balance"), "insufficient_balance", charge, client.RetryAfterTopUp, "topup_wallet"},
		{"a refused value", allCalls, respondWith(422, "validation_failed"), "validation_failed", charge, client.RetryAfterFix, ""},
		{"a refund", "send_sms", respondWith(502, "send_failed"), "send_failed", client.MoneyRefunded, client.RetryLater, ""},
		{"a refund of many", "send_sms to several, send_group_sms", respondWith(502, "send_failed"), "send_failed", client.MoneyRefunded, client.RetryCheckFirst, "list_sms_history"},
		{"an internal error", sends, respondWith(500, "internal_error"), CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "list_sms_history"},
		{"an internal error", "topup_wallet", respondWith(500, "internal_error"), CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "get_balance"},
		{"an internal error", "create_group", respondWith(500, "internal_error"), CodeOutcomeUnknown, charge, client.RetryCheckFirst, "list_groups"},
		{"an internal error", safeCalls, respondWith(500, "internal_error"), "internal_error", charge, client.RetryLater, ""},
		{"a lost connection", sends, dropConnection, CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "list_sms_history"},
		{"a lost connection", safeCalls, dropConnection, CodeUnreachable, charge, client.RetryLater, ""},
		{"too many calls", sends, respondWith(429, ""), CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "list_sms_history"},
		{"too many calls", safeCalls, respondWith(429, ""), CodeRateLimited, charge, client.RetryLater, ""},
		{"a code under another status", sends, respondWith(422, "insufficient_balance"), CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "list_sms_history"},
		{"a 503", safeCalls, respondWith(503, ""), CodeBadResponse, charge, client.RetryLater, ""},
		{"a 404", safeCalls, respondWith(404, ""), CodeBadResponse, charge, client.RetryNever, ""},
		{"a success that says false", sends, respondWith(200, ""), CodeOutcomeUnknown, client.MoneyUnknown, client.RetryCheckFirst, "list_sms_history"},
		{"a success that says false", safeCalls, respondWith(200, ""), CodeBadResponse, charge, client.RetryNever, ""},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				answer := c.answer
				if strings.HasPrefix(call, "send") || call == "topup_wallet" {
					answer = answerReads(answer)
				}
				e := expectToolError(t, newTestGuard(t, answer), call)
				if e.Code != c.code || e.Money != c.money || e.Retry != c.retry || e.NextTool != c.next {
					t.Errorf("%+v", e)
				}
				if e.HTTPStatus != 0 && (e.RequestID != "req_1" || e.Details == "" || e.Attempts == 0) {
					t.Errorf("what came is lost: %+v", e)
				}
			})
		}
	}
}

func TestErrors_Unreachable(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1", SleepFunc: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"topup_wallet", "send_sms", "send_group_sms", "create_group"} {
		e := expectToolError(t, New(c, confirmOffOptions(t)), call)
		if e.Code != CodeUnreachable || e.Money != client.MoneyNotCharged || !strings.Contains(e.Message, "Nothing was sent") {
			t.Errorf("%s: %+v", call, e)
		}
	}
}

func TestCodes_Unique(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, m := range Codes() {
		codes = append(codes, m.Code)
		if e := NewError(m.Code, "x"); e.Code != m.Code || e.Retry != m.Retry || e.Money != m.Money || m.Description == "" {
			t.Errorf("%+v", e)
		}
	}
	slices.Sort(codes)
	if len(codes) != 19 || len(slices.Compact(codes)) != 19 {
		t.Error(codes)
	}
}
