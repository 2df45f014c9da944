package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

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
		good + "\nanna " + testToken("b"):       "line 2: an earlier line has the same name or token",
		good + "\nben " + testToken("a"):        "line 2: an earlier line has the same name or token",
		good + " " + testToken("b"):             "line 1: field 3 is not a limit",
		good + " max-per-cal=1":                 "line 1: field 3 is not a limit",
		good + " read-only=yes":                 "line 1: field 3 is not a limit",
		good + " max-per-call":                  "line 1: max-per-call= must be followed",
		good + " max-per-call=":                 "line 1: max-per-call= must be followed",
		good + " max-per-call=-1":               "line 1: max-per-call= must be followed",
		good + " max-per-call=1e3":              "line 1: max-per-call= must be followed",
		good + " max-per-call=50001":            "line 1: max-per-call is above the server's own limit of 50000",
		good + " max-per-call=1 max-per-call=1": "line 1: max-per-call is given twice",
		good + " read-only read-only":           "line 1: read-only is given twice",
		good + " id=":                           "line 1: id= must be followed",
		good + " id":                            "line 1: field 3 is not a limit",
		good + " id=a/b":                        "line 1: id= must be followed",
		good + " id=" + testToken("b") + testToken("b") + "x": "line 1: id= must be followed",
		good + " id=a id=b":                             "line 1: id is given twice",
		good + " id=x\nben " + testToken("b") + " id=x": "line 2: an earlier line has the same id",
		good + "\nben " + testToken("b") + " id=anna":   "line 2: an earlier line has the same id",
		testToken("b") + " " + testToken("b"):           "line 1: the token is also the name",
		good + " id=x" + testToken("a"):                 "line 1: the token is also the name or another field",
	} {
		if _, err := parseTokenFile(text, guard.DefaultOptions().Limits); err == nil ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), testToken("b")[1:]) {
			t.Errorf("%q: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens")
	replaceFile(t, path, good)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // which must not be taken
		t.Fatal(err)
	}
	if _, err := OpenTokenFile(path, nil, "", guard.Limits{}, nil); err == nil ||
		!strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if _, err := OpenTokenFile(path+"x", nil, "", guard.Limits{}, nil); err == nil {
		t.Error("a file that is not there is read")
	}
}

// isTighter tells whether a token's limit is not above the server's, or absent.
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
			if !tokenNamePattern.MatchString(tok.name) || len(tok.name) > maxTokenNameLen ||
				!isTighter(limits.PerCall, server.PerCall) ||
				!isTighter(limits.PerDay, server.PerDay) || !isTighter(limits.TopUp, server.TopUp) ||
				!isTighter(int64(limits.Recipients), int64(server.Recipients)) ||
				!isTighter(limits.ConfirmAbove, server.ConfirmAbove) {
				t.Errorf("%+v", tok)
			}
		}
	})
}
