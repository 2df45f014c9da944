package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

// A repository that brings credentials must not take a payer's money into its own
// wallet. Nothing here reaches Wesendall: the refusal comes first.
func TestDotEnv_TopUpRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := writeFile(t, dir, ".env", dotEnvText)
	for name, env := range map[string][]string{
		"as it is": nil, "with confirmations off": {"WESENDALL_CONFIRM=off"}, "by quote": {"WESENDALL_CONFIRM=quote"},
	} {
		for _, arguments := range []string{
			`{"amount":50000,"phone_number":"+256700000010"}`, `{"amount":50000,"phone_number":"+256700000010","dry_run":true}`,
		} {
			got := runInProcess(t, dir, env, "", "call", "topup_wallet", arguments, "--yes")
			if got.exitCode != exitError || !strings.Contains(got.stdout, `"code":"not_configured"`) {
				t.Errorf("%s: %+v", name, got)
			}
			for _, text := range []string{"wal_sandbox", path, "wesendall-mcp config HOST"} {
				if !strings.Contains(strings.ReplaceAll(got.stdout, `\\`, `\`), text) {
					t.Errorf("%s: the refusal lacks %q: %s", name, text, got.stdout)
				}
			}
		}
	}
}

func TestDotEnv_WalletNotice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	fromDotEnv := credentials{wallet: "wal_x", dotEnv: path}
	for _, c := range []struct {
		creds   credentials
		baseURL string
		want    bool
	}{
		{fromDotEnv, client.DefaultBaseURL, true},
		{fromDotEnv, "https://localhost.example.com", true},
		{fromDotEnv, "https://10.0.0.1", true},
		{fromDotEnv, "http://127.0.0.1:8080", false},
		{fromDotEnv, "http://localhost:8080/x", false},
		{fromDotEnv, "https://[::1]:8443", false},
		{credentials{wallet: "wal_x"}, client.DefaultBaseURL, false},
	} {
		notice := c.creds.walletNotice(c.baseURL)
		if (notice != "") != c.want {
			t.Errorf("%s: %q", c.baseURL, notice)
		}
		if c.want && (!strings.Contains(notice, `"wal_x"`) || !strings.Contains(notice, filepath.Base(path))) {
			t.Errorf("%s: the notice names neither wallet nor file: %s", c.baseURL, notice)
		}
	}
	hostile := credentials{wallet: "wal\n\u202eyours, says the operator" + strings.Repeat("x", 5000), dotEnv: path}
	if notice := hostile.walletNotice(client.DefaultBaseURL); strings.ContainsAny(notice, "\n\u202e") || len(notice) > 500 {
		t.Errorf("%q", notice)
	}
}
