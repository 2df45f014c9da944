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

// settingsCase is where settings are, and what a call of get_balance then prints.
type settingsCase struct {
	name           string
	env            []string
	dotEnv         string // .env of the working directory
	envFile        string // of --env-file
	args           []string
	stdout, stderr string // parts of the output
	exitCode       int
}

// balanceText is in the result of a call that worked.
const balanceText = `"balance":5000`

func runSettingsCases(t *testing.T, cases []settingsCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := append([]string{"call", "get_balance"}, c.args...)
			if c.dotEnv != "" {
				writeFile(t, dir, ".env", c.dotEnv)
			}
			if c.envFile != "" {
				args = append(args, "--env-file", writeFile(t, dir, "trusted.env", c.envFile))
			}
			got := runInProcess(t, dir, c.env, "", args...)
			if got.exitCode != c.exitCode || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("%+v", got)
			}
			if c.exitCode == exitUsage && strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("not one line: %s", got.stderr)
			}
		})
	}
}

func TestConfig_Credentials(t *testing.T) {
	t.Parallel()
	full, _ := upstream(t)
	base, key, secret, wallet := full[0], full[1], full[2], full[3]
	runSettingsCases(t, []settingsCase{
		{name: "nothing", stdout: `"code":"not_configured"`, exitCode: exitError},
		{name: "no secret", env: []string{base, key, wallet}, stdout: "set WESENDALL_API_SECRET", exitCode: exitError},
		{name: "no key", env: []string{base, secret, wallet}, stdout: "set WESENDALL_API_KEY", exitCode: exitError},
		{name: "no wallet", env: []string{base, key, secret}, stdout: "walletId: is required", exitCode: exitError},
		{
			name: "an empty variable is none", env: []string{base, key, "WESENDALL_API_SECRET=", wallet},
			stdout: "set WESENDALL_API_SECRET", exitCode: exitError,
		},
		{
			name: "a secret twice", env: append([]string{"WESENDALL_API_SECRET_FILE=x"}, full...), stdout: "not both",
			exitCode: exitError,
		},
		{
			name:   "a secret's file that is not there",
			env:    []string{base, key, wallet, "WESENDALL_API_SECRET_FILE=/nowhere/secret"},
			stdout: "WESENDALL_API_SECRET_FILE cannot be read", exitCode: exitError,
		},
	})
}

// A .env in the working directory counts only with all three credentials.
func TestConfig_DotEnv(t *testing.T) {
	t.Parallel()
	full, _ := upstream(t)
	base, key := full[0], full[1]
	runSettingsCases(t, []settingsCase{
		{name: "the .env", env: []string{base}, dotEnv: dotEnvText, stdout: balanceText},
		{
			name: "a .env that is not whole", env: []string{base},
			dotEnv: "WESENDALL_API_KEY=a\nWESENDALL_API_SECRET=b\n", stdout: "has no WESENDALL_WALLET_ID",
			exitCode: exitError,
		},
		{
			name: "a .env beside a key", env: []string{base, key}, dotEnv: dotEnvText,
			stdout: "set WESENDALL_API_SECRET", exitCode: exitError,
		},
		{
			name: "a .env with more than credentials", env: []string{base},
			dotEnv: dotEnvText + "WESENDALL_API_SECRET_FILE=/nowhere\nWESENDALL_TOOLS=list_groups\n" +
				"HTTPS_PROXY=http://127.0.0.1:1\n",
			stdout: balanceText,
		},
		{
			name: "a .env with a secret's file", env: []string{base},
			dotEnv: strings.ReplaceAll(dotEnvText, "WESENDALL_API_SECRET=", "WESENDALL_API_SECRET_FILE="),
			stdout: "has no WESENDALL_API_SECRET", exitCode: exitError,
		},
		{
			name: "a .env that cannot be read", env: []string{base}, dotEnv: "WESENDALL_API_KEY=\"never closed",
			stdout: "cannot be read", exitCode: exitError,
		},
	})
}

// A flag wins over the environment, and that over the file.
func TestConfig_Precedence(t *testing.T) {
	t.Parallel()
	full, url := upstream(t)
	runSettingsCases(t, []settingsCase{
		{name: "the environment", env: full, stdout: balanceText},
		{name: "the file", envFile: strings.Join(full, "\n"), stdout: balanceText},
		{
			name: "the environment wins over the file", env: full, envFile: "WESENDALL_API_KEY=sk_test_revoked\n",
			stdout: balanceText,
		},
		{
			name: "a flag wins over both", env: append([]string{"WESENDALL_BASE_URL=http://127.0.0.1:1"}, full[1:]...),
			envFile: "WESENDALL_BASE_URL=http://127.0.0.1:2\n", args: []string{"--base-url", url}, stdout: balanceText,
		},
		{
			name: "an empty variable is not set",
			env:  append([]string{"WESENDALL_READ_ONLY=", "WESENDALL_RATE=", "WESENDALL_TOOLS="}, full...),
		},
		{name: "spaces between tools", env: append([]string{"WESENDALL_TOOLS=get_balance, list_groups"}, full...)},
		{
			name: "the sandbox, over everything",
			env:  []string{"WESENDALL_API_KEY=${KEY}", "WESENDALL_BASE_URL=http://127.0.0.1:1"}, args: []string{"--sandbox"},
			stdout: balanceText,
		},
	})
}

// A placeholder is reported by the name of its variable.
func TestConfig_Placeholders(t *testing.T) {
	t.Parallel()
	full, _ := upstream(t)
	base, key, secret, wallet := full[0], full[1], full[2], full[3]
	runSettingsCases(t, []settingsCase{
		{
			name: "a placeholder", env: []string{base, "WESENDALL_API_KEY=${KEY}", secret, wallet},
			stdout: "WESENDALL_API_KEY is still a placeholder", exitCode: exitError,
		},
		{
			name: "another placeholder", env: []string{base, key, "WESENDALL_API_SECRET=YOUR_SECRET", wallet},
			stdout: "WESENDALL_API_SECRET is still a placeholder", exitCode: exitError,
		},
		{
			name: "a placeholder for a wallet", env: []string{base, key, secret, "WESENDALL_WALLET_ID=<wallet>"},
			stdout: "WESENDALL_WALLET_ID is still a placeholder", exitCode: exitError,
		},
		{
			name: "a placeholder after a space", env: []string{base, "WESENDALL_API_KEY= YOUR_KEY", secret, wallet},
			stdout: "WESENDALL_API_KEY is still a placeholder", exitCode: exitError,
		},
		{
			name:    "a placeholder in a file",
			envFile: strings.ReplaceAll(strings.Join(full, "\n"), key, "WESENDALL_API_KEY=${KEY}"),
			stdout:  "WESENDALL_API_KEY is still a placeholder", exitCode: exitError,
		},
		{
			name: "a placeholder in the .env", env: []string{base},
			dotEnv: strings.ReplaceAll(dotEnvText, sandbox.APIKey, "${KEY}"),
			stdout: "WESENDALL_API_KEY is still a placeholder", exitCode: exitError,
		},
		{
			name: "a placeholder for an address", env: append([]string{"WESENDALL_BASE_URL=${URL}"}, full[1:]...),
			stderr: "WESENDALL_BASE_URL is still a placeholder", exitCode: exitUsage,
		},
	})
}

// A wrong setting ends the program, wherever it is set.
func TestConfig_Invalid(t *testing.T) {
	t.Parallel()
	full, _ := upstream(t)
	runSettingsCases(t, []settingsCase{
		{
			name: "the file sets flags too", env: full, envFile: "WESENDALL_TOOLS=list_groups\n", stderr: "unknown tool",
			exitCode: exitUsage,
		},
		{
			name: "a file that is broken", env: full, envFile: "WESENDALL_API_KEY=\"never closed", stderr: "--env-file",
			exitCode: exitUsage,
		},
		{
			name: "an address without TLS", env: append([]string{"WESENDALL_BASE_URL=http://api.example.test"}, full[1:]...),
			stderr: "must begin with https://", exitCode: exitUsage,
		},
		{
			name: "a bad boolean", env: append([]string{"WESENDALL_READ_ONLY=perhaps"}, full...), stderr: "--read-only",
			exitCode: exitUsage,
		},
		{
			name: "a tool that does not exist", env: append([]string{"WESENDALL_TOOLS=get_balance,nope"}, full...),
			stderr: `no tool is called "nope"`, exitCode: exitUsage,
		},
	})
}

// A repository that an agent opens may contain a .env. It can neither choose where the
// credentials go, nor change a limit.
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
	for _, text := range []string{sandbox.APISecret + "\n", "\ufeff" + sandbox.APISecret + "\r\n"} {
		file := writeFile(t, t.TempDir(), "secret", text)
		got := runInProcess(t, t.TempDir(), []string{env[0], env[1], env[3], "WESENDALL_API_SECRET_FILE=" + file}, "",
			"call", "get_balance")
		if got.exitCode != 0 {
			t.Errorf("%q: %+v", text, got)
		}
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

// A file may start with a byte order mark, and a secret may contain any character.
func TestParseEnv(t *testing.T) {
	t.Parallel()
	got, err := parseEnvFile("\ufeffA='a #$b\"'\nB=c # not\n")
	if err != nil || got["A"] != `a #$b"` || got["B"] != "c" {
		t.Errorf("%q, %v", got, err)
	}
}
