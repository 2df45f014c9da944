package callers

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
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

func basic(text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

// own makes callers of credentials, and tells what it made them of.
func own(seen *[]string) Own {
	return Own{
		API: func(key string, secret client.Secret) (guard.API, error) {
			*seen = append(*seen, key, secret.Reveal())
			return client.New(client.Options{Key: key, Secret: secret})
		},
		ID: func(_ context.Context, parts ...string) (string, error) { return strings.Join(parts, "|"), nil },
	}
}

func TestEachRequestBringsItsOwnCredentials(t *testing.T) {
	t.Parallel()
	var seen []string
	o := own(&seen)
	h := http.Header{"Authorization": {basic("key:sec:ret")}, tools.WalletHeader: {" wal_1 "}}
	who, err := o.Identify(h)
	if err != nil || len(seen) != 0 {
		t.Fatalf("%v, %q were used before a call", err, seen)
	}
	c, err := who(t.Context())
	if err != nil || c.ID != "key|sec:ret" || c.Wallet != "wal_1" || c.API == nil || c.Limits != nil || c.ReadOnly || strings.Join(seen, " ") != "key sec:ret" {
		t.Errorf("%+v %v %q", c, err, seen)
	}
	h.Set("Authorization", strings.Replace(basic("key:sec:ret"), "Basic", "bASIC", 1))
	if who, err := o.Identify(h); err != nil || who == nil {
		t.Errorf("in another case: %v", err)
	}
	if who, err := o.Identify(http.Header{tools.WalletHeader: {"wal_1"}}); err != nil || who != nil {
		t.Errorf("without credentials: %v", err)
	}
	if !strings.HasPrefix(o.Challenge(), "Basic realm=") {
		t.Error(o.Challenge())
	}
}

func TestHalfOfACredentialIsNone(t *testing.T) {
	t.Parallel()
	var seen []string
	o := own(&seen)
	for name, values := range map[string][]string{
		"nothing": {""}, "no scheme": {"key:secret"}, "another scheme": {"Bearer " + strings.Repeat("x", 40)}, "no credentials": {"Basic"}, "an empty one": {"Basic "},
		"no base64": {"Basic key:secret"}, "cut base64": {basic("key:secret")[:10]}, "no colon": {basic("key")}, "no key": {basic(":secret")}, "no secret": {basic("key:")},
		"a line break": {basic("key:sec\nret")}, "no UTF-8": {basic("key:\xff")}, "a long one": {basic("key:" + strings.Repeat("x", longest+1))},
		"a placeholder": {"${WESENDALL_BASIC}"}, "a placeholder within": {basic("key:${SECRET}")}, "another placeholder": {basic("YOUR_KEY:secret")},
		"two": {basic("key:secret"), basic("key:secret")},
	} {
		who, err := o.Identify(http.Header{"Authorization": values, tools.WalletHeader: {"wal_1"}})
		if err == nil || who != nil || len(seen) > 0 {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "secret:") || strings.Contains(err.Error(), "ret\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, values := range map[string][]string{
		"none": nil, "an empty one": {" "}, "a placeholder": {"${WALLET}"}, "another": {"YOUR_WALLET_ID"}, "a third": {"<wallet>"},
		"a control character": {"wal\x01"}, "a long one": {strings.Repeat("w", longest+1)}, "two": {"wal_1", "wal_2"},
	} {
		who, err := o.Identify(http.Header{"Authorization": {basic("key:secret")}, tools.WalletHeader: values})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := who(t.Context()); err == nil || !strings.Contains(err.Error(), tools.WalletHeader) || len(seen) > 0 {
			t.Errorf("a wallet: %s: %v", name, err)
		}
	}
}

// tokenOf is a token that nobody would guess, were it not for a test.
func tokenOf(c string) string { return strings.Repeat(c, 32) }

// keep writes a file that only its owner may read, as one that is replaced.
func keep(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func openTokens(t *testing.T, text string) (tokens *Tokens, path string, log *strings.Builder) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), "tokens"), &strings.Builder{}
	keep(t, path, text)
	api, err := client.New(client.Options{Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err = OpenTokens(path, api, "wal_1", guard.Defaults().Limits, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tokens, path, log
}

func TestATokenNamesItsHolder(t *testing.T) {
	t.Parallel()
	s, _, _ := openTokens(t, "# who may call\n\n  anna\t"+tokenOf("a")+"\r\nbot-1 "+tokenOf("b")+" max-per-call=100 max-per-day=200 max-topup=0 max-recipients=3 confirm-above=5 read-only\n")
	who, err := s.Identify(bearer(tokenOf("a")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := who(t.Context())
	if err != nil || c.ID != "anna" || c.Wallet != "wal_1" || c.API == nil || c.ReadOnly || *c.Limits != guard.NoLimits() {
		t.Errorf("%+v %v", c, err)
	}
	h := bearer(tokenOf("b"))
	h.Set(tools.WalletHeader, "wal_1")
	if who, err = s.Identify(h); err != nil {
		t.Fatal(err)
	}
	c, err = who(t.Context())
	want := guard.NoLimits()
	want.PerCall, want.PerDay, want.TopUp, want.Recipients, want.ConfirmAbove = 100, 200, 0, 3, 5
	if err != nil || c.ID != "bot-1" || !c.ReadOnly || *c.Limits != want {
		t.Errorf("%+v %v", c, err)
	}
	h.Set(tools.WalletHeader, "wal_2")
	if who, err = s.Identify(h); err != nil {
		t.Fatal(err)
	}
	if _, err := who(t.Context()); err == nil {
		t.Error("another wallet is taken")
	}
	if who, err := s.Identify(http.Header{}); err != nil || who != nil {
		t.Errorf("without a token: %v", err)
	}
	for name, h := range map[string]http.Header{
		"an unknown one": bearer(tokenOf("c")), "the beginning of one": bearer(tokenOf("a")[1:]), "more than one": bearer(tokenOf("a") + "a"), "none": bearer(""),
		"a name": bearer("anna"), "a key and a secret": {"Authorization": {basic("anna:" + tokenOf("a"))}}, "two": {"Authorization": {"Bearer " + tokenOf("a"), "Bearer " + tokenOf("b")}},
	} {
		if who, err := s.Identify(h); err == nil || who != nil || strings.Contains(err.Error(), tokenOf("a")[1:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(s.Challenge(), "Bearer ") {
		t.Error(s.Challenge())
	}
}

func TestAFileOfTokensIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	a, b := "anna "+tokenOf("a")+"\n", "ben "+tokenOf("b")+"\n"
	s, path, log := openTokens(t, a+b)
	holds := func(step string, want ...string) {
		t.Helper()
		var names []string
		for _, each := range []string{"a", "b", "c"} {
			if found := s.find(tokenOf(each)); found != nil {
				names = append(names, found.name)
			}
		}
		if fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("%s: %v", step, names)
		}
		if strings.Contains(log.String(), tokenOf("a")) || strings.Contains(log.String(), tokenOf("b")) {
			t.Errorf("%s: a token is in the log", step)
		}
	}
	holds("at first", "anna", "ben")
	keep(t, path, a+"cleo "+tokenOf("c")+"\n")
	holds("with one taken out and one put in", "anna", "cleo")
	keep(t, path, a+b+"broken\n")
	holds("with a broken line, and without one of before", "anna")
	keep(t, path, "#"+a+b+"broken\n")
	holds("with the last one made a comment")
	keep(t, path, b)
	holds("mended", "ben")
	keep(t, path, strings.TrimSpace(b)+" read-only\nbroken\n")
	holds("with a line that changed, beside a broken one")
	keep(t, path, b)
	holds("mended again", "ben")
	keep(t, path, "")
	holds("empty")
	keep(t, path, b)
	holds("filled", "ben")
	if err := os.Chmod(path, 0o604); err != nil { //nolint:gosec // which must not be taken
		t.Fatal(err)
	}
	holds("for all to read, with what was before", "ben")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	holds("gone")
	keep(t, path, a)
	holds("back", "anna")
	if n := strings.Count(log.String(), "level=ERROR"); n != 6 {
		t.Errorf("%d faults were logged:\n%s", n, log)
	}
}

func TestWhatIsWrongWithAFileOfTokensIsSaidByLine(t *testing.T) {
	t.Parallel()
	good := "anna " + tokenOf("a")
	for text, says := range map[string]string{
		"":                                      "no token",
		"# nothing\n":                           "no token",
		"anna":                                  "line 1: the token is missing",
		good + "\n" + tokenOf("b") + " ben":     "line 2: the token must have 32",
		good + "\nben " + tokenOf("b")[1:]:      "line 2: the token must have 32",
		"an/na " + tokenOf("a"):                 "line 1: the name",
		"anna " + tokenOf("é"):                  "line 1: the token has characters",
		good + "\nanna " + tokenOf("b"):         "line 2: the name or the token stands in an earlier line",
		good + "\nben " + tokenOf("a"):          "line 2: the name or the token stands in an earlier line",
		good + " " + tokenOf("b"):               "line 1: field 3 is no limit",
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
		if _, err := parseTokens(text, guard.Defaults().Limits); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), tokenOf("b")[1:]) {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens")
	keep(t, path, good)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // which must not be taken
		t.Fatal(err)
	}
	if _, err := OpenTokens(path, nil, "", guard.Limits{}, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := OpenTokens(path+"x", nil, "", guard.Limits{}, nil); err == nil {
		t.Error("a file that is not there is read")
	}
}

// lower tells whether a token's limit tightens the server's, or is none.
func lower(own, server int64) bool { return own <= server || own >= 1<<30 }

func FuzzAFileOfTokens(f *testing.F) {
	f.Add("anna " + tokenOf("a") + " max-per-call=1 read-only\n# x\nben " + tokenOf("b"))
	f.Add(tokenOf("secret") + " x")
	f.Fuzz(func(t *testing.T, text string) {
		server := guard.Defaults().Limits
		tokens, err := parseTokens(text, server)
		if err != nil {
			for field := range strings.FieldsSeq(text) {
				if len(field) >= shortest && strings.Contains(err.Error(), field) {
					t.Errorf("%v quotes the file", err)
				}
			}
			return
		}
		for _, each := range tokens {
			l := each.limits
			if !tokenName.MatchString(each.name) || !lower(l.PerCall, server.PerCall) || !lower(l.PerDay, server.PerDay) || !lower(l.TopUp, server.TopUp) || !lower(int64(l.Recipients), int64(server.Recipients)) || !lower(l.ConfirmAbove, server.ConfirmAbove) {
				t.Errorf("%+v", each)
			}
		}
	})
}

func FuzzAnAuthorization(f *testing.F) {
	f.Add(basic("key:secret"), "wal_1")
	f.Add("Basic x", "${W}")
	f.Fuzz(func(t *testing.T, authorization, wallet string) {
		var seen []string
		o := own(&seen)
		who, err := o.Identify(http.Header{"Authorization": {authorization}, tools.WalletHeader: {wallet}})
		if err != nil || who == nil {
			if len(seen) > 0 || err == nil {
				t.Error("a call could be made")
			}
			return
		}
		c, err := who(t.Context())
		if err != nil {
			c = tools.Caller{Wallet: "x"}
		}
		if c.Wallet == "" || len(seen) != 0 && (seen[0] == "" || seen[1] == "") {
			t.Errorf("%q %+v", seen, c)
		}
	})
}
