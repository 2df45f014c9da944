package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// runInHome runs the built program with its own home directory.
func runInHome(t *testing.T, home string, env []string, args ...string) runResult {
	t.Helper()
	c := program(t, append(env, "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"),
		"XDG_STATE_HOME="+filepath.Join(home, ".state")), args...)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return runResult{c.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// The output for each host names this program and a file, and has no secret.
func TestConfigCommand_Output(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	env, _ := upstream(t)
	for _, name := range hostconfig.HostNames() {
		home := t.TempDir()
		file := filepath.Join(home, ".config", "wesendall-mcp", "wesendall.env")
		got := runInHome(t, home, env, "config", name)
		if got.exitCode != 0 || !strings.Contains(got.stdout, path) || !strings.Contains(got.stdout, file) ||
			strings.Contains(got.stdout+got.stderr, sandbox.APISecret) || got.stderr == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		host, _ := hostconfig.FindHost(name)
		if host.AddCommand == nil && !json.Valid([]byte(got.stdout)) || host.AddCommand != nil &&
			strings.Count(got.stdout, "\n") != 1 {
			t.Errorf("%s: %s", name, got.stdout)
		}
		if got := runInHome(t, home, nil, "config", name, "--sandbox"); got.exitCode != 0 ||
			!strings.Contains(got.stdout, "--sandbox") || strings.Contains(got.stdout, "env-file") {
			t.Errorf("%s: %+v", name, got)
		}
		if got := runInHome(t, home, env, "config", name, "--with-secrets"); got.exitCode != 0 ||
			!strings.Contains(got.stdout, sandbox.APISecret) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The program reads the file that config created.
func TestConfigCommand_EnvFile(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	home := t.TempDir()
	file := filepath.Join(home, "my own.env")
	if got := runInHome(t, home, env[1:], "config", "codex", "--env-file", file); got.exitCode != 0 ||
		!strings.Contains(got.stdout, "'"+file+"'") {
		t.Fatalf("%+v", got)
	}
	if got := runInHome(t, home, nil, "call", "get_balance", "--env-file", file, "--base-url", url); got.exitCode != 0 ||
		!strings.Contains(got.stdout, `"balance":5000`) {
		t.Errorf("%+v", got)
	}
	empty := filepath.Join(home, "empty.env")
	got := runInHome(t, home, nil, "config", "codex", "--env-file", empty)
	if got.exitCode != 0 || !strings.Contains(got.stderr, "Fill in the missing values in "+empty) {
		t.Errorf("%+v", got)
	}
	if got := runInHome(t, home, nil, "call", "get_balance", "--env-file", empty); got.exitCode != exitError ||
		!strings.Contains(got.stdout, "WESENDALL_API_KEY is still a placeholder") {
		t.Errorf("%+v", got)
	}
	if err := os.Chmod(empty, 0o644); err != nil { //nolint:gosec // which is what is found
		t.Fatal(err)
	}
	if got := runInHome(t, home, nil, "config", "codex", "--env-file", empty); got.exitCode != 0 ||
		!strings.Contains(got.stderr, "Other users can read") {
		t.Errorf("%+v", got)
	}
}

// The credentials may be in the environment, and the secret in its own file.
func TestConfigCommand_Credentials(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	secret := writeFile(t, t.TempDir(), "secret", sandbox.APISecret)
	home := t.TempDir()
	file := filepath.Join(home, "made.env")
	got := runInHome(t, home, append(env[1:2], env[3], "WESENDALL_API_SECRET_FILE="+secret), "config", "codex",
		"--env-file", file)
	text, err := os.ReadFile(file)
	if got.exitCode != 0 || err != nil || !strings.Contains(string(text),
		"\nWESENDALL_API_SECRET_FILE='"+secret+"'\n") || strings.Contains(string(text), "YOUR_") ||
		!strings.Contains(got.stderr, "are now in "+file) {
		t.Fatalf("%+v, %s, %v", got, text, err)
	}
	if got := runInHome(t, home, nil, "call", "get_balance", "--env-file", file, "--base-url", url); got.exitCode != 0 {
		t.Errorf("%+v", got)
	}
}

// Going from the sandbox to a wallet keeps what the user added.
func TestConfigCommand_PreservesEntry(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	file := filepath.Join(home, ".cursor", "mcp.json")
	if got := runInHome(t, home, nil, "config", "cursor", "--sandbox", "--write"); got.exitCode != 0 {
		t.Fatalf("%+v", got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"--sandbox"`), []byte(`"--sandbox", "--max-per-day", "70"`), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got := runInHome(t, home, nil, "config", "cursor", "--write")
	if got.exitCode != 0 || !strings.Contains(got.stderr, "Kept from the previous entry: --max-per-day\n") {
		t.Errorf("%+v", got)
	}
	if text, err = os.ReadFile(file); err != nil || !strings.Contains(string(text), `"--max-per-day"`) ||
		strings.Contains(string(text), "--sandbox") || !strings.Contains(string(text), "--env-file") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestConfigCommand_Write(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	file := filepath.Join(home, ".cursor", "mcp.json")
	if got := runInHome(t, home, nil, "config", "cursor", "--sandbox", "--write"); got.exitCode != 0 ||
		!strings.Contains(got.stdout, "Written to "+file) {
		t.Fatalf("%+v", got)
	}
	if got := runInHome(t, home, nil, "config", "cursor", "--sandbox", "--write"); got.exitCode != 0 ||
		!strings.Contains(got.stdout, "already has this entry") {
		t.Errorf("%+v", got)
	}
	// The entry starts the program.
	text, err := os.ReadFile(file)
	var config struct {
		Servers map[string]struct {
			Command string
			Args    []string
		} `json:"mcpServers"`
	}
	if err != nil || json.Unmarshal(text, &config) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	entry := config.Servers["wesendall"]
	s := connect(t, protocolVersions[0], exec.Command(entry.Command, entry.Args...))
	if list, err := s.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 8 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := os.WriteFile(file, []byte("{ broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := runInHome(t, home, nil, "config", "cursor", "--sandbox", "--write"); got.exitCode != exitError ||
		!strings.Contains(got.stderr, "was not changed") {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{
		{"cursor", "--max-per-call=-1"}, {"cursor", "--tools", "nope"},
		{"cursor", "--base-url", "https://u:hunter2@example.com"}, {"cursor", "--ledger", "postgres://u:hunter2@db/x"},
		{"codex", "--write"}, {"windsurf", "--write"}, {"nope"}, {}, {"cursor", "--with-secrets"}} {
		if got := runInHome(t, home, nil, append([]string{"config"}, args...)...); got.exitCode != exitUsage ||
			strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// The operator's limits reach the host, wherever they were set.
func TestConfigCommand_Limits(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	for _, way := range []string{"--sandbox", "--with-secrets", "--env-file=" + filepath.Join(t.TempDir(), "made.env")} {
		got := runInHome(t, t.TempDir(), append(env, "WESENDALL_MAX_PER_DAY=500", "WESENDALL_TOOLS=get_balance,send_sms",
			"WESENDALL_HTTP=127.0.0.1:8080"),
			"config", "cursor", way, "--max-per-call", "100", "--confirm", "quote", "--read-only")
		for _, want := range []string{`"--max-per-day=500"`, `"--max-per-call=100"`, `"--confirm=quote"`,
			`"--read-only=true"`, `"--tools=get_balance,send_sms"`, `"--base-url=` + url + `"`} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: no %s in %+v", way, want, got)
			}
		}
		if strings.Contains(got.stdout, "--http") {
			t.Errorf("%s: a host would start a server over HTTP: %+v", way, got)
		}
		// The program accepts them.
		var file struct {
			Servers map[string]struct{ Args []string } `json:"mcpServers"`
		}
		if err := json.Unmarshal([]byte(got.stdout), &file); err != nil {
			t.Fatal(err)
		}
		call := append([]string{"call", "send_sms", `{"recipient":"+256700000010","message":"Hi"}`},
			file.Servers["wesendall"].Args...)
		if got := runInHome(t, t.TempDir(), env, call...); got.exitCode != exitError ||
			!strings.Contains(got.stdout, "read_only") {
			t.Errorf("%s: %+v", way, got)
		}
	}
}

// Each host gets an entry for a server over HTTP, without a secret.
func TestConfigCommand_HTTP(t *testing.T) {
	t.Parallel()
	const url = "https://mcp.example.com/mcp"
	for _, host := range hostconfig.Hosts() {
		got := runInProcess(t, t.TempDir(), nil, "", "config", host.Name, "--http", url)
		entry := host.HTTPEntry(url, runtime.GOOS)
		if got.exitCode != exitOK || got.stdout != entry.Text+"\n" || !strings.Contains(got.stdout, url) {
			t.Errorf("%s: %+v", host.Name, got)
		}
		want := "Before you start " + host.Title + ", set these variables"
		if entry.Caveat != "" {
			want = host.Title + " " + entry.Caveat
		}
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%s: no %q in %s", host.Name, want, got.stderr)
		}
	}
	// WESENDALL_HTTP is an address to listen on, not a URL for a host.
	got := runInProcess(t, t.TempDir(), []string{"WESENDALL_HTTP=127.0.0.1:8080"}, "", "config", "cursor", "--sandbox")
	if got.exitCode != exitOK || !strings.Contains(got.stdout, `"--sandbox"`) {
		t.Errorf("%+v", got)
	}
	for name, args := range map[string][]string{
		"loopback without TLS": {"--http", "http://127.0.0.1:8080/mcp"},
		"localhost":            {"--http", "http://localhost:8080/mcp"},
		"IPv6 loopback":        {"--http", "http://[::1]:8080/mcp"},
	} {
		got := runInProcess(t, t.TempDir(), nil, "", append([]string{"config", "codex"}, args...)...)
		if got.exitCode != exitOK || !strings.Contains(got.stdout, args[1]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, args := range map[string][]string{
		"no TLS":               {"--http", "http://mcp.example.com/mcp"},
		"an address":           {"--http", "127.0.0.1:8080"},
		"another scheme":       {"--http", "ftp://127.0.0.1/mcp"},
		"no host":              {"--http", "https:///mcp"},
		"credentials":          {"--http", "https://u:hunter2@mcp.example.com/mcp"},
		"a fragment":           {"--http", url + "#x"},
		"with a limit":         {"--http", url, "--max-per-day", "70"},
		"with the sandbox":     {"--http", url, "--sandbox"},
		"with --write":         {"--http", url, "--write"},
		"with the credentials": {"--http", url, "--with-secrets"},
	} {
		got := runInProcess(t, t.TempDir(), nil, "", append([]string{"config", "cursor"}, args...)...)
		isOneLine := strings.Count(got.stderr, "\n") == 1
		if got.exitCode != exitUsage || got.stdout != "" || !isOneLine || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestConfigCommand_Remove(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"claude-code": "claude mcp remove --scope user wesendall\n",
		"gemini-cli":  "gemini mcp remove --scope user wesendall\n",
		"codex":       "codex mcp remove wesendall\n",
		"copilot-cli": "copilot mcp remove wesendall\n",
	} {
		for _, args := range [][]string{nil, {"--http", "https://mcp.example.com/mcp"}} {
			got := runInProcess(t, t.TempDir(), nil, "", append([]string{"config", name, "--remove"}, args...)...)
			if got.exitCode != exitOK || got.stdout != want {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	home := t.TempDir()
	got := runInHome(t, home, nil, "config", "cursor", "--remove")
	want := `Delete the entry "wesendall" in ` + filepath.Join(home, ".cursor", "mcp.json") + " and restart Cursor.\n"
	if got.exitCode != exitOK || got.stdout != want {
		t.Errorf("%+v", got)
	}
	if got := runInHome(t, home, nil, "config", "cursor", "--remove", "--write"); got.exitCode != exitUsage {
		t.Errorf("%+v", got)
	}
}
