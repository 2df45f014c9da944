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
		request := client.TopUpRequest{WalletID: "w", Amount: 500, PhoneNumber: "+256 700 000 010"}
		_, err := g.TopUp(ctx, request, SpendOptions{})
		return err
	},
	"send_sms": func(ctx context.Context, g *Guard) error {
		request := client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{phone1}}
		_, err := g.Send(ctx, request, SpendOptions{})
		return err
	},
	"send_sms to several": func(ctx context.Context, g *Guard) error {
		recipients := client.Recipients{"0700000010 0700000011"}
		_, err := g.Send(ctx, client.SendRequest{WalletID: "w", Message: "Hi", Recipient: recipients}, SpendOptions{})
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
		contacts := []client.Contact{{Phone: "0700 000-010"}}
		_, err := g.AddContacts(ctx, client.AddContactsRequest{GroupID: "g", WalletID: "w", Contacts: contacts})
		return err
	},
}

// newTestGuard returns a guard without confirmation, whose upstream answers with answer.
func newTestGuard(t *testing.T, answer http.HandlerFunc) *Guard {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL, SleepFunc: noSleep})
	if err != nil {
		t.Fatal(err)
	}
	return New(c, confirmOffOptions(t))
}

func noSleep(context.Context, time.Duration) error { return nil }

// confirmOffOptions are options without confirmation, with a ledger in memory.
func confirmOffOptions(t *testing.T) Options {
	t.Helper()
	o := DefaultOptions()
	o.Confirm, o.Rate = ConfirmOff, 0
	return o
}

// answerReads answers the reads that precede a spend. rest answers all else.
func answerReads(rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /api/v1/account/balance":
			_, _ = io.WriteString(w, `{"success":true,
				"data":{"wallet_id":"w","balance":100000,"currency":"UGX","cost_per_sms":35}}`)
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
		t.Fatalf("%s did not fail with a guard error", call)
	}
	return e
}

func respondWith(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(status)
		failure := map[string]any{"code": code, "message": "why", "fields": []string{"x"}}
		_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": failure})
	}
}

const (
	allCalls = "get_balance, topup_wallet, send_sms, send_sms to several, send_group_sms, list_sms_history, " +
		"list_groups, create_group, add_contacts"
	sends     = "send_sms, send_sms to several, send_group_sms"
	safeCalls = "get_balance, list_sms_history, list_groups, add_contacts"

	notCharged = client.MoneyNotCharged
	refunded   = client.MoneyRefunded
	unknown    = client.MoneyUnknown
)

func dropConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

type errorWant struct {
	code  string
	money client.MoneyState
	retry client.RetryAdvice
	next  string
}

// errorCases are the errors of calls, which are keys of toolCalls, after an answer.
var errorCases = []struct {
	name, calls string
	answer      http.HandlerFunc
	want        errorWant
}{
	{
		"the credentials are wrong", allCalls, respondWith(401, "invalid_credentials"),
		errorWant{"invalid_credentials", notCharged, client.RetryNever, ""},
	},
	{
		"the key is revoked", allCalls, respondWith(401, "key_revoked"),
		errorWant{"key_revoked", notCharged, client.RetryNever, ""},
	},
	{
		"the wallet belongs to another account", allCalls, respondWith(403, "wallet_forbidden"),
		errorWant{"wallet_forbidden", notCharged, client.RetryNever, ""},
	},
	{
		"the balance is too small", allCalls, respondWith(402, "insufficient_balance"),
		errorWant{"insufficient_balance", notCharged, client.RetryAfterTopUp, "topup_wallet"},
	},
	{
		"a value is refused", allCalls, respondWith(422, "validation_failed"),
		errorWant{"validation_failed", notCharged, client.RetryAfterFix, ""},
	},
	{
		"the send was refunded", "send_sms", respondWith(502, "send_failed"),
		errorWant{"send_failed", refunded, client.RetryLater, ""},
	},
	{
		"the send to several was refunded", "send_sms to several, send_group_sms", respondWith(502, "send_failed"),
		errorWant{"send_failed", refunded, client.RetryCheckFirst, "list_sms_history"},
	},
	{
		"an internal error", sends, respondWith(500, "internal_error"),
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "list_sms_history"},
	},
	{
		"an internal error", "topup_wallet", respondWith(500, "internal_error"),
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "get_balance"},
	},
	{
		"an internal error", "create_group", respondWith(500, "internal_error"),
		errorWant{CodeOutcomeUnknown, notCharged, client.RetryCheckFirst, "list_groups"},
	},
	{
		"an internal error", safeCalls, respondWith(500, "internal_error"),
		errorWant{"internal_error", notCharged, client.RetryLater, ""},
	},
	{
		"the connection is lost", sends, dropConnection,
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "list_sms_history"},
	},
	{
		"the connection is lost", safeCalls, dropConnection,
		errorWant{CodeUnreachable, notCharged, client.RetryLater, ""},
	},
	{
		"there are too many calls", sends, respondWith(429, ""),
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "list_sms_history"},
	},
	{
		"there are too many calls", safeCalls, respondWith(429, ""),
		errorWant{CodeRateLimited, notCharged, client.RetryLater, ""},
	},
	{
		"the code does not fit the status", sends, respondWith(422, "insufficient_balance"),
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "list_sms_history"},
	},
	{
		"503 without a code", safeCalls, respondWith(503, ""),
		errorWant{CodeBadResponse, notCharged, client.RetryLater, ""},
	},
	{
		"404 without a code", safeCalls, respondWith(404, ""),
		errorWant{CodeBadResponse, notCharged, client.RetryNever, ""},
	},
	{
		"200 with success false", sends, respondWith(200, ""),
		errorWant{CodeOutcomeUnknown, unknown, client.RetryAfterSettled, "list_sms_history"},
	},
	{
		"200 with success false", safeCalls, respondWith(200, ""),
		errorWant{CodeBadResponse, notCharged, client.RetryNever, ""},
	},
}

func TestErrors_Codes(t *testing.T) {
	t.Parallel()
	for _, c := range errorCases {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				answer := c.answer
				if strings.HasPrefix(call, "send") || call == "topup_wallet" {
					answer = answerReads(answer)
				}
				e := expectToolError(t, newTestGuard(t, answer), call)
				if got := (errorWant{e.Code, e.Money, e.Retry, e.NextTool}); got != c.want {
					t.Errorf("%+v, want %+v", got, c.want)
				}
				if e.HTTPStatus != 0 && (e.RequestID != "req_1" || e.Details == "" || e.Attempts == 0) {
					t.Errorf("details of the answer are missing: %+v", e)
				}
			})
		}
	}
}

func TestErrors_Unreachable(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1", SleepFunc: noSleep})
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
