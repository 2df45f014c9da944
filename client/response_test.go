package client

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestResponse_UnwrapEnvelope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, data, meta string }{
		"the envelope": {`{"success":true,"data":{"b":1.10,"a":12345678901234567890}}`,
			`{"b":1.10,"a":12345678901234567890}`, ""},
		"members beside the data":     {`{"success":true,"data":[1],"next":"p2"}`, `[1]`, `"p2"`},
		"null as data":                {`{"success":true,"data":null}`, `null`, ""},
		"a bare object":               {` {"balance":1} `, `{"balance":1}`, ""},
		"a bare array":                {`[1,2]`, `[1,2]`, ""},
		"a bare object that has data": {`{"data":1}`, `{"data":1}`, ""},
		"success without data":        {`{"success":true,"message":"Sent"}`, `{"success":true,"message":"Sent"}`, ""},
		"success that is a count":     {`{"success":3}`, `{"success":3}`, ""},
		"a byte order mark":           {"\ufeff" + `{"success":true,"data":{"balance":1}}`, `{"balance":1}`, ""},
		"broken UTF-8":                {"{\"a\":\"\xff\"}", "{\"a\":\"\uFFFD\"}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newTestEnv(t, respondWith(201, c.body)).Balance(t.Context(), BalanceRequest{"wal_1"})
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Data) != c.data || string(got.Meta["next"]) != c.meta || got.Status != 201 || got.Attempts != 1 {
				t.Errorf("%+v, data %s", got, got.Data)
			}
		})
	}
}

func TestErrorBody_Shapes(t *testing.T) {
	t.Parallel()
	htmlPage := "<html><body><h1>502 Bad Gateway</h1></body></html>"
	for name, c := range map[string]struct {
		status                      int
		body, code, message, detail string
	}{
		"an object inside": {422,
			`{"success":false,"error":{"code":"validation_failed","message":"amount: too small","fields":["amount"]}}`,
			"validation_failed", "amount: too small", `{"fields":["amount"]}`},
		"a byte order mark": {402, "\ufeff" + `{"error":"Not enough","code":"insufficient_balance"}`, "insufficient_balance",
			"Not enough", ""},
		"a text beside a code": {402, `{"error":"Not enough","code":"insufficient_balance"}`, "insufficient_balance",
			"Not enough", ""},
		"a flat object":       {401, `{"code":"key_revoked","message":"Revoked"}`, "key_revoked", "Revoked", ""},
		"success false alone": {403, `{"success":false}`, "", "Forbidden", ""},
		"success false and a code": {403, `{"success":false,"code":"wallet_forbidden"}`, "wallet_forbidden", "Forbidden",
			""},
		"a text that is a code": {402, `{"error":"insufficient_balance"}`, "insufficient_balance",
			"insufficient_balance", ""},
		"a JSON string":  {500, `"Something broke"`, "", "Something broke", ""},
		"HTML":           {502, htmlPage, "", "the answer is not a JSON object: " + htmlPage, ""},
		"nothing at all": {504, "", "", "Gateway Timeout", ""},
		"truncated JSON": {500, `{"error":{"code":"inter`, "",
			`the answer is not a JSON object: {"error":{"code":"inter`, ""},
		"an array": {500, `[1]`, "", "the answer is not a JSON object: [1]", ""},
		"members of the wrong types": {500, `{"code":7,"message":null,"error":true}`, "", "Internal Server Error",
			`{"code":7,"error":true}`},
		"a 200 that is a failure": {200, `{"success":false,"error":{"code":"internal_error","message":"No"}}`,
			"internal_error", "No", ""},
		"a 200 that only says false": {200, `{"success":false}`, "", `the answer says "success": false`, ""},
		"a 200 with HTML":            {200, htmlPage, "", "the answer is not a JSON object: " + htmlPage, ""},
		"a 200 with nothing":         {200, "", "", "the answer is empty", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTestEnv(t, respondWith(c.status, c.body)).expectError(t, "send_group_sms")
			if e.Status != c.status || e.Code != c.code || e.Message != c.message || e.Details != c.detail {
				t.Errorf("%d %q %q %q", e.Status, e.Code, e.Message, e.Details)
			}
		})
	}
}

func TestError_Headers(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"3": 3 * time.Second, "-3": 0, "soon": 0, "": 0, "99999999999": 0,
		"9999999": 24 * time.Hour} {
		e := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.Header().Set("X-Request-Id", "req_7")
			w.WriteHeader(http.StatusForbidden)
		}).expectError(t, "get_balance")
		if e.RetryAfter != want && header != "99999999999" || e.RequestID != "req_7" ||
			!strings.Contains(e.Error(), "req_7") {
			t.Errorf("%q: %v, %v", header, e.RetryAfter, e)
		}
	}
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := parseRetryAfter(date); got < 59*time.Minute || got > time.Hour {
		t.Errorf("%s: %v", date, got)
	}
}

func TestRedirect_Refused(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"get_balance", "send_sms to one"} {
		env := newTestEnv(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example.test/private?walletId=1", http.StatusTemporaryRedirect)
		})
		e := env.expectError(t, call)
		if len(env.requests()) != 1 || !strings.Contains(e.Message, "(this one leads to https://elsewhere.example.test)") {
			t.Errorf("%s: %d requests, %v", call, len(env.requests()), e)
		}
	}
}

func TestResponse_SizeLimit(t *testing.T) {
	t.Parallel()
	for extra, ok := range map[int]bool{0: true, 1: false, 1 << 20: false} {
		env := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`"` + strings.Repeat("a", maxResponseBytes-2+extra) + `"`))
		})
		got, err := env.Balance(t.Context(), BalanceRequest{"wal_1"})
		if ok && (err != nil || len(got.Data) != maxResponseBytes) || !ok &&
			(err == nil || !strings.Contains(err.Error(), "longer than 8 MiB")) {
			t.Errorf("%d bytes too many: %v", extra, err)
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		`{"success":false,"error":{"code":"validation_failed","message":"x","fields":[1]}}`, `{"error":"text","code":"c"}`,
		`{"code":1,"message":{}}`, `"text"`, `<html>`, ``, `null`, `{"error":null}`, `{"error":{"error":{}}}`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = []byte(strings.ToValidUTF8(string(body), "?"))
		e := parseErrorBody(body)
		for _, text := range []string{e.code, e.message, e.details} {
			if len(text) > maxErrorTextBytes+len("the answer is not a JSON object: …") || !utf8.ValidString(text) {
				t.Errorf("%q of %q", text, body)
			}
		}
		data, _, err := unwrapEnvelope(body, false)
		if err == nil && !json.Valid(data) {
			t.Errorf("data %q of %q", data, body)
		}
	})
}

// A spend is called done only by an answer that cannot mean anything else.
func TestResponse_Ambiguous2xx(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":{"code":"insufficient_balance","message":"x"}}`, `{"error":"insufficient_balance"}`, `{"success":"false"}`,
		`{"success":0}`,
		`{"success":null}`, `null`, `false`, `"insufficient_balance"`, `7`, `{"success":true,"error":{"code":"send_failed"}}`,
	} {
		for _, call := range []string{"send_sms to one", "topup_wallet", "create_group"} {
			if e := newTestEnv(t, respondWith(200, body)).expectError(t, call); !e.OutcomeUnknown() {
				t.Errorf("%s, %s: %+v", call, body, e)
			}
		}
	}
	for _, body := range []string{`{}`, `[]`, `{"success":true}`, `{"success":true,"data":null,"error":null}`} {
		if _, err := newTestEnv(t, respondWith(200, body)).Send(t.Context(),
			SendRequest{WalletID: "w", Message: "m", Recipient: Recipients{"1"}}); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
