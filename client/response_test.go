package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestResponse_UnwrapEnvelope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, data, meta string }{
		"the envelope":                {`{"success":true,"data":{"b":1.10,"a":12345678901234567890}}`, `{"b":1.10,"a":12345678901234567890}`, ""},
		"members beside the data":     {`{"success":true,"data":[1],"next":"p2"}`, `[1]`, `"p2"`},
		"null as data":                {`{"success":true,"data":null}`, `null`, ""},
		"a bare object":               {` {"balance":1} `, `{"balance":1}`, ""},
		"a bare array":                {`[1,2]`, `[1,2]`, ""},
		"a bare object that has data": {`{"data":1}`, `{"data":1}`, ""},
		"success without data":        {`{"success":true,"message":"Sent"}`, `{"success":true,"message":"Sent"}`, ""},
		"success that is a count":     {`{"success":3}`, `{"success":3}`, ""},
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
		"an object inside":           {422, `{"success":false,"error":{"code":"validation_failed","message":"amount: too small","fields":["amount"]}}`, "validation_failed", "amount: too small", `{"fields":["amount"]}`},
		"a text beside a code":       {402, `{"error":"Not enough","code":"insufficient_balance"}`, "insufficient_balance", "Not enough", ""},
		"a flat object":              {401, `{"code":"key_revoked","message":"Revoked"}`, "key_revoked", "Revoked", ""},
		"success false alone":        {403, `{"success":false}`, "", "Forbidden", ""},
		"success false and a code":   {403, `{"success":false,"code":"wallet_forbidden"}`, "wallet_forbidden", "Forbidden", ""},
		"a text that is a code":      {402, `{"error":"insufficient_balance"}`, "insufficient_balance", "insufficient_balance", ""},
		"a JSON string":              {500, `"Something broke"`, "", "Something broke", ""},
		"HTML":                       {502, htmlPage, "", "the answer is not a JSON object: " + htmlPage, ""},
		"nothing at all":             {504, "", "", "Gateway Timeout", ""},
		"truncated JSON":             {500, `{"error":{"code":"inter`, "", `the answer is not a JSON object: {"error":{"code":"inter`, ""},
		"an array":                   {500, `[1]`, "", "the answer is not a JSON object: [1]", ""},
		"members of the wrong types": {500, `{"code":7,"message":null,"error":true}`, "", "Internal Server Error", `{"code":7,"error":true}`},
		"a 200 that is a failure":    {200, `{"success":false,"error":{"code":"internal_error","message":"No"}}`, "internal_error", "No", ""},
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

func TestError_MoneyState(t *testing.T) {
	t.Parallel()
	const spends = "topup_wallet, send_sms to one, send_sms to several, send_group_sms"
	const free = "get_balance, list_sms_history, list_groups, add_contacts"
	for _, c := range []struct {
		name, calls string
		answer      http.HandlerFunc
		money       MoneyState
		retry       RetryAdvice
		unknown     bool
	}{
		{"bad credentials", spends + ", create_group, " + free, respondWith(401, errorBodyJSON("invalid_credentials")), MoneyNotCharged, RetryNever, false},
		{"a revoked key", spends + ", create_group, " + free, respondWith(401, errorBodyJSON("key_revoked")), MoneyNotCharged, RetryNever, false},
		{"another's wallet", spends + ", create_group, " + free, respondWith(403, errorBodyJSON("wallet_forbidden")), MoneyNotCharged, RetryNever, false},
		{"an empty wallet", spends + ", create_group, " + free, respondWith(402, errorBodyJSON("insufficient_balance")), MoneyNotCharged, RetryAfterTopUp, false},
		{"a refused value", spends + ", create_group, " + free, respondWith(422, errorBodyJSON("validation_failed")), MoneyNotCharged, RetryAfterFix, false},
		{"a refusal by the provider, one number", "send_sms to one", respondWith(502, errorBodyJSON("send_failed")), MoneyRefunded, RetryLater, false},
		{"a refusal by the provider, several", "send_sms to several, send_sms to a list, send_group_sms", respondWith(502, errorBodyJSON("send_failed")), MoneyRefunded, RetryCheckFirst, false},
		{"a refused charge, of which nothing is documented", "topup_wallet", respondWith(502, errorBodyJSON("send_failed")), MoneyUnknown, RetryCheckFirst, true},
		{"an internal error", spends, respondWith(500, errorBodyJSON("internal_error")), MoneyUnknown, RetryCheckFirst, true},
		{"a known code under another status", spends, respondWith(422, errorBodyJSON("insufficient_balance")), MoneyUnknown, RetryCheckFirst, true},
		{"a 402 without a code", spends, respondWith(402, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 422 with a code of its own", spends, respondWith(422, errorBodyJSON("too_strange")), MoneyUnknown, RetryCheckFirst, true},
		{"too many requests", spends, respondWith(429, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 502 that is no JSON", spends, respondWith(502, "Bad gateway"), MoneyUnknown, RetryCheckFirst, true},
		{"a redirect", spends, respondWith(302, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 404", spends, respondWith(404, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a success that cannot be read", spends, respondWith(200, "{"), MoneyUnknown, RetryCheckFirst, true},
		{"a success that says false", spends, respondWith(200, errorBodyJSON("insufficient_balance")), MoneyUnknown, RetryCheckFirst, true},
		{"a lost connection", spends, dropConnection, MoneyUnknown, RetryCheckFirst, true},
		{"an internal error", "create_group", respondWith(500, errorBodyJSON("internal_error")), MoneyNotCharged, RetryCheckFirst, true},
		{"a lost connection", "create_group", dropConnection, MoneyNotCharged, RetryCheckFirst, true},
		{"an internal error", free, respondWith(500, errorBodyJSON("internal_error")), MoneyNotCharged, RetryLater, false},
		{"too many requests", free, respondWith(429, ""), MoneyNotCharged, RetryLater, false},
		{"a lost connection", free, dropConnection, MoneyNotCharged, RetryLater, false},
		{"a 404", free, respondWith(404, ""), MoneyNotCharged, RetryNever, false},
		{"a redirect", free, respondWith(302, ""), MoneyNotCharged, RetryNever, false},
		{"a success that cannot be read", free, respondWith(200, "{"), MoneyNotCharged, RetryNever, false},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				e := newTestEnv(t, c.answer).expectError(t, call)
				if e.Money != c.money || e.Advice != c.retry || e.OutcomeUnknown() != c.unknown {
					t.Errorf("%s, %s, unknown %v: %v", e.Money, e.Advice, e.OutcomeUnknown(), e)
				}
			})
		}
	}
}

func TestError_Headers(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"3": 3 * time.Second, "-3": 0, "soon": 0, "": 0, "99999999999": 0, "9999999": 24 * time.Hour} {
		e := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.Header().Set("X-Request-Id", "req_7")
			w.WriteHeader(http.StatusForbidden)
		}).expectError(t, "get_balance")
		if e.RetryAfter != want && header != "99999999999" || e.RequestID != "req_7" || !strings.Contains(e.Error(), "req_7") {
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
		if ok && (err != nil || len(got.Data) != maxResponseBytes) || !ok && (err == nil || !strings.Contains(err.Error(), "longer than 8 MiB")) {
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
		`{"error":{"code":"insufficient_balance","message":"x"}}`, `{"error":"insufficient_balance"}`, `{"success":"false"}`, `{"success":0}`,
		`{"success":null}`, `null`, `false`, `"insufficient_balance"`, `7`, `{"success":true,"error":{"code":"send_failed"}}`,
	} {
		for _, call := range []string{"send_sms to one", "topup_wallet", "create_group"} {
			if e := newTestEnv(t, respondWith(200, body)).expectError(t, call); !e.OutcomeUnknown() {
				t.Errorf("%s, %s: %+v", call, body, e)
			}
		}
	}
	for _, body := range []string{`{}`, `[]`, `{"success":true}`, `{"success":true,"data":null,"error":null}`} {
		if _, err := newTestEnv(t, respondWith(200, body)).Send(t.Context(), SendRequest{WalletID: "w", Message: "m", Recipient: Recipients{"1"}}); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Whatever the server repeats of the secret, in whatever form, is taken out.
func TestRedact_Responses(t *testing.T) {
	t.Parallel()
	const secret = `s&cr<et"99`
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	inside := string(quoted[1 : len(quoted)-1])
	var escapes strings.Builder
	for _, c := range secret {
		fmt.Fprintf(&escapes, `\u%04x`, c)
	}
	forms := map[string]string{ // of a JSON string's inside
		"as it is": inside, "without HTML's escapes": `s&cr<et\"99`, "all escaped": escapes.String(), "with a mark nobody sees": "s&c\u200br<et\\\"99",
		"in a URL": "s%26cr%3Cet%2299", "in a URL, small digits": "s%26cr%3cet%2299", "in a path": "s&cr%3Cet%2299",
		"in the header": base64.StdEncoding.EncodeToString([]byte(testKey + ":" + secret)), "in base64": base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	// What a reader makes of a text: no escapes, and nothing that nobody sees.
	leaks := func(text string) bool {
		for range 2 {
			var str string
			if json.Unmarshal([]byte(`"`+strings.NewReplacer(`"`, `\"`, "\u200b", "").Replace(text)+`"`), &str) == nil {
				text += str
			}
		}
		for _, part := range []string{secret, "s&cr", "s%26cr", `\u0073\u0026`, "cyZjcjxldCI5OQ", base64.StdEncoding.EncodeToString([]byte(testKey + ":"))[:12]} {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{
				`{"error":{"code":"` + form + `","message":"` + form + `","fields":{"` + form + `":["` + form + `"]}}}`,
				`{"code":"` + form + `"}`, `{"error":"` + form + `"}`, `"` + form + `"`, `{"more":"` + form + `"}`, `not JSON: ` + form,
				`{"message":"` + strings.Repeat("a", maxErrorTextBytes-5) + form + `"}`,
			} {
				if name == "all escaped" && strings.HasPrefix(body, "not") {
					continue // where nobody would read it so
				}
				env := newTestEnv(t, respondWith(422, body))
				env.setSecret(t, secret)
				if e := env.expectError(t, "send_sms to one"); leaks(e.Error()) || leaks(e.Code) || leaks(e.Details) {
					t.Errorf("%s: %v, %q, %s", body, e, e.Code, e.Details)
				}
			}
			env := newTestEnv(t, respondWith(200, `{"success":true,"data":{"a":"`+form+`","b":[1.10,"`+form+`"]},"`+form+`":"`+form+`"}`))
			env.setSecret(t, secret)
			got, err := env.Balance(t.Context(), BalanceRequest{"w"})
			if err != nil || leaks(string(got.Data)) || leaks(fmt.Sprintf("%s", got.Meta)) || !strings.Contains(string(got.Data), "1.10") {
				t.Errorf("%s %s, %v", got.Data, got.Meta, err)
			}
		})
	}
	// A redirect may name it, and a page may have it where it is cut.
	env := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://secret-of-the-operator.test/")
		w.WriteHeader(307)
	})
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.Error(), "secret-of") || !strings.Contains(e.Message, "https://"+redacted) {
		t.Error(e)
	}
	env = newTestEnv(t, respondWith(422, strings.Repeat("a", 190)+"secret-of-the-operator"))
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.Error(), "asec") {
		t.Error(e)
	}
	// A name that is cut keeps no beginning of it.
	env = newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", strings.Repeat("a", 124)+"secret-of-the-operator")
		w.WriteHeader(500)
	})
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.RequestID, "sec") {
		t.Error(e.RequestID)
	}
	for _, base := range []string{"https://a.test/?s=hidden-word", "https://a.test/hidden-word/api/v1", "ftp://a.test/hidden-word", "https://hidden-word?x"} {
		if _, err := New(Options{BaseURL: base, APISecret: NewSecret("hidden-word")}); err == nil || strings.Contains(err.Error(), "hidden-word") {
			t.Error(err)
		}
	}
}

func TestAddContacts_RetryKeepsFirstError(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	dials := 0
	transport := env.writeHTTP.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials == 2 {
			addr = strings.TrimPrefix(unreachableURL, "http://")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	if e := env.expectError(t, "add_contacts"); !e.Sent {
		t.Errorf("%+v", e)
	}
}
