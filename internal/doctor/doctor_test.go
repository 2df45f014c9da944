package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// envAnswer makes the test binary print a text and end, as a program that doctor starts.
const envAnswer = "DOCTOR_TEST_ANSWER"

func TestMain(m *testing.M) {
	if answer := os.Getenv(envAnswer); answer != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_, _ = fmt.Fprintln(os.Stdout, answer) //nolint:forbidigo // the answer of the fake program
		if answer == "crash" {
			_, _ = fmt.Fprintln(os.Stderr, "the reason")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeAPI answers the balance call. Any other call panics: doctor must make none.
type fakeAPI struct {
	guard.API
	data string
	date time.Time
	err  error
}

func (a fakeAPI) Balance(context.Context, client.BalanceRequest) (*client.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &client.Response{Data: json.RawMessage(a.data), ServerTime: a.date}, nil
}

var testTime = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

// healthyOptions are settings with which each check is ok.
func healthyOptions(t *testing.T) Options {
	t.Helper()
	host, _ := hostconfig.FindHost("cursor")
	return Options{
		Version: "1.0.0", Wallet: "wal_1", Now: func() time.Time { return testTime },
		Settings: []EffectiveSetting{{"WESENDALL_RATE", "10", "default"}},
		API:      fakeAPI{data: `{"balance":5000,"cost_per_sms":35}`, date: testTime.Add(-time.Minute)},
		Ledger:   filepath.Join(t.TempDir(), "ledger.db"),
		Self: Program{
			Path: os.Args[0], Env: []string{envAnswer + `={"result":{"tools":[{},{}]}}`},
		},
		Hosts: []hostconfig.DetectedHost{{
			Host: host, ConfigFile: "/home/a/.cursor/mcp.json",
			Servers: []hostconfig.ServerEntry{{Name: "wesendall", IsThisBinary: true}},
		}},
		CheckHostEntry: func(hostconfig.ServerEntry) string { return "" },
	}
}

func formatFindings(findings []Finding) []string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s %s: %s → %s", f.Status, f.Check, f.Message, f.Fix), " → "))
	}
	return lines
}

func TestRun_Healthy(t *testing.T) {
	t.Parallel()
	o := healthyOptions(t)
	findings := Run(t.Context(), o)
	if HasErrors(findings) {
		t.Error("it has errors")
	}
	lines := formatFindings(findings)
	want := []string{
		"ok program: wesendall-mcp 1.0.0 at " + o.Self.Path,
		"ok setting: WESENDALL_RATE = 10 (default)",
		"ok credentials: accepted; the wallet holds UGX 5000, a unit costs UGX 35",
		"ok clock: within 2m0s of Wesendall's",
		"ok ledger: " + o.Ledger + " can be written; it belongs to ",
		"ok self-test: over stdio, 2025-11-25: 2 tools in ",
		"ok self-test: over stdio, 2026-07-28: 2 tools in ",
		"ok host: Cursor starts this program (/home/a/.cursor/mcp.json)",
	}
	if !slices.EqualFunc(lines, want, strings.HasPrefix) {
		t.Errorf("%q", lines)
	}
}

// expectFinding checks that one finding is a line, and that its status decides HasErrors.
func expectFinding(t *testing.T, o Options, want string) {
	t.Helper()
	findings := Run(t.Context(), o)
	lines := formatFindings(findings)
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
		t.Errorf("no %q in %q", want, lines)
	}
	if HasErrors(findings) != strings.HasPrefix(want, string(StatusError)) {
		t.Errorf("errors: %t in %q", HasErrors(findings), lines)
	}
}

func TestRun_Credentials(t *testing.T) {
	t.Parallel()
	apiError := func(status int, code string) error {
		return &client.Error{Endpoint: "get_balance", Status: status, Code: code, ServerTime: testTime}
	}
	for name, c := range map[string]struct {
		api  fakeAPI
		want string
	}{
		"revoked key": {fakeAPI{err: apiError(401, "key_revoked")}, "create a new key in the dashboard"},
		"other wallet": {fakeAPI{err: apiError(403, "wallet_forbidden")},
			"WESENDALL_WALLET_ID must be a wallet of the key's owner"},
		"wrong secret": {fakeAPI{err: apiError(401, "invalid_credentials")},
			"compare the key, the secret and the wallet"},
		"no connection":       {fakeAPI{err: apiError(0, "")}, "check the network. Then check WESENDALL_BASE_URL"},
		"wrong path":          {fakeAPI{err: apiError(404, "")}, "WESENDALL_BASE_URL must be the address of the API itself"},
		"redirect":            {fakeAPI{err: apiError(302, "")}, "WESENDALL_BASE_URL must be the address of the API itself"},
		"outage":              {fakeAPI{err: apiError(503, "")}, "try again later"},
		"rate limit":          {fakeAPI{err: apiError(429, "")}, "try again later"},
		"page of a proxy":     {fakeAPI{err: apiError(200, "")}, "something else answers there"},
		"other error":         {fakeAPI{err: errors.New("refused")}, "compare the key, the secret and the wallet"},
		"answer not JSON":     {fakeAPI{data: `<html>`, date: testTime}, checkAddress},
		"answer has no price": {fakeAPI{data: `{"balance":5000}`, date: testTime}, checkAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := healthyOptions(t)
			o.API = c.api
			isFailure := func(f Finding) bool {
				return f.Check == "credentials" && f.Status == StatusError && strings.HasPrefix(f.Fix, c.want)
			}
			if findings := Run(t.Context(), o); !slices.ContainsFunc(findings, isFailure) {
				t.Errorf("no fix %q in %q", c.want, formatFindings(findings))
			}
		})
	}
}

func TestRun_CredentialWarnings(t *testing.T) {
	t.Parallel()
	t.Run("nothing is set", func(t *testing.T) {
		t.Parallel()
		o := healthyOptions(t)
		o.API, o.CredentialProblem = nil, "set WESENDALL_API_KEY."
		expectFinding(t, o, "failure credentials: set WESENDALL_API_KEY → the values are on the page API of the dashboard")
	})
	t.Run("no wallet", func(t *testing.T) {
		t.Parallel()
		o := healthyOptions(t)
		o.Wallet = ""
		o.API = fakeAPI{err: &client.Error{Status: 422, Code: "validation_failed", ServerTime: testTime}}
		expectFinding(t, o, "failure wallet: WESENDALL_WALLET_ID is not set: only reading works → set it to the id")
		lines := formatFindings(Run(t.Context(), o))
		want := "warning credentials: accepted, as far as can be checked without a wallet → set WESENDALL_WALLET_ID"
		if !slices.Contains(lines, want) {
			t.Errorf("no %q in %q", want, lines)
		}
	})
	t.Run("the clock is wrong", func(t *testing.T) {
		t.Parallel()
		o := healthyOptions(t)
		for offset, want := range map[time.Duration]string{
			-time.Hour: "1h0m0s", time.Hour: "-1h0m0s",
		} {
			o.API = fakeAPI{data: `{"balance":5000,"cost_per_sms":35}`, date: testTime.Add(offset)}
			expectFinding(t, o, "warning clock: this machine's clock differs by "+want+" from Wesendall's → set the clock")
		}
	})
	t.Run("the answer has no date", func(t *testing.T) {
		t.Parallel()
		o := healthyOptions(t)
		o.API = fakeAPI{data: `{"balance":5000,"cost_per_sms":35}`}
		expectFinding(t, o, "warning clock: Wesendall's answer has no date")
	})
}

// With wrong settings nothing is contacted: fakeAPI would answer, and the ledger be created.
func TestRun_InvalidSettings(t *testing.T) {
	t.Parallel()
	o := healthyOptions(t)
	o.ConfigErrors = []string{"--max-per-day: must not be negative"}
	expectFinding(t, o, "failure setting: --max-per-day: must not be negative → fix it where it is set")
	expectFinding(t, o, "failure setting")
	lines := formatFindings(Run(t.Context(), o))
	if !slices.Contains(lines, "warning credentials: credentials and ledger were not checked → fix the settings first") {
		t.Errorf("%q", lines)
	}
	if _, err := os.Stat(o.Ledger); err == nil {
		t.Error("the ledger was opened")
	}
}

func TestRun_FileModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), os.Chmod(secret, 0o644)); err != nil {
		t.Fatal(err)
	}
	o := healthyOptions(t)
	o.SecretFiles = []string{secret}
	expectFinding(t, o, "warning setting: other users of this machine can read "+secret+" → chmod 600 "+secret)
	for _, entry := range []hostconfig.Entry{
		{Args: []string{"--env-file", secret}},
		{Env: map[string]string{"WESENDALL_API_SECRET_FILE": secret}},
		{Env: map[string]string{"WESENDALL_API_SECRET": "s"}},
	} {
		o = healthyOptions(t)
		o.Hosts[0].ConfigFile, o.Hosts[0].Servers[0].Entry = secret, entry
		expectFinding(t, o, "warning host: other users of this machine can read "+secret+" → chmod 600 "+secret)
	}
}

func TestRun_Ledger(t *testing.T) {
	t.Parallel()
	o := healthyOptions(t)
	o.Ledger = ""
	expectFinding(t, o, "ok ledger: in memory: it is lost when the server ends")

	o.Ledger = t.TempDir() // a directory cannot be a ledger
	findings := Run(t.Context(), o)
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.Check == "ledger" })
	if f := findings[i]; f.Status != StatusError || !strings.HasPrefix(f.Message, o.Ledger+": ") ||
		!strings.HasSuffix(f.Fix, "; until then nothing is sent") {
		t.Errorf("%+v", f)
	}
	o.ReadOnly = true // nothing is sent anyway
	if f := Run(t.Context(), o)[i]; f.Status != StatusWarning {
		t.Errorf("%+v", f)
	}
}

func TestRun_SelfTest(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"crash":                           "exit status 1: the reason",
		"hello":                           "the answer is not a message",
		`{"result":{"tools":[]}}`:         "it lists no tools",
		`{"error":{"message":"too old"}}`: "it lists no tools too old",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			o := healthyOptions(t)
			o.Self.Env = []string{envAnswer + "=" + answer}
			expectFinding(t, o, "failure self-test: over stdio, 2025-11-25: "+want)
		})
	}
}

func TestRun_Hosts(t *testing.T) {
	t.Parallel()
	const file = " (/home/a/.cursor/mcp.json)"
	for name, c := range map[string]struct {
		change func(*hostconfig.DetectedHost)
		want   string
	}{
		"file not readable": {
			func(h *hostconfig.DetectedHost) { h.Servers, h.Err = nil, errors.New("it is not valid JSON") },
			"failure host: Cursor has a file that cannot be read: it is not valid JSON" + file + " → fix the file",
		},
		"no entry": {
			func(h *hostconfig.DetectedHost) { h.Servers = nil },
			"warning host: Cursor has no entry for this server" + file + " → wesendall-mcp config cursor",
		},
		"disabled": {
			func(h *hostconfig.DetectedHost) { h.Servers[0].Disabled = true },
			"warning host: Cursor has disabled wesendall" + file + " → enable it in the host",
		},
		"over HTTP": {
			func(h *hostconfig.DetectedHost) { h.Servers[0].URL = "https://mcp.example.com/mcp" },
			"ok host: Cursor uses the server at https://mcp.example.com/mcp" + file,
		},
		"program missing": {
			func(h *hostconfig.DetectedHost) { h.Servers[0].Err = errors.New("no such file") },
			"failure host: Cursor cannot start wesendall: no such file" + file + " → wesendall-mcp config cursor",
		},
		"other program, for one project": {
			func(h *hostconfig.DetectedHost) {
				h.Servers[0].IsThisBinary, h.Servers[0].Project, h.Servers[0].Command = false, "/src", "/old"
			},
			"failure host: Cursor starts another program (only in /src): /old" + file + " → wesendall-mcp config cursor",
		},
		"variables": {
			func(h *hostconfig.DetectedHost) { h.Servers[0].Args = []string{"--ledger=${HOME}/l"} },
			"warning host: Cursor replaces variables in its entry (${…}), so it cannot be checked here → if the server",
		},
		"wrong arguments": {
			func(h *hostconfig.DetectedHost) { h.Servers[0].Args = []string{"--wrong"} },
			"failure host: Cursor has an entry that does not work: unknown flag --wrong → fix /home/a/.cursor/mcp.json",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := healthyOptions(t)
			o.CheckHostEntry = func(e hostconfig.ServerEntry) string {
				if slices.Contains(e.Args, "--wrong") {
					return "unknown flag --wrong"
				}
				return ""
			}
			c.change(&o.Hosts[0])
			expectFinding(t, o, c.want)
		})
	}
	o := healthyOptions(t)
	o.Hosts = nil
	expectFinding(t, o, "warning host: no known host is on this machine → wesendall-mcp config HOST")
}
