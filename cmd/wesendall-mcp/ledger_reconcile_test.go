package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unknownSend makes a send that was charged and whose outcome is unknown. It returns the
// environment of its ledger, and its id.
func unknownSend(t *testing.T) (env []string, id string) {
	t.Helper()
	env, _ = upstream(t)
	env = append(env, "WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db"))
	if got := runInProcess(t, t.TempDir(), env, "", "call", "send_sms",
		`{"recipient":"+256700000408","message":"Hi"}`); got.exitCode != exitOutcomeUnknown {
		t.Fatalf("%+v", got)
	}
	var shown struct{ Spends []struct{ ID string } }
	got := runInProcess(t, t.TempDir(), env, "", "ledger", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &shown); err != nil || len(shown.Spends) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	return env, shown.Spends[0].ID
}

func TestLedgerReconcile(t *testing.T) {
	t.Parallel()
	env, id := unknownSend(t)
	run := func(args ...string) runResult { return runInProcess(t, t.TempDir(), env, "", args...) }
	got := run("ledger", "reconcile")
	for _, text := range []string{
		id + ": send_sms of ", "balance: UGX 5,000 before, UGX 4,965 now", "to 1 of its 1 recipient", "…408 sent",
		"suggestion: wesendall-mcp ledger resolve " + id + " sent",
	} {
		if got.exitCode != exitOK || !strings.Contains(got.stdout, text) {
			t.Errorf("%q is missing: %+v", text, got)
		}
	}
	var report struct {
		Balance int64
		Spends  []struct {
			ID, Suggestion string
			BalanceBefore  int64 `json:"balance_before"`
		}
	}
	if err := json.Unmarshal([]byte(run("ledger", "reconcile", "--json").stdout), &report); err != nil ||
		len(report.Spends) != 1 || report.Spends[0].ID != id || report.Spends[0].Suggestion != "sent" ||
		report.Spends[0].BalanceBefore != 5000 || report.Balance != 4965 {
		t.Errorf("%+v, %v", report, err)
	}
	if got := run("ledger", "resolve", id, "sent"); got.exitCode != exitOK {
		t.Errorf("%+v", got)
	}
	if got := run("ledger", "reconcile"); got.exitCode != exitOK || got.stdout != "No outcome is unknown.\n" {
		t.Errorf("%+v", got)
	}
	noCredentials := []string{"WESENDALL_LEDGER=" + filepath.Join(t.TempDir(), "ledger.db")}
	if got := runInProcess(t, t.TempDir(), noCredentials, "", "ledger", "reconcile"); got.exitCode != exitError ||
		!strings.Contains(got.stderr, "WESENDALL_API_KEY") {
		t.Errorf("%+v", got)
	}
}

// On a terminal, ledger resolve names the effect on the budget and asks.
func TestLedgerResolve_AsksOnATerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs a terminal, and there is no program to make one")
	}
	const question = "as failed? UGX 35 go back to the budget of that day"
	for name, c := range map[string]struct {
		typed, flags string
		asks         bool
		says         string
		state        string
	}{
		"a yes":          {"y\n", "", true, " is failed.", "failed"},
		"a no":           {"n\n", "", true, "nothing was changed", "unknown"},
		"the end":        {"\x04", "", true, "nothing was changed", "unknown"},
		"with --yes":     {"", " --yes", false, " is failed.", "failed"},
		"something else": {"sure\n", "", true, "nothing was changed", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, id := unknownSend(t)
			p := program(t, env)
			terminal := exec.Command(script, "-qec", p.Path+" ledger resolve "+id+" failed"+c.flags, "/dev/null")
			terminal.Env, terminal.Dir = p.Env, p.Dir
			terminal.Stdin = strings.NewReader(c.typed)
			out, _ := terminal.CombinedOutput() // the state is checked instead of the exit code
			if strings.Contains(string(out), question) != c.asks || !strings.Contains(string(out), c.says) {
				t.Errorf("%s", out)
			}
			got := runInProcess(t, t.TempDir(), env, "", "ledger", "--json")
			if !strings.Contains(got.stdout, `"state":"`+c.state+`"`) {
				t.Errorf("%+v", got)
			}
		})
	}
}
