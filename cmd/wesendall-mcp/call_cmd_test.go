package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCall_YesFlag(t *testing.T) {
	t.Parallel()
	dear := `{"recipient":["+256700000010","+256700000011"],"message":"Hi"}`
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"call", "--sandbox", "--confirm-above", "35", "send_sms", dear}, exitError, "confirmation_required"},
		{[]string{"call", "--sandbox", "--confirm-above", "35", "--yes", "send_sms", dear}, exitOK, "Accepted for 2"},
		{[]string{"call", "--sandbox", "--max-per-call", "69", "--yes", "send_sms", dear}, exitError, "limit_exceeded"},
		{[]string{"call", "--sandbox", "--yes", "topup_wallet", `{"amount":500,"phone_number":"+256700000010"}`}, exitOK,
			"The payer was asked"},
		{[]string{"call", "--sandbox", "--allowed-countries", "254", "send_sms", dear}, exitError, "destination_not_allowed"},
		{[]string{"call", "--sandbox", "--max-per-day", "-1", "send_sms", dear}, exitUsage, ""},
		{[]string{"call", "--sandbox", "--confirm", "maybe", "send_sms", dear}, exitUsage, ""},
		{[]string{"call", "--sandbox", "--allowed-countries", "UG", "send_sms", dear}, exitUsage, ""},
		{[]string{"ledger", "--sandbox"}, exitUsage, ""},
	} {
		if got := runInProcess(t, t.TempDir(), nil, "", c.args...); got.exitCode != c.code ||
			!strings.Contains(got.stdout, c.says) {
			t.Errorf("%q: %+v", c.args, got)
		}
	}
}

func TestCall_TerminalPrompt(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs a terminal, and there is no program to make one")
	}
	for typed, want := range map[string]string{"y\n": "The payer was asked for UGX 500", "n\n": "declined",
		"\x04": "declined", "maybe\n": "declined"} {
		c := program(t, nil)
		terminal := exec.Command(script, "-qec",
			c.Path+` call --sandbox topup_wallet '{"amount":500,"phone_number":"+256700000010"}'`, "/dev/null")
		terminal.Env, terminal.Dir = c.Env, c.Dir
		terminal.Stdin = strings.NewReader(typed)
		out, _ := terminal.CombinedOutput() // the exit code does not matter
		if !strings.Contains(string(out), "Payer: +256700000010\r\nAmount: UGX 500. ") || !strings.Contains(string(out), "[y/N]") ||
			!strings.Contains(string(out), want) {
			t.Errorf("%q: %s", typed, out)
		}
	}
}
