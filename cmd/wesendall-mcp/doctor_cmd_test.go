package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// runDoctor returns doctor's findings as "status check: text → fix".
func runDoctor(t *testing.T, home string, env []string, args ...string) (lines []string, code int) {
	t.Helper()
	got := runInHome(t, home, env, append([]string{"doctor", "--json"}, args...)...)
	var report struct {
		Findings []struct{ Check, Status, Text, Fix string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	if strings.Contains(got.stdout+got.stderr, sandbox.APISecret) {
		t.Error("it prints the secret")
	}
	for _, f := range report.Findings {
		lines = append(lines, f.Status+" "+f.Check+": "+f.Text+" → "+f.Fix)
		if f.Status == "failure" && f.Fix == "" {
			t.Errorf("there is no fix for %+v", f)
		}
	}
	return lines, got.exitCode
}

func TestDoctor_Healthy(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	home := t.TempDir()
	if got := runInHome(t, home, env, "config", "cursor", "--write"); got.exitCode != 0 {
		t.Fatalf("%+v", got)
	}
	lines, code := runDoctor(t, home, append(env, "WESENDALL_MAX_PER_DAY=70"), "--confirm", "quote")
	if code != 0 {
		t.Errorf("%q", lines)
	}
	for _, want := range []string{
		"ok setting: WESENDALL_MAX_PER_DAY = 70 (environment)", "ok setting: WESENDALL_CONFIRM = quote (--confirm)",
		"ok setting: WESENDALL_RATE = 10 (default)",
		"ok setting: WESENDALL_API_KEY = sk_test… (environment)",
		"ok setting: WESENDALL_API_SECRET = [redacted] (environment)",
		"ok credentials: accepted; the wallet holds UGX 5000, a unit costs UGX 35", "ok clock: within", "ok ledger: ",
		"ok self-test: over stdio, 2025-11-25: 8 tools", "ok self-test: over stdio, 2026-07-28: 8 tools",
		"ok host: Cursor starts this program",
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	got := runInHome(t, home, nil, "doctor", "--sandbox") // the host is live
	if got.exitCode != exitError || !strings.Contains(got.stdout, "; doctor checks sandbox here") ||
		!strings.Contains(got.stdout, "ok       credentials  accepted") ||
		!strings.Contains(got.stdout, "the sandbox's own") {
		t.Errorf("%+v", got)
	}
}

func TestDoctor_Problems(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	withEnv := func(extra ...string) []string { return append(slices.Clone(env), extra...) }
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"nothing set": {nil, nil, "failure credentials: set WESENDALL_API_KEY"},
		"a placeholder": {withEnv("WESENDALL_API_KEY=YOUR_KEY"), nil,
			"failure credentials: WESENDALL_API_KEY is still a placeholder"},
		"a wrong secret": {withEnv("WESENDALL_API_SECRET=wrong"), nil,
			"failure credentials: get_balance: 401 invalid_credentials"},
		"a revoked key": {withEnv("WESENDALL_API_KEY=sk_test_revoked"), nil,
			"failure credentials: get_balance: 401 key_revoked"},
		"another owner's wallet": {withEnv("WESENDALL_WALLET_ID=wal_other"), nil,
			"failure credentials: get_balance: 403 wallet_forbidden"},
		"no API there": {withEnv("WESENDALL_BASE_URL=http://127.0.0.1:1"), nil,
			"failure credentials: get_balance: the connection failed"},
		"another path": {withEnv("WESENDALL_BASE_URL=" + url + "/elsewhere"), nil,
			"failure credentials: get_balance: 404"},
		"no wallet":          {env[:3], nil, "failure wallet: WESENDALL_WALLET_ID is not set"},
		"a broken ledger":    {withEnv("WESENDALL_LEDGER=" + t.TempDir()), nil, "failure ledger: "},
		"no tools":           {env, []string{"--tools", ""}, "ok self-test"},
		"no host":            {env, nil, "warning host: no known host is on this machine"},
		"a ledger in memory": {withEnv("WESENDALL_LEDGER=memory"), nil, "ok ledger: in memory"},
		"a file for everyone": {nil, []string{"--env-file", writeFile(t, t.TempDir(), "open.env", strings.Join(env, "\n"))},
			"warning setting: other users of this machine can read "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a file for everyone" {
				if err := os.Chmod(c.args[1], 0o644); err != nil { //nolint:gosec // doctor must find this
					t.Fatal(err)
				}
			}
			lines, code := runDoctor(t, t.TempDir(), c.env, c.args...)
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, c.want) }) ||
				(code == exitError) != strings.HasPrefix(c.want, "failure") {
				t.Errorf("exit %d, %q", code, lines)
			}
		})
	}
}

// Settings that end every other command are findings. Then no request is made, because it could
// go to the wrong API.
func TestDoctor_InvalidSettings(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(api.Close)
	env := apiEnv(api.URL)
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"a placeholder": {append(env, "WESENDALL_BASE_URL=${BASE}"), nil,
			"WESENDALL_BASE_URL is still a placeholder (${BASE})"},
		"a placeholder, typed":  {env, []string{"--ledger", "${LEDGER}"}, "--ledger is still a placeholder (${LEDGER})"},
		"a number that is none": {append(env, "WESENDALL_MAX_PER_DAY=much"), nil, "WESENDALL_MAX_PER_DAY: "},
		"a word that is none": {append(env, "WESENDALL_CONFIRM=maybe"), nil,
			"WESENDALL_CONFIRM must be one of auto, elicit, quote, off"},
		"a limit below nothing":    {append(env, "WESENDALL_MAX_PER_DAY=-1"), nil, "--max-per-day: must not be negative"},
		"a file that is not there": {env, []string{"--env-file", "/nowhere/w.env"}, "--env-file: open /nowhere/w.env"},
		"an insecure base":         {env, []string{"--base-url", "http://example.com"}, "must begin with https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, code := runDoctor(t, t.TempDir(), c.env, c.args...)
			if code != exitError || !slices.ContainsFunc(lines, func(line string) bool {
				return strings.HasPrefix(line, "failure setting: ") && strings.Contains(line, c.want)
			}) {
				t.Errorf("exit %d, %q", code, lines)
			}
			const notChecked = "warning credentials: credentials and ledger were not checked → fix the settings first"
			if !slices.Contains(lines, notChecked) {
				t.Errorf("%q", lines)
			}
			// Every other command reports it in one line.
			if got := runInHome(t, t.TempDir(), c.env, append([]string{"call", "get_balance"},
				c.args...)...); got.exitCode != exitUsage || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests", requests.Load())
	}
}

// As the README says: config creates a file, the user fills it in, doctor confirms that it
// works.
func TestDoctor_GeneratedEnvFile(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	home := t.TempDir()
	if got := runInHome(t, home, nil, "config", "cursor", "--write"); got.exitCode != 0 ||
		!strings.Contains(got.stderr, "doctor --env-file ") {
		t.Fatalf("%+v", got)
	}
	file := filepath.Join(home, ".config", "wesendall-mcp", "wesendall.env")
	lines, code := runDoctor(t, home, nil)
	for _, want := range []string{"failure credentials: WESENDALL_API_KEY is still a placeholder",
		"failure host: Cursor has an entry that does not work: WESENDALL_API_KEY is still a placeholder"} {
		if code != exitError || !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(env, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--env-file", file}} {
		lines, code = runDoctor(t, home, nil, args...)
		for _, want := range []string{"ok credentials: accepted", "ok self-test: over stdio, 2026-07-28: 8 tools",
			"ok host: Cursor starts this program", "ok setting: WESENDALL_WALLET_ID = " + sandbox.WalletID + " (" + file + ")"} {
			if code != 0 || !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
				t.Errorf("%v: exit %d, no %q in %q", args, code, want, lines)
			}
		}
	}
	// Credentials that are set elsewhere count, and not the file.
	if lines, code = runDoctor(t, home, []string{"WESENDALL_API_KEY=k"}); code != exitError ||
		slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, file+")") }) {
		t.Errorf("exit %d, %q", code, lines)
	}
}

// A host's entry is checked as the program would read it, and not started.
func TestDoctor_HostEntries(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	env, _ := upstream(t)
	for name, c := range map[string]struct{ entry, want string }{
		"a wrong flag": {`"args":["--sandbox","--max-per-call=abc"]`,
			"failure host: Cursor has an entry that does not work: --max-per-call"},
		"a command that spends": {`"args":["--sandbox","call","send_sms","{}"]`,
			"failure host: Cursor has an entry that does not work: its arguments do not start a server"},
		"half the credentials": {`"env":{"WESENDALL_API_SECRET":"s"}`,
			"failure host: Cursor has an entry that does not work: set WESENDALL_API_KEY"},
		"a relative file": {`"args":["--env-file","doctor_test.go"]`,
			"failure host: Cursor has an entry that does not work: --env-file"},
		"what the host fills in": {`"env":{"WESENDALL_API_KEY":"${input:key}"}`,
			"warning host: Cursor replaces variables in its entry"},
		"all from elsewhere": {`"args":["--read-only"]`, "ok host: Cursor starts this program"},
		"a command with --help": {`"args":["--help"]`,
			"failure host: Cursor has an entry that does not work: its arguments do not start a server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			if err := os.Mkdir(filepath.Join(home, ".cursor"), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(home, ".cursor"), "mcp.json",
				`{"mcpServers":{"wesendall":{"command":"`+path+`",`+c.entry+`}}}`)
			lines, code := runDoctor(t, home, env)
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, c.want) }) ||
				(code == exitError) != strings.HasPrefix(c.want, "failure") {
				t.Errorf("exit %d, %q", code, lines[len(lines)-3:])
			}
		})
	}
}

// A password in a URL is never shown, and a mistyped URL is not used as a file name.
func TestLedger_URLRedaction(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	for _, setting := range []string{
		"WESENDALL_BASE_URL=https://u:hunter2@127.0.0.1", "WESENDALL_LEDGER=Postgres://u:hunter2@127.0.0.1/l",
		"WESENDALL_LEDGER= postgres://u:hunter2@127.0.0.1/l",
		"WESENDALL_LEDGER=postgres:/u:hunter2@127.0.0.1/l", "WESENDALL_LEDGER=host=127.0.0.1 password=hunter2",
		"WESENDALL_LEDGER=postgres://u:hunter2@127.0.0.1/${DB}",
		"WESENDALL_LEDGER=mysql://u:hunter2@127.0.0.1/l", `WESENDALL_LEDGER="postgres://u:hunter2@127.0.0.1/l"`,
		"WESENDALL_LEDGER='postgres://u:hunter2@127.0.0.1/l'",
		"WESENDALL_LEDGER=jdbc:postgresql://127.0.0.1/l?password=hunter2",
		"WESENDALL_LEDGER=postgres//u:hunter2@127.0.0.1/l", "WESENDALL_LEDGER=postgres ://u:hunter2@127.0.0.1/l",
		"WESENDALL_LEDGER=u:hunter2@127.0.0.1/l", "WESENDALL_LEDGER=postgres:u:hunter2@127.0.0.1",
		"WESENDALL_LEDGER=PGHOST=127.0.0.1 PGPASSWORD=hunter2", "WESENDALL_LEDGER=postgres://u:12/hunter2@127.0.0.1:1/l",
	} {
		for _, command := range [][]string{{"doctor"}, {"doctor", "--json"},
			{"call", "send_sms", `{"recipient":"+256700000010","message":"Hi"}`}, {"config", "cursor"},
			{"config", "cursor", "--write"}, {"ledger"}} {
			home := t.TempDir()
			got := runInHome(t, home, append(slices.Clone(env), setting), command...)
			if got.exitCode == exitOK || strings.Contains(got.stdout+got.stderr, "hunter2") {
				t.Errorf("%s, %v: %+v", setting, command, got)
			}
			_ = filepath.WalkDir(home, func(path string, _ os.DirEntry, _ error) error {
				if text, err := os.ReadFile(path); strings.Contains(path, "hunter2") || err == nil &&
					strings.Contains(string(text), "hunter2") {
					t.Errorf("%s, %v: it is in %s", setting, command, path)
				}
				return nil
			})
		}
	}
}

// The fix depends on the cause.
func TestDoctor_Fixes(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = io.WriteString(w, "<html>Sign in</html>")
	}))
	t.Cleanup(page.Close)
	dir := t.TempDir()
	damaged := writeFile(t, dir, "damaged.db", strings.Repeat("This is no ledger. ", 100))
	named := writeFile(t, dir, "doctor", strings.Join(env, "\n"))
	for name, c := range map[string]struct {
		env  []string
		args []string
		code int
		want string
	}{
		"the clock of a refusal": {append(env, "WESENDALL_API_SECRET=wrong"), nil, exitError, "ok clock: within"},
		"a proxy's page":         {apiEnv(page.URL), nil, exitError, "something else answers there"},
		"a ledger that is none": {append(env, "WESENDALL_LEDGER="+damaged), nil, exitError,
			"then move the file away"},
		"and it is not needed": {append(env, "WESENDALL_LEDGER="+damaged), []string{"--read-only"}, 0,
			"warning ledger: "},
		"a file with the command name": {nil, []string{"--env-file", named}, 0, "ok self-test: over stdio, 2026-07-28"},
		"a flag with its value":        {env, []string{"--json=true"}, 0, "ok self-test: over stdio, 2026-07-28"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, code := runDoctor(t, t.TempDir(), c.env, c.args...)
			if code != c.code || !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, c.want) }) {
				t.Errorf("exit %d, %q", code, lines)
			}
		})
	}
}

// Doctor asks for a balance and nothing else, and compares clocks.
func TestDoctor_NeverSpends(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/v1/account/balance" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		requests.Add(1)
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"success":true,"data":{"balance":5000,"cost_per_sms":35}}`)
	}))
	t.Cleanup(api.Close)
	home := t.TempDir()
	// An unknown outcome is a warning.
	sandboxEnv, _ := upstream(t)
	ledger := "WESENDALL_LEDGER=" + filepath.Join(home, "ledger.db")
	if got := runInHome(t, home, append(sandboxEnv, ledger), "call", "send_sms",
		`{"recipient":"+256700000408","message":"Hi"}`); got.exitCode != exitOutcomeUnknown {
		t.Fatalf("%+v", got)
	}
	lines, code := runDoctor(t, home, append(apiEnv(api.URL), ledger))
	for _, want := range []string{"warning clock: this machine's clock differs by 1h0m",
		"warning ledger: unknown outcomes: 1"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	if code != 0 || requests.Load() != 1 {
		t.Errorf("exit %d, %d requests", code, requests.Load())
	}
}
