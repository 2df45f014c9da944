package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

func basicHeader(text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

// newBasicAuth makes callers of credentials, and tells what it made them of.
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
	if err != nil || c.ID != "key|sec:ret" || c.Wallet != "wal_1" || c.Client == nil || c.Limits != nil || c.ReadOnly || strings.Join(used, " ") != "key sec:ret" {
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
		"nothing": {""}, "no scheme": {"key:secret"}, "another scheme": {"Bearer " + strings.Repeat("x", 40)}, "no credentials": {"Basic"}, "an empty one": {"Basic "},
		"no base64": {"Basic key:secret"}, "cut base64": {basicHeader("key:secret")[:10]}, "no colon": {basicHeader("key")}, "no key": {basicHeader(":secret")}, "no secret": {basicHeader("key:")},
		"a line break": {basicHeader("key:sec\nret")}, "no UTF-8": {basicHeader("key:\xff")}, "a long one": {basicHeader("key:" + strings.Repeat("x", maxCredentialLen+1))},
		"a placeholder": {"${WESENDALL_BASIC}"}, "a placeholder within": {basicHeader("key:${SECRET}")}, "another placeholder": {basicHeader("YOUR_KEY:secret")},
		"two": {basicHeader("key:secret"), basicHeader("key:secret")},
	} {
		resolve, err := o.Authenticate(http.Header{"Authorization": values, tools.WalletHeader: {"wal_1"}})
		if err == nil || resolve != nil || len(used) > 0 {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret:") || strings.Contains(err.Error(), "ret\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, values := range map[string][]string{
		"none": nil, "an empty one": {" "}, "a placeholder": {"${WALLET}"}, "another": {"YOUR_WALLET_ID"}, "a third": {"<wallet>"},
		"a control character": {"wal\x01"}, "a long one": {strings.Repeat("w", maxCredentialLen+1)}, "two": {"wal_1", "wal_2"},
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

// testToken is a token that nobody would guess, were it not for a test.
func testToken(c string) string { return strings.Repeat(c, 32) }

// replaceFile writes a file that only its owner may read, as one that is replaced.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func bearerHeader(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func openTokenFile(t *testing.T, text string) (tokens *TokenFile, path string, log *strings.Builder) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), "tokens"), &strings.Builder{}
	replaceFile(t, path, text)
	api, err := client.New(client.Options{APIKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err = OpenTokenFile(path, api, "wal_1", guard.DefaultOptions().Limits, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tokens, path, log
}

func TestTokens_IdentifyCaller(t *testing.T) {
	t.Parallel()
	s, _, _ := openTokenFile(t, "# who may call\n\n  anna\t"+testToken("a")+"\r\nbot-1 "+testToken("b")+" max-per-call=100 max-per-day=200 max-topup=0 max-recipients=3 confirm-above=5 read-only\n")
	resolve, err := s.Authenticate(bearerHeader(testToken("a")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := resolve(t.Context())
	if err != nil || c.ID != "anna" || c.Wallet != "wal_1" || c.Client == nil || c.ReadOnly || *c.Limits != guard.Unlimited() {
		t.Errorf("%+v %v", c, err)
	}
	h := bearerHeader(testToken("b"))
	h.Set(tools.WalletHeader, "wal_1")
	if resolve, err = s.Authenticate(h); err != nil {
		t.Fatal(err)
	}
	c, err = resolve(t.Context())
	want := guard.Unlimited()
	want.PerCall, want.PerDay, want.TopUp, want.Recipients, want.ConfirmAbove = 100, 200, 0, 3, 5
	if err != nil || c.ID != "bot-1" || !c.ReadOnly || *c.Limits != want {
		t.Errorf("%+v %v", c, err)
	}
	h.Set(tools.WalletHeader, "wal_2")
	if resolve, err = s.Authenticate(h); err != nil {
		t.Fatal(err)
	}
	if _, err := resolve(t.Context()); err == nil {
		t.Error("another wallet is taken")
	}
	if resolve, err := s.Authenticate(http.Header{}); err != nil || resolve != nil {
		t.Errorf("without a token: %v", err)
	}
	for name, h := range map[string]http.Header{
		"an unknown one": bearerHeader(testToken("c")), "the beginning of one": bearerHeader(testToken("a")[1:]), "more than one": bearerHeader(testToken("a") + "a"), "none": bearerHeader(""),
		"a name": bearerHeader("anna"), "a key and a secret": {"Authorization": {basicHeader("anna:" + testToken("a"))}}, "two": {"Authorization": {"Bearer " + testToken("a"), "Bearer " + testToken("b")}},
	} {
		if resolve, err := s.Authenticate(h); err == nil || resolve != nil || strings.Contains(err.Error(), testToken("a")[1:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(s.Challenge(), "Bearer ") {
		t.Error(s.Challenge())
	}
}

func TestTokenFile_Reload(t *testing.T) {
	t.Parallel()
	a, b := "anna "+testToken("a")+"\n", "ben "+testToken("b")+"\n"
	s, path, log := openTokenFile(t, a+b)
	expectHolders := func(step string, want ...string) {
		t.Helper()
		var names []string
		for _, letter := range []string{"a", "b", "c"} {
			if match := s.lookup(testToken(letter)); match != nil {
				names = append(names, match.name)
			}
		}
		if fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("%s: %v", step, names)
		}
		if strings.Contains(log.String(), testToken("a")) || strings.Contains(log.String(), testToken("b")) {
			t.Errorf("%s: a token is in the log", step)
		}
	}
	expectHolders("at first", "anna", "ben")
	replaceFile(t, path, a+"cleo "+testToken("c")+"\n")
	expectHolders("with one taken out and one put in", "anna", "cleo")
	replaceFile(t, path, a+b+"broken\n")
	expectHolders("with a broken line, and without one of before", "anna")
	replaceFile(t, path, "#"+a+b+"broken\n")
	expectHolders("with the last one made a comment")
	replaceFile(t, path, b)
	expectHolders("mended", "ben")
	replaceFile(t, path, strings.TrimSpace(b)+" read-only\nbroken\n")
	expectHolders("with a line that changed, beside a broken one")
	replaceFile(t, path, b)
	expectHolders("mended again", "ben")
	replaceFile(t, path, "")
	expectHolders("empty")
	replaceFile(t, path, b)
	expectHolders("filled", "ben")
	if err := os.Chmod(path, 0o604); err != nil { //nolint:gosec // which must not be taken
		t.Fatal(err)
	}
	expectHolders("for all to read, with what was before", "ben")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expectHolders("gone")
	replaceFile(t, path, a)
	expectHolders("back", "anna")
	if n := strings.Count(log.String(), "level=ERROR"); n != 6 {
		t.Errorf("%d faults were logged:\n%s", n, log)
	}
}

func TestTokenFile_ErrorsNameLine(t *testing.T) {
	t.Parallel()
	good := "anna " + testToken("a")
	for text, want := range map[string]string{
		"":                                      "no token",
		"# nothing\n":                           "no token",
		"anna":                                  "line 1: the token is missing",
		good + "\n" + testToken("b") + " ben":   "line 2: the token must have 32",
		good + "\nben " + testToken("b")[1:]:    "line 2: the token must have 32",
		"an/na " + testToken("a"):               "line 1: the name",
		"anna " + testToken("é"):                "line 1: the token has characters",
		good + "\nanna " + testToken("b"):       "line 2: the name or the token stands in an earlier line",
		good + "\nben " + testToken("a"):        "line 2: the name or the token stands in an earlier line",
		good + " " + testToken("b"):             "line 1: field 3 is no limit",
		good + " max-per-cal=1":                 "line 1: field 3 is no limit",
		good + " read-only=yes":                 "line 1: field 3 is no limit",
		good + " max-per-call":                  "line 1: max-per-call= must be followed",
		good + " max-per-call=":                 "line 1: max-per-call= must be followed",
		good + " max-per-call=-1":               "line 1: max-per-call= must be followed",
		good + " max-per-call=1e3":              "line 1: max-per-call= must be followed",
		good + " max-per-call=50001":            "line 1: max-per-call is above the server's own limit of 50000",
		good + " max-per-call=1 max-per-call=1": "line 1: max-per-call is given twice",
		good + " read-only read-only":           "line 1: read-only is given twice",
	} {
		if _, err := parseTokenFile(text, guard.DefaultOptions().Limits); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testToken("b")[1:]) {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens")
	replaceFile(t, path, good)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // which must not be taken
		t.Fatal(err)
	}
	if _, err := OpenTokenFile(path, nil, "", guard.Limits{}, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := OpenTokenFile(path+"x", nil, "", guard.Limits{}, nil); err == nil {
		t.Error("a file that is not there is read")
	}
}

// isTighter tells whether a token's limit tightens the server's, or is none.
func isTighter(own, server int64) bool { return own <= server || own >= 1<<30 }

func FuzzTokenFile(f *testing.F) {
	f.Add("anna " + testToken("a") + " max-per-call=1 read-only\n# x\nben " + testToken("b"))
	f.Add(testToken("secret") + " x")
	f.Fuzz(func(t *testing.T, text string) {
		server := guard.DefaultOptions().Limits
		tokens, err := parseTokenFile(text, server)
		if err != nil {
			for field := range strings.FieldsSeq(text) {
				if len(field) >= minTokenLen && strings.Contains(err.Error(), field) {
					t.Errorf("%v quotes the file", err)
				}
			}
			return
		}
		for _, tok := range tokens {
			limits := tok.limits
			if !tokenNamePattern.MatchString(tok.name) || !isTighter(limits.PerCall, server.PerCall) || !isTighter(limits.PerDay, server.PerDay) || !isTighter(limits.TopUp, server.TopUp) || !isTighter(int64(limits.Recipients), int64(server.Recipients)) || !isTighter(limits.ConfirmAbove, server.ConfirmAbove) {
				t.Errorf("%+v", tok)
			}
		}
	})
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
