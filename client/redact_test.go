package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
)

func TestRedact_ServerText(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, func(w http.ResponseWriter, r *http.Request) {
		basicAuth := strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
		w.Header().Set("X-Request-Id", "req_"+testSecret)
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": testSecret, "message": testSecret + " " + basicAuth,
			"more": basicAuth})
	})
	e := env.expectError(t, "get_balance")
	text := fmt.Sprintf("%v %+v %#v", e, *e, e)
	if strings.Contains(text, testSecret) || strings.Contains(text, "c2tfdGVzdF") ||
		!strings.Contains(e.Message, redacted) {
		t.Error(text)
	}
}

// leaks tells whether a reader could find the secret in a text, with the escapes and
// the invisible characters removed.
func leaks(secret, text string) bool {
	for range 3 {
		text += html.UnescapeString(percentDecode(text))
	}
	for range 2 {
		var str string
		if json.Unmarshal([]byte(`"`+strings.NewReplacer(`"`, `\"`, "\u200b", "").Replace(text)+`"`), &str) == nil {
			text += str
		}
	}
	for _, part := range []string{secret, "s&cr", "s%26cr", `\u0073\u0026`, "cyZjcjxldCI5OQ",
		base64.StdEncoding.EncodeToString([]byte(testKey + ":"))[:12]} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// The secret is removed from a response in every encoding.
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
		"as it is": inside, "without HTML's escapes": `s&cr<et\"99`, "all escaped": escapes.String(),
		"with a mark nobody sees": "s&c\u200br<et\\\"99",
		"in a URL":                "s%26cr%3Cet%2299", "in a URL, small digits": "s%26cr%3cet%2299",
		"in a path":            "s&cr%3Cet%2299",
		"in the header":        base64.StdEncoding.EncodeToString([]byte(testKey + ":" + secret)),
		"in HTML's names":      "s&amp;cr&lt;et&quot;99",
		"in HTML's numbers":    "&#115;&#38;cr&#x3c;et&#X22;99",
		"in HTML, twice":       "s&amp;amp;cr&amp;lt;et&amp;quot;99",
		"every byte in a URL":  "%73%26%63%72%3c%65%74%22%39%39",
		"in a URL, twice":      "s%2526cr%253Cet%252299",
		"in a URL and in HTML": "s%26amp%3Bcr&#37;3Cet%2299",
		"some bytes in a URL":  "s&c%72%3Cet%2299",
		"in base64":            base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{
				`{"error":{"code":"` + form + `","message":"` + form + `","fields":{"` + form + `":["` + form + `"]}}}`,
				`{"code":"` + form + `"}`, `{"error":"` + form + `"}`, `"` + form + `"`, `{"more":"` + form + `"}`,
				`not JSON: ` + form,
				`{"message":"` + strings.Repeat("a", maxErrorTextBytes-5) + form + `"}`,
			} {
				if name == "all escaped" && strings.HasPrefix(body, "not") {
					continue // where nobody would read it so
				}
				env := newTestEnv(t, respondWith(422, body))
				env.setSecret(t, secret)
				if e := env.expectError(t, "send_sms to one"); leaks(secret, e.Error()) || leaks(secret, e.Code) ||
					leaks(secret, e.Details) {
					t.Errorf("%s: %v, %q, %s", body, e, e.Code, e.Details)
				}
			}
			env := newTestEnv(t, respondWith(200, `{"success":true,"data":{"a":"`+form+`","b":[1.10,"`+form+`"]},"`+form+`":"`+
				form+`"}`))
			env.setSecret(t, secret)
			got, err := env.Balance(t.Context(), BalanceRequest{"w"})
			if err != nil || leaks(secret, string(got.Data)) || leaks(secret, fmt.Sprintf("%s", got.Meta)) ||
				!strings.Contains(string(got.Data), "1.10") {
				t.Errorf("%s %s, %v", got.Data, got.Meta, err)
			}
		})
	}
}

func TestRedact_Truncated(t *testing.T) {
	t.Parallel()
	// A redirect may name it.
	env := newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://secret-of-the-operator.test/")
		w.WriteHeader(307)
	})
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.Error(), "secret-of") ||
		!strings.Contains(e.Message, "https://"+redacted) {
		t.Error(e)
	}
	// A page may have it where it is cut.
	env = newTestEnv(t, respondWith(422, strings.Repeat("a", 190)+"secret-of-the-operator"))
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.Error(), "asec") {
		t.Error(e)
	}
	// So may a request id.
	env = newTestEnv(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", strings.Repeat("a", 124)+"secret-of-the-operator")
		w.WriteHeader(500)
	})
	env.setSecret(t, "secret-of-the-operator")
	if e := env.expectError(t, "send_sms to one"); strings.Contains(e.RequestID, "sec") {
		t.Error(e.RequestID)
	}
}

func TestRedact_BaseURL(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://a.test/?s=hidden-word", "https://a.test/hidden-word/api/v1",
		"ftp://a.test/hidden-word", "https://hidden-word?x"} {
		if _, err := New(Options{BaseURL: base, APISecret: NewSecret("hidden-word")}); err == nil ||
			strings.Contains(err.Error(), "hidden-word") {
			t.Error(err)
		}
	}
}
