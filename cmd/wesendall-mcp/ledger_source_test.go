package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/adrg/xdg"
)

func TestLedgerPath(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for value, want := range map[string]string{
		"~/w.db": filepath.Join(home, "w.db"), "~/a/../b/w.db": filepath.Join(home, "b", "w.db"), "~/memory": filepath.Join(home, "memory"),
		filepath.Join(home, "l.db"): filepath.Join(home, "l.db"), home + "/x/../l.db": filepath.Join(home, "l.db"),
		filepath.Join(home, "memory"): filepath.Join(home, "memory"), filepath.Join(home, "a@b 100%.db"): filepath.Join(home, "a@b 100%.db"),
	} {
		if got, err := ledgerPath(value, home); err != nil || got != want {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
	for says, values := range map[string][]string{
		"write memory": {
			"Memory", "MEMORY", " memory", "memory ", `"memory"`, "'memory'", ":memory:", "file::memory:", "file::memory:?cache=shared",
			"in-memory", "inmemory", "memory:", "mem", "sqlite::memory:",
		},
		"not expanded": {
			"$HOME/l.db", "${HOME}/l.db", home + "/$USER.db", "%APPDATA%/l.db", home + "/%USERNAME%/l.db", "~/$X/l.db", "$(pwd)/l.db",
			"%LOCALAPPDATA%\\l.db",
		},
		"depends on the folder": {"x.db", "./x.db", "../x.db", "a/b.db", ".", "~", "~other/l.db", "~+/l.db", "mеmory", "ledger"},
		"names a folder":        {home + "/", "~/", "/"},
		"looks like a database": {"mysql://u:hunter2@h/l", "u:hunter2@h/l", "file:l.db", `"` + home + `/l.db"`},
	} {
		for _, value := range values {
			got, err := ledgerPath(value, home)
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %q, %v", value, got, err)
			}
		}
	}
	if got, err := ledgerPath("~/l.db", ""); err == nil {
		t.Errorf("without a home folder ~/ is %q", got)
	}
}

// Every command that uses a ledger refuses one that depends on the folder, with
// exit code 2 and before it creates anything.
func TestLedger_PathRefused(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	dir := t.TempDir()
	for _, value := range []string{"x.db", "Memory", "$HOME/x.db", "%HOME%/x.db", "~", ":memory:"} {
		for _, args := range [][]string{
			{}, {"call", "get_balance"}, {"ledger"}, {"ledger", "resolve", "x", "sent"}, {"config", "cursor"},
		} {
			got := runInProcess(t, dir, env, "", append([]string{"--ledger", value}, args...)...)
			if got.exitCode != exitUsage || !strings.Contains(got.stderr, "--ledger") {
				t.Errorf("%s %v: %+v", value, args, got)
			}
		}
		if got := runInProcess(t, dir, append(env, "WESENDALL_LEDGER="+value), "", "ledger"); got.exitCode != exitUsage {
			t.Errorf("WESENDALL_LEDGER=%s: %+v", value, got)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) > 0 {
		t.Errorf("created: %v", found)
	}
}

// Base URLs that mean the same have one ledger, and in it one budget.
func TestLedgerSource_OneForEachBaseURL(t *testing.T) {
	t.Parallel()
	for _, spellings := range [][]string{
		{"https://www.wesendall.com", "https://WWW.wesendall.com.:443/./"},
		{"http://localhost:1/", "http://127.0.0.1:1", "http://[::1]:1", "http://LOCALHOST:1/a/.."},
		{"http://localhost", "http://[::1]:80/"},
	} {
		var source, account string
		for _, spelling := range spellings {
			cfg := &Config{}
			got, err := cfg.ledgerSource(spelling)
			if err != nil || source != "" && got != source || !strings.HasPrefix(got, xdg.StateHome) {
				t.Errorf("%s: %s, not %s, %v", spelling, got, source, err)
			}
			opts, err := cfg.guardOptions(spelling, nil)
			if err != nil || account != "" && opts.BaseURL != account {
				t.Errorf("%s: the budget is of %s, not %s, %v", spelling, opts.BaseURL, account, err)
			}
			source, account = got, opts.BaseURL
		}
	}
	var cfg Config
	first, _ := cfg.ledgerSource("http://127.0.0.1:1")
	second, _ := cfg.ledgerSource("http://127.0.0.1:2")
	if live, _ := cfg.ledgerSource("https://www.wesendall.com"); first == second || live == first {
		t.Error("different upstreams share a ledger")
	}
}
