package auth

import (
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

// testToken returns a valid token that repeats c.
func testToken(c string) string { return strings.Repeat(c, 32) }

// replaceFile replaces a file by one that only its owner may read.
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
	s, _, _ := openTokenFile(t, "# who may call\n\n  anna\t"+testToken("a")+"\r\nbot-1 "+testToken("b")+
		" max-per-call=100 max-per-day=200 max-topup=0 max-recipients=3 confirm-above=5 read-only\n")
	resolve, err := s.Authenticate(bearerHeader(testToken("a")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := resolve(t.Context())
	if err != nil || c.ID != "anna" || c.Wallet != "wal_1" || c.Client == nil || c.ReadOnly ||
		*c.Limits != guard.Unlimited() {
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
		"an unknown one": bearerHeader(testToken("c")), "the beginning of one": bearerHeader(testToken("a")[1:]),
		"more than one": bearerHeader(testToken("a") + "a"), "none": bearerHeader(""),
		"a name": bearerHeader("anna"), "a key and a secret": {"Authorization": {basicHeader("anna:" + testToken("a"))}},
		"two": {"Authorization": {"Bearer " + testToken("a"), "Bearer " + testToken("b")}},
	} {
		if resolve, err := s.Authenticate(h); err == nil || resolve != nil ||
			strings.Contains(err.Error(), testToken("a")[1:]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(s.Challenge(), "Bearer ") {
		t.Error(s.Challenge())
	}
}

func TestTokenFile_ByteOrderMark(t *testing.T) {
	t.Parallel()
	s, _, _ := openTokenFile(t, "\ufeffanna "+testToken("a")+"\n")
	resolve, err := s.Authenticate(bearerHeader(testToken("a")))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := resolve(t.Context()); err != nil || c.ID != "anna" {
		t.Errorf("%+v %v", c, err)
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
	expectHolders("corrected", "ben")
	replaceFile(t, path, strings.TrimSpace(b)+" read-only\nbroken\n")
	expectHolders("with a line that changed, beside a broken one")
	replaceFile(t, path, b)
	expectHolders("corrected again", "ben")
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

// A file that was replaced by one of the same size, with the time of the old one, is
// noticed: in place, and by a rename.
func TestTokenFile_SameSizeAndTime(t *testing.T) {
	t.Parallel()
	s, path, _ := openTokenFile(t, "anna "+testToken("a")+"\n")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for step, letter := range []string{"b", "c"} {
		text := "anna " + testToken(letter) + "\n"
		if step == 0 {
			err = os.WriteFile(path, []byte(text), 0o600)
		} else {
			replaceFile(t, path, text)
		}
		if err := errors.Join(err, os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(path)
		if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
			t.Fatal(after, err)
		}
		if s.lookup(testToken("a")) != nil || s.lookup(testToken(letter)) == nil {
			t.Errorf("step %d: the old token is still accepted", step)
		}
	}
}

// The ledger knows a caller by the id, so that a new name keeps the budget.
func TestTokens_RenameKeepsID(t *testing.T) {
	t.Parallel()
	s, path, log := openTokenFile(t, "anna "+testToken("a")+" id=t1\nben "+testToken("b")+"\n")
	callerID := func(letter string) string {
		t.Helper()
		resolve, err := s.Authenticate(bearerHeader(testToken(letter)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	if callerID("a") != "t1" || callerID("b") != "ben" || s.CountWithoutID() != 1 {
		t.Errorf("%s %s", callerID("a"), callerID("b"))
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "tokens=1") {
		t.Errorf("%s", log)
	}
	replaceFile(t, path, "anne "+testToken("a")+" id=t1 read-only\nbenjamin "+testToken("b")+" id=ben\n")
	if callerID("a") != "t1" || callerID("b") != "ben" || s.CountWithoutID() != 0 {
		t.Errorf("%s %s", callerID("a"), callerID("b"))
	}
}
