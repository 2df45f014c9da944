package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/sandbox"
)

const localEnvText = "WESENDALL_API_KEY=" + sandbox.APIKey + "\nWESENDALL_API_SECRET=" + sandbox.APISecret + "\nWESENDALL_WALLET_ID=" + sandbox.WalletID + "\n"

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each case asks for the balance, and says what must come of it.
func TestWhereTheConfigurationComesFrom(t *testing.T) {
	t.Parallel()
	full, url := upstream(t)
	base, key, secret, wallet := full[0], full[1], full[2], full[3]
	const ok, unset = `"balance":5000`, `"code":"not_configured"`
	for _, c := range []struct {
		name     string
		env      []string
		local    string // .env of the working directory
		file     string // of --env-file
		args     []string
		out, err string
		code     int
	}{
		{"the environment", full, "", "", nil, ok, "", 0},
		{"nothing", nil, "", "", nil, unset, "", 1},
		{"no secret", []string{base, key, wallet}, "", "", nil, "set WESENDALL_API_SECRET", "", 1},
		{"no key", []string{base, secret, wallet}, "", "", nil, "set WESENDALL_API_KEY", "", 1},
		{"no wallet", []string{base, key, secret}, "", "", nil, "walletId: is required", "", 1},
		{"an empty variable is none", []string{base, key, "WESENDALL_API_SECRET=", wallet}, "", "", nil, "set WESENDALL_API_SECRET", "", 1},
		{"the local .env", []string{base}, localEnvText, "", nil, ok, "", 0},
		{"a local .env that is not whole", []string{base}, "WESENDALL_API_KEY=a\nWESENDALL_API_SECRET=b\n", "", nil, "has no WESENDALL_WALLET_ID", "", 1},
		{"a local .env beside a key", []string{base, key}, localEnvText, "", nil, "set WESENDALL_API_SECRET", "", 1},
		{"a local .env with more than credentials", []string{base}, localEnvText + "WESENDALL_API_SECRET_FILE=/nowhere\nWESENDALL_TOOLS=list_groups\nHTTPS_PROXY=http://127.0.0.1:1\n", "", nil, ok, "", 0},
		{"a local .env with a secret's file", []string{base}, strings.ReplaceAll(localEnvText, "WESENDALL_API_SECRET=", "WESENDALL_API_SECRET_FILE="), "", nil, "has no WESENDALL_API_SECRET", "", 1},
		{"a local .env that cannot be read", []string{base}, "WESENDALL_API_KEY=\"never closed", "", nil, "cannot be read", "", 1},
		{"the file", nil, "", strings.Join(full, "\n"), nil, ok, "", 0},
		{"the environment wins over the file", full, "", "WESENDALL_API_KEY=sk_test_revoked\n", nil, ok, "", 0},
		{"a flag wins over both", append([]string{"WESENDALL_BASE_URL=http://127.0.0.1:1"}, full[1:]...), "", "WESENDALL_BASE_URL=http://127.0.0.1:2\n", []string{"--base-url", url}, ok, "", 0},
		{"an empty variable is not set", append([]string{"WESENDALL_READ_ONLY=", "WESENDALL_RATE=", "WESENDALL_TOOLS="}, full...), "", "", nil, "", "", 0},
		{"spaces between tools", append([]string{"WESENDALL_TOOLS=get_balance, list_groups"}, full...), "", "", nil, "", "", 0},
		{"the file sets flags too", full, "", "WESENDALL_TOOLS=list_groups\n", nil, "", "unknown tool", 2},
		{"a file that is broken", full, "", "WESENDALL_API_KEY=\"never closed", nil, "", "--env-file", 2},
		{"a placeholder", []string{base, "WESENDALL_API_KEY=${KEY}", secret, wallet}, "", "", nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"another placeholder", []string{base, key, "WESENDALL_API_SECRET=YOUR_SECRET", wallet}, "", "", nil, "WESENDALL_API_SECRET is still a placeholder", "", 1},
		{"a placeholder for a wallet", []string{base, key, secret, "WESENDALL_WALLET_ID=<wallet>"}, "", "", nil, "WESENDALL_WALLET_ID is still a placeholder", "", 1},
		{"a placeholder after a space", []string{base, "WESENDALL_API_KEY= YOUR_KEY", secret, wallet}, "", "", nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder in a file", nil, "", strings.ReplaceAll(strings.Join(full, "\n"), key, "WESENDALL_API_KEY=${KEY}"), nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder in the local .env", []string{base}, strings.ReplaceAll(localEnvText, sandbox.APIKey, "${KEY}"), "", nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder for an address", append([]string{"WESENDALL_BASE_URL=${URL}"}, full[1:]...), "", "", nil, "", "WESENDALL_BASE_URL is still a placeholder", 2},
		{"an address without TLS", append([]string{"WESENDALL_BASE_URL=http://api.example.test"}, full[1:]...), "", "", nil, "", "must begin with https://", 2},
		{"a secret twice", append([]string{"WESENDALL_API_SECRET_FILE=x"}, full...), "", "", nil, "not both", "", 1},
		{"a secret's file that is not there", []string{base, key, wallet, "WESENDALL_API_SECRET_FILE=/nowhere/secret"}, "", "", nil, "WESENDALL_API_SECRET_FILE cannot be read", "", 1},
		{"a bad boolean", append([]string{"WESENDALL_READ_ONLY=perhaps"}, full...), "", "", nil, "", "--read-only", 2},
		{"a tool that does not exist", append([]string{"WESENDALL_TOOLS=get_balance,nope"}, full...), "", "", nil, "", `no tool is called "nope"`, 2},
		{"the sandbox, over everything", []string{"WESENDALL_API_KEY=${KEY}", "WESENDALL_BASE_URL=http://127.0.0.1:1"}, "", "", []string{"--sandbox"}, ok, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"call", "get_balance"}, c.args...)
			if c.local != "" {
				write(t, dir, ".env", c.local)
			}
			if c.file != "" {
				args = append(args, "--env-file", write(t, dir, "trusted.env", c.file))
			}
			got := runIn(t, dir, c.env, "", args...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.stderr, c.err) {
				t.Errorf("%+v", got)
			}
			if c.code == exitUsage && strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("not one line: %s", got.stderr)
			}
		})
	}
}

// A repository that an agent opens may bring a .env: it can neither choose where
// the credentials go, nor loosen a limit.
func TestALocalEnvSuppliesCredentialsAlone(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	dir := t.TempDir()
	write(t, dir, ".env", localEnvText+"WESENDALL_BASE_URL="+url+"\nWESENDALL_CONFIRM=off\nWESENDALL_MAX_TOPUP=1\n")
	got := runIn(t, dir, nil, "")
	if got.code != 0 || !strings.Contains(got.stderr, "wallet wal_sandbox at https://www.wesendall.com, credentials from .env in the working directory") {
		t.Errorf("%+v", got)
	}
	got = runIn(t, dir, env[:1], "", "call", "topup_wallet", `{"amount":500,"phone_number":"+256700000010"}`)
	if got.code != exitFailure || !strings.Contains(got.out, `"code":"confirmation_required"`) {
		t.Errorf("%+v", got)
	}
}

func TestAValueOfAFileIsTakenAsItStands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`ab$CD9ef`: `ab$CD9ef`, `"pa$$WORD"`: `pa$$WORD`, `'pa$$WORD'`: `pa$$WORD`, `"a$(b)${C}"`: `a$(b)${C}`, `plain # comment`: `plain`,
	} {
		values, err := readEnv(write(t, t.TempDir(), "env", "A="+text+"\n"))
		if err != nil || values["A"] != want {
			t.Errorf("%s: %q, %v", text, values["A"], err)
		}
	}
}

func TestASecretMayLieInAFile(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	file := write(t, t.TempDir(), "secret", sandbox.APISecret+"\n")
	got := runIn(t, t.TempDir(), []string{env[0], env[1], env[3], "WESENDALL_API_SECRET_FILE=" + file}, "", "call", "get_balance")
	if got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWrongUseIsOneLineAndExitsWith2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nope"}, {"nope"}, {"call"}, {"call", "get_balance", "{"}, {"call", "get_balance", "[]"}, {"call", "get_balance", "null"},
		{"call", "--sandbox", "nope"}, {"call", "--sandbox", "send_sms", `{"message":"` + strings.Repeat("a", 8<<20) + `"}`}, {"sandbox", "--addr", "0.0.0.0:0"}, {"sandbox", "--balance", "-1"}, {"sandbox", "--balance", "x"},
		{"prompt"}, {"prompt", "--language", "go"}, {"prompt", "--use-case", "otp"}, {"prompt", "--nope"},
		{"reference", "faq"}, {"reference", "send_sms", "--language", "cobol"}, {"reference", "errors", "--language", "go"},
	} {
		got := runIn(t, t.TempDir(), nil, "", args...)
		if got.code != exitUsage || strings.Count(got.stderr, "\n") != 1 || got.out != "" {
			t.Errorf("%.200q: %+v", args, got)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	help := runIn(t, t.TempDir(), nil, "", "--help")
	for _, want := range []string{"--sandbox", "--env-file", "--read-only", "WESENDALL_API_KEY", "call", "sandbox"} {
		if help.code != 0 || !strings.Contains(help.out, want) {
			t.Errorf("no %s in %+v", want, help)
		}
	}
	if got := runIn(t, t.TempDir(), nil, "", "--version"); got.code != 0 || strings.TrimSpace(got.out) != version() {
		t.Errorf("%+v", got)
	}
}

func TestTheExitCodeOfACall(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]int{
		`{"recipient":"+256700000010","message":"Hi"}`:                                           exitOK,
		`{"recipient":"+256700000502","message":"Hi"}`:                                           exitFailure,
		`{"recipient":"+256700000500","message":"Hi"}`:                                           exitUnknown,
		`{"recipient":"+256700000408","message":"Hi"}`:                                           exitUnknown,
		`{"recipient":"+256700000010","message":"` + strings.Repeat("a", 1601) + `"}`:            exitFailure,
		`{"recipient":["+256700000010"],"message":"` + strings.Repeat("a", 1600) + `"}` + "\n\n": exitOK,
	} {
		got := runIn(t, t.TempDir(), nil, arguments, "call", "--sandbox", "send_sms", "-")
		if got.code != want || !strings.HasPrefix(got.out, "{") || strings.Count(got.out, "\n") != 1 || got.stderr != "" {
			t.Errorf("%.60s: %+v", arguments, got)
		}
	}
}

// Windows' editors put a mark before a text, and a secret may look like anything.
func TestParseEnv(t *testing.T) {
	t.Parallel()
	got, err := parseEnv("\ufeffA='a #$b\"'\nB=c # not\n")
	if err != nil || got["A"] != `a #$b"` || got["B"] != "c" {
		t.Errorf("%q, %v", got, err)
	}
}
