package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// misplacedSecrets are an API secret that is set, and one that only looks like one.
var misplacedSecrets = []string{"hidden-word-0123456789", "ws_secret_0123456789"}

// A secret that was pasted into another setting is refused by the setting's name, and
// nothing prints it.
func TestSecret_InAnotherVariable(t *testing.T) {
	t.Parallel()
	names := []string{envAPIKey, envWalletID}
	for _, s := range settingTable(guard.DefaultOptions()) {
		if s.variable != "" {
			names = append(names, s.variable)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, secret := range misplacedSecrets {
				for _, value := range []string{secret, "https://a.test/" + secret} {
					env := []string{
						name + "=" + value, envAPIKey + "=sk_test_1", envWalletID + "=wal_1",
						envAPISecret + "=" + misplacedSecrets[0], "WESENDALL_LEDGER=memory",
					}
					for _, args := range [][]string{{}, {"call", "get_balance"}, {"ledger", "show"}} {
						got := runInProcess(t, t.TempDir(), env, "", args...)
						if strings.Contains(got.stdout+got.stderr, secret) {
							t.Errorf("%q prints it: %+v", args, got)
						}
						isCredential := name == envAPIKey || name == envWalletID
						readsIt := !isCredential || !slices.Contains(args, "ledger")
						if readsIt && !strings.Contains(got.stdout+got.stderr, name) {
							t.Errorf("%q does not name it: %+v", args, got)
						}
						if !isCredential && got.exitCode != exitUsage {
							t.Errorf("%q: %+v", args, got)
						}
					}
				}
			}
		})
	}
}

func TestSecret_InAnotherFlag(t *testing.T) {
	t.Parallel()
	env := []string{envAPISecret + "=" + misplacedSecrets[0]}
	for _, flag := range []string{"--base-url", "--ledger", "--max-per-day", "--confirm", "--tools", "--http", "--env-file"} {
		got := runInProcess(t, t.TempDir(), env, "", flag, misplacedSecrets[0])
		if got.exitCode != exitUsage || strings.Contains(got.stdout+got.stderr, misplacedSecrets[0]) {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// Doctor names the setting and shows nothing of the value, wherever the secret is set.
func TestDoctor_MisplacedSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range misplacedSecrets {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(misplacedSecrets[0]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		env := []string{
			envAPIKey + "=sk_test_1", envAPISecretFile + "=" + file,
			envWalletID + "=" + secret, "WESENDALL_MAX_PER_DAY=" + secret, "WESENDALL_ALLOWED_HOST=" + secret,
			"WESENDALL_TLS_CERT=/etc/" + secret,
		}
		got := runInHome(t, t.TempDir(), env, "doctor", "--ledger", "/tmp/"+secret)
		if got.exitCode != exitError || strings.Contains(got.stdout+got.stderr, secret) {
			t.Errorf("%+v", got)
		}
		for _, name := range []string{"WESENDALL_MAX_PER_DAY", "WESENDALL_ALLOWED_HOST", "WESENDALL_TLS_CERT", "--ledger"} {
			if !strings.Contains(got.stdout, name+" contains an API secret") {
				t.Errorf("it does not say that of %s: %s", name, got.stdout)
			}
		}
	}
}

// A token file with its fields in the wrong order is not quoted by doctor.
func TestDoctor_TokenFile(t *testing.T) {
	t.Parallel()
	token, home := strings.Repeat("t", 40), t.TempDir()
	file := filepath.Join(home, "tokens")
	for text, want := range map[string]string{
		"anna " + token + "\n":               "warning setting: tokens without id= in the token file: 1",
		"anna " + token + " id=anna\n":       "",
		token + " " + token + "\n":           "failure setting: --http-token-file: ",
		token + " anna\n":                    "failure setting: --http-token-file: ",
		"anna " + token + " " + token + "\n": "failure setting: --http-token-file: ",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, _ := runDoctor(t, home, nil, "--sandbox", "--http-token-file", file)
		all := strings.Join(lines, "\n")
		if strings.Contains(all, token) || want != "" && !strings.Contains(all, want) ||
			want == "" && (strings.Contains(all, "token file:") || strings.Contains(all, "http-token-file: ")) {
			t.Errorf("%s", all)
		}
	}
}
