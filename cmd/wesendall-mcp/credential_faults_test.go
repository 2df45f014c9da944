package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Credentials that cannot be right are named by the start and by doctor, and nothing of them is
// printed.
func TestCredentials_CannotBeRight(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`"hidden-value"`: "is in quotes", `'hidden-value'`: "is in quotes", "“hidden-value”": "typographic quotes",
		"‘hidden-value’":               "typographic quotes",
		"hidden\u200b-value":           "cannot be seen (U+200B)",
		"\ufeffhidden-value":           "cannot be seen (U+FEFF)",
		"hidden-value\u2060":           "cannot be seen (U+2060)",
		"hidden\u00a0-value":           "cannot be seen (U+00A0)",
		"$WESENDALL_SECRET":            "nothing has replaced",
		"$env:WESENDALL_SECRET":        "nothing has replaced",
		"$(pass show hidden)":          "nothing has replaced",
		"%WESENDALL_SECRET%":           "nothing has replaced",
		"{env:HIDDEN_VALUE}":           "nothing has replaced",
		"{{ hidden }}":                 "nothing has replaced",
		"op://Private/hidden/password": "password manager",
		"vault://hidden":               "password manager",
		"sk_live_xxxxxxxx":             "is an example",
		"sk_live_...":                  "is an example",
		"sk_live_…":                    "is an example",
		"changeme":                     "is an example",
		"API_KEY=hidden-value":         "NAME=value",
		"hidden value":                 "has a space",
	} {
		for _, name := range []string{envAPIKey, envAPISecret, envWalletID} {
			env := []string{"WESENDALL_LEDGER=memory", name + "=" + value}
			for _, valid := range []string{envAPIKey + "=sk_test_1", envAPISecret + "=ordinary-secret", envWalletID + "=wal_1"} {
				if !strings.HasPrefix(valid, name+"=") {
					env = append(env, valid)
				}
			}
			results := []runResult{runInProcess(t, t.TempDir(), env, "")}
			if want == "is in quotes" && name == envAPISecret {
				results = append(results, runInHome(t, t.TempDir(), env, "doctor"))
			}
			for _, got := range results {
				all := got.stdout + got.stderr
				if !strings.Contains(all, name) || !strings.Contains(all, want) || strings.Contains(all, value) ||
					strings.Contains(all, "hidden-v") {
					t.Errorf("%s=%q: no %q in %+v", name, value, want, got)
				}
			}
		}
	}
	for _, value := range []string{
		"", "sk_live_8fJq2", "ws_secret_Ab$9", "pa$$WORD1", "abc=", "QUJD0A==", "wal_01HXXX2", "cmg8ch01", "a.b.c", "$2a$10$abc/def",
	} {
		if fault := credentialFault(value); fault != "" {
			t.Errorf("%q%s", value, fault)
		}
	}
}

// A swapped pair is named, and nothing of the secret is shown as the key.
func TestCredentials_Swapped(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"ws_secret_0123456789", "hidden-word-0123456789"} {
		env := []string{
			envAPIKey + "=" + secret, envAPISecret + "=sk_live_8fJq2Lm0", envWalletID + "=wal_1", "WESENDALL_LEDGER=memory",
		}
		for _, args := range [][]string{nil, {"doctor"}, {"doctor", "--json"}, {"call", "get_balance"}} {
			got := runInHome(t, t.TempDir(), env, args...)
			all := got.stdout + got.stderr
			if !strings.Contains(all, "WESENDALL_API_KEY and WESENDALL_API_SECRET are swapped") ||
				strings.Contains(all, secret[:6]) || strings.Contains(all, "sk_live_8") {
				t.Errorf("%q: %+v", args, got)
			}
		}
	}
}

func TestSecretFile_Forms(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	utf16File := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(sandbox.APISecret)) {
		utf16File = append(utf16File, byte(unit), byte(unit>>8)) //nolint:gosec // both bytes of the unit
	}
	for text, want := range map[string]string{
		"\ufeff" + sandbox.APISecret + "\r\n":              balanceText,
		string(utf16File):                                  "names a file in UTF-16",
		"WESENDALL_API_SECRET=" + sandbox.APISecret + "\n": "NAME=value",
		sandbox.APISecret + "\nsecond line\n":              "cannot be seen (U+000A)",
		`"` + sandbox.APISecret + `"`:                      "is in quotes",
	} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := runInProcess(t, t.TempDir(), []string{env[0], env[1], env[3], envAPISecretFile + "=" + file}, "",
			"call", "get_balance")
		if !strings.Contains(got.stdout, want) || strings.Contains(got.stdout+got.stderr, sandbox.APISecret) {
			t.Errorf("%q: %+v", text, got)
		}
	}
	file := writeFile(t, t.TempDir(), "w.env", string(utf16File))
	if got := runInProcess(t, t.TempDir(), nil, "", "call", "get_balance", "--env-file", file); got.exitCode != exitUsage ||
		!strings.Contains(got.stderr, "is in UTF-16: save it as UTF-8") {
		t.Errorf("%+v", got)
	}
}
