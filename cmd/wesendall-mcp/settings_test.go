package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

const dotEnvText = "WESENDALL_API_KEY=" + sandbox.APIKey + "\nWESENDALL_API_SECRET=" + sandbox.APISecret +
	"\nWESENDALL_WALLET_ID=" + sandbox.WalletID + "\n"

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each case asks for the balance, and says what must come of it.
func TestConfig_Precedence(t *testing.T) {
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
		{"an empty variable is none", []string{base, key, "WESENDALL_API_SECRET=", wallet}, "", "", nil,
			"set WESENDALL_API_SECRET", "", 1},
		{"the local .env", []string{base}, dotEnvText, "", nil, ok, "", 0},
		{"a local .env that is not whole", []string{base}, "WESENDALL_API_KEY=a\nWESENDALL_API_SECRET=b\n", "", nil,
			"has no WESENDALL_WALLET_ID", "", 1},
		{"a local .env beside a key", []string{base, key}, dotEnvText, "", nil, "set WESENDALL_API_SECRET", "", 1},
		{"a local .env with more than credentials", []string{base}, dotEnvText +
			"WESENDALL_API_SECRET_FILE=/nowhere\nWESENDALL_TOOLS=list_groups\nHTTPS_PROXY=http://127.0.0.1:1\n", "", nil, ok,
			"", 0},
		{"a local .env with a secret's file", []string{base}, strings.ReplaceAll(dotEnvText, "WESENDALL_API_SECRET=",
			"WESENDALL_API_SECRET_FILE="), "", nil, "has no WESENDALL_API_SECRET", "", 1},
		{"a local .env that cannot be read", []string{base}, "WESENDALL_API_KEY=\"never closed", "", nil, "cannot be read",
			"", 1},
		{"the file", nil, "", strings.Join(full, "\n"), nil, ok, "", 0},
		{"the environment wins over the file", full, "", "WESENDALL_API_KEY=sk_test_revoked\n", nil, ok, "", 0},
		{"a flag wins over both", append([]string{"WESENDALL_BASE_URL=http://127.0.0.1:1"}, full[1:]...), "",
			"WESENDALL_BASE_URL=http://127.0.0.1:2\n", []string{"--base-url", url}, ok, "", 0},
		{"an empty variable is not set", append([]string{"WESENDALL_READ_ONLY=", "WESENDALL_RATE=", "WESENDALL_TOOLS="},
			full...), "", "", nil, "", "", 0},
		{"spaces between tools", append([]string{"WESENDALL_TOOLS=get_balance, list_groups"}, full...), "", "", nil, "", "",
			0},
		{"the file sets flags too", full, "", "WESENDALL_TOOLS=list_groups\n", nil, "", "unknown tool", 2},
		{"a file that is broken", full, "", "WESENDALL_API_KEY=\"never closed", nil, "", "--env-file", 2},
		{"a placeholder", []string{base, "WESENDALL_API_KEY=${KEY}", secret, wallet}, "", "", nil,
			"WESENDALL_API_KEY is still a placeholder", "", 1},
		{"another placeholder", []string{base, key, "WESENDALL_API_SECRET=YOUR_SECRET", wallet}, "", "", nil,
			"WESENDALL_API_SECRET is still a placeholder", "", 1},
		{"a placeholder for a wallet", []string{base, key, secret, "WESENDALL_WALLET_ID=<wallet>"}, "", "", nil,
			"WESENDALL_WALLET_ID is still a placeholder", "", 1},
		{"a placeholder after a space", []string{base, "WESENDALL_API_KEY= YOUR_KEY", secret, wallet}, "", "", nil,
			"WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder in a file", nil, "", strings.ReplaceAll(strings.Join(full, "\n"), key, "WESENDALL_API_KEY=${KEY}"),
			nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder in the local .env", []string{base}, strings.ReplaceAll(dotEnvText, sandbox.APIKey, "${KEY}"), "",
			nil, "WESENDALL_API_KEY is still a placeholder", "", 1},
		{"a placeholder for an address", append([]string{"WESENDALL_BASE_URL=${URL}"}, full[1:]...), "", "", nil, "",
			"WESENDALL_BASE_URL is still a placeholder", 2},
		{"an address without TLS", append([]string{"WESENDALL_BASE_URL=http://api.example.test"}, full[1:]...), "", "", nil,
			"", "must begin with https://", 2},
		{"a secret twice", append([]string{"WESENDALL_API_SECRET_FILE=x"}, full...), "", "", nil, "not both", "", 1},
		{"a secret's file that is not there", []string{base, key, wallet, "WESENDALL_API_SECRET_FILE=/nowhere/secret"}, "",
			"", nil, "WESENDALL_API_SECRET_FILE cannot be read", "", 1},
		{"a bad boolean", append([]string{"WESENDALL_READ_ONLY=perhaps"}, full...), "", "", nil, "", "--read-only", 2},
		{"a tool that does not exist", append([]string{"WESENDALL_TOOLS=get_balance,nope"}, full...), "", "", nil, "",
			`no tool is called "nope"`, 2},
		{"the sandbox, over everything", []string{"WESENDALL_API_KEY=${KEY}", "WESENDALL_BASE_URL=http://127.0.0.1:1"}, "",
			"", []string{"--sandbox"}, ok, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"call", "get_balance"}, c.args...)
			if c.local != "" {
				writeFile(t, dir, ".env", c.local)
			}
			if c.file != "" {
				args = append(args, "--env-file", writeFile(t, dir, "trusted.env", c.file))
			}
			got := runInProcess(t, dir, c.env, "", args...)
			if got.exitCode != c.code || !strings.Contains(got.stdout, c.out) || !strings.Contains(got.stderr, c.err) {
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
func TestDotEnv_CredentialsOnly(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	dir := t.TempDir()
	writeFile(t, dir, ".env", dotEnvText+"WESENDALL_BASE_URL="+url+"\nWESENDALL_CONFIRM=off\nWESENDALL_MAX_TOPUP=1\n")
	got := runInProcess(t, dir, nil, "")
	if got.exitCode != 0 || !strings.Contains(got.stderr,
		"wallet wal_sandbox at https://www.wesendall.com, credentials from .env in the working directory") {
		t.Errorf("%+v", got)
	}
	got = runInProcess(t, dir, env[:1], "", "call", "topup_wallet", `{"amount":500,"phone_number":"+256700000010"}`)
	if got.exitCode != exitError || !strings.Contains(got.stdout, `"code":"confirmation_required"`) {
		t.Errorf("%+v", got)
	}
}

func TestEnvFile_NoExpansion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`ab$CD9ef`: `ab$CD9ef`, `"pa$$WORD"`: `pa$$WORD`, `'pa$$WORD'`: `pa$$WORD`, `"a$(b)${C}"`: `a$(b)${C}`,
		`plain # comment`: `plain`,
	} {
		values, err := readEnvFile(writeFile(t, t.TempDir(), "env", "A="+text+"\n"))
		if err != nil || values["A"] != want {
			t.Errorf("%s: %q, %v", text, values["A"], err)
		}
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	file := writeFile(t, t.TempDir(), "secret", sandbox.APISecret+"\n")
	got := runInProcess(t, t.TempDir(), []string{env[0], env[1], env[3], "WESENDALL_API_SECRET_FILE=" + file}, "",
		"call", "get_balance")
	if got.exitCode != 0 {
		t.Errorf("%+v", got)
	}
}

func TestUsage_Errors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nope"}, {"nope"}, {"call"}, {"call", "get_balance", "{"}, {"call", "get_balance", "[]"},
		{"call", "get_balance", "null"},
		{"call", "--sandbox", "nope"}, {"call", "--sandbox", "send_sms", `{"message":"` + strings.Repeat("a", 8<<20) +
			`"}`}, {"sandbox", "--addr", "0.0.0.0:0"}, {"sandbox", "--balance", "-1"}, {"sandbox", "--balance", "x"},
		{"prompt"}, {"prompt", "--language", "go"}, {"prompt", "--use-case", "otp"}, {"prompt", "--nope"},
		{"reference", "faq"}, {"reference", "send_sms", "--language", "cobol"}, {"reference", "errors", "--language", "go"},
	} {
		got := runInProcess(t, t.TempDir(), nil, "", args...)
		if got.exitCode != exitUsage || strings.Count(got.stderr, "\n") != 1 || got.stdout != "" {
			t.Errorf("%.200q: %+v", args, got)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	help := runInProcess(t, t.TempDir(), nil, "", "--help")
	for _, want := range []string{"--sandbox", "--env-file", "--read-only", "WESENDALL_API_KEY", "call", "sandbox"} {
		if help.exitCode != 0 || !strings.Contains(help.stdout, want) {
			t.Errorf("no %s in %+v", want, help)
		}
	}
	if got := runInProcess(t, t.TempDir(), nil, "", "--version"); got.exitCode != 0 ||
		strings.TrimSpace(got.stdout) != version() {
		t.Errorf("%+v", got)
	}
}

func TestCall_ExitCodes(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]int{
		`{"recipient":"+256700000010","message":"Hi"}`:                                           exitOK,
		`{"recipient":"+256700000502","message":"Hi"}`:                                           exitError,
		`{"recipient":"+256700000500","message":"Hi"}`:                                           exitOutcomeUnknown,
		`{"recipient":"+256700000408","message":"Hi"}`:                                           exitOutcomeUnknown,
		`{"recipient":"+256700000010","message":"` + strings.Repeat("a", 1601) + `"}`:            exitError,
		`{"recipient":["+256700000010"],"message":"` + strings.Repeat("a", 1600) + `"}` + "\n\n": exitOK,
	} {
		got := runInProcess(t, t.TempDir(), nil, arguments, "call", "--sandbox", "send_sms", "-")
		if got.exitCode != want || !strings.HasPrefix(got.stdout, "{") || strings.Count(got.stdout, "\n") != 1 ||
			got.stderr != "" {
			t.Errorf("%.60s: %+v", arguments, got)
		}
	}
}

// Windows' editors put a mark before a text, and a secret may look like anything.
func TestParseEnv(t *testing.T) {
	t.Parallel()
	got, err := parseEnvFile("\ufeffA='a #$b\"'\nB=c # not\n")
	if err != nil || got["A"] != `a #$b"` || got["B"] != "c" {
		t.Errorf("%q, %v", got, err)
	}
}
