package auth

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

func basicHeader(text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

// newBasicAuth returns a BasicAuth that records the credentials it made clients with.
func newBasicAuth(used *[]string) BasicAuth {
	return BasicAuth{
		NewClient: func(key string, secret client.Secret) (guard.API, error) {
			*used = append(*used, key, secret.Reveal())
			return client.New(client.Options{APIKey: key, APISecret: secret})
		},
		CallerID: func(_ context.Context, parts ...string) (string, error) { return strings.Join(parts, "|"), nil },
	}
}

func TestBasicAuth_PerRequest(t *testing.T) {
	t.Parallel()
	var used []string
	o := newBasicAuth(&used)
	h := http.Header{"Authorization": {basicHeader("key:sec:ret")}, tools.WalletHeader: {" wal_1 "}}
	resolve, err := o.Authenticate(h)
	if err != nil || len(used) != 0 {
		t.Fatalf("%v, %q were used before a call", err, used)
	}
	c, err := resolve(t.Context())
	if err != nil || c.ID != "key|sec:ret" || c.Wallet != "wal_1" || c.Client == nil || c.Limits != nil || c.ReadOnly ||
		strings.Join(used, " ") != "key sec:ret" {
		t.Errorf("%+v %v %q", c, err, used)
	}
	h.Set("Authorization", strings.Replace(basicHeader("key:sec:ret"), "Basic", "bASIC", 1))
	if resolve, err := o.Authenticate(h); err != nil || resolve == nil {
		t.Errorf("in another case: %v", err)
	}
	if resolve, err := o.Authenticate(http.Header{tools.WalletHeader: {"wal_1"}}); err != nil || resolve != nil {
		t.Errorf("without credentials: %v", err)
	}
	if !strings.HasPrefix(o.Challenge(), "Basic realm=") {
		t.Error(o.Challenge())
	}
}

func TestBasicAuth_Incomplete(t *testing.T) {
	t.Parallel()
	var used []string
	o := newBasicAuth(&used)
	for name, values := range map[string][]string{
		"nothing": {""}, "no scheme": {"key:secret"}, "another scheme": {"Bearer " + strings.Repeat("x", 40)},
		"no credentials": {"Basic"}, "an empty one": {"Basic "},
		"no base64": {"Basic key:secret"}, "cut base64": {basicHeader("key:secret")[:10]}, "no colon": {basicHeader("key")},
		"no key": {basicHeader(":secret")}, "no secret": {basicHeader("key:")},
		"a line break": {basicHeader("key:sec\nret")}, "no UTF-8": {basicHeader("key:\xff")},
		"a long one":    {basicHeader("key:" + strings.Repeat("x", maxCredentialLen+1))},
		"a placeholder": {"${WESENDALL_BASIC}"}, "a placeholder within": {basicHeader("key:${SECRET}")},
		"another placeholder": {basicHeader("YOUR_KEY:secret")},
		"two":                 {basicHeader("key:secret"), basicHeader("key:secret")},
	} {
		resolve, err := o.Authenticate(http.Header{"Authorization": values, tools.WalletHeader: {"wal_1"}})
		if err == nil || resolve != nil || len(used) > 0 {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret:") || strings.Contains(err.Error(), "ret\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, values := range map[string][]string{
		"none": nil, "an empty one": {" "}, "a placeholder": {"${WALLET}"}, "another": {"YOUR_WALLET_ID"},
		"a third":             {"<wallet>"},
		"a control character": {"wal\x01"}, "a long one": {strings.Repeat("w", maxCredentialLen+1)},
		"two": {"wal_1", "wal_2"},
	} {
		resolve, err := o.Authenticate(http.Header{"Authorization": {basicHeader("key:secret")}, tools.WalletHeader: values})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resolve(t.Context()); err == nil || !strings.Contains(err.Error(), tools.WalletHeader) || len(used) > 0 {
			t.Errorf("a wallet: %s: %v", name, err)
		}
	}
}

func FuzzAuthorizationHeader(f *testing.F) {
	f.Add(basicHeader("key:secret"), "wal_1")
	f.Add("Basic x", "${W}")
	f.Fuzz(func(t *testing.T, authorization, wallet string) {
		var used []string
		o := newBasicAuth(&used)
		resolve, err := o.Authenticate(http.Header{"Authorization": {authorization}, tools.WalletHeader: {wallet}})
		if err != nil || resolve == nil {
			if len(used) > 0 || err == nil {
				t.Error("a call could be made")
			}
			return
		}
		c, err := resolve(t.Context())
		if err != nil {
			c = tools.Caller{Wallet: "x"}
		}
		if c.Wallet == "" || len(used) != 0 && (used[0] == "" || used[1] == "") {
			t.Errorf("%q %+v", used, c)
		}
	})
}
