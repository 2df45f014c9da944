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

func TestCall_Encodings(t *testing.T) {
	t.Parallel()
	const arguments = `{"recipient":"+256700000010","message":"Hi","dry_run":true}`
	utf16 := "\xff\xfe" + strings.Join(strings.Split(arguments, ""), "\x00") + "\x00"
	const notUTF8, notJSON = "the arguments are not UTF-8 text; nothing was sent", "the arguments must be a JSON object"
	for name, c := range map[string]struct {
		written, stderr string
		code            int
	}{
		"a byte order mark":                {"\ufeff" + arguments, "", exitOK},
		"a byte order mark and line ends":  {"\r\n\ufeff" + arguments + "\r\n", "", exitOK},
		"a byte that is not UTF-8":         {strings.Replace(arguments, "Hi", "caf\xe9", 1), notUTF8, exitUsage},
		"such a byte in a name":            {strings.Replace(arguments, "dry_run", "dry\xff", 1), notUTF8, exitUsage},
		"half of a surrogate pair as CESU": {strings.Replace(arguments, "Hi", "\xed\xa0\x80", 1), notUTF8, exitUsage},
		"UTF-16":                           {utf16, notUTF8, exitUsage},
		"only a byte order mark":           {"\ufeff", notJSON, exitUsage},
	} {
		for _, args := range [][]string{{"send_sms", c.written}, {"send_sms", "-"}} {
			got := runInProcess(t, t.TempDir(), nil, c.written, append([]string{"call", "--sandbox"}, args...)...)
			if got.exitCode != c.code || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("%s, %.10q: %+v", name, args[1], got)
			}
		}
	}
	// Escaped, these arguments are longer than a line may be.
	long := `{"recipient":"+256700000010","message":"` + strings.Repeat("<", 4<<20) + `"}`
	got := runInProcess(t, t.TempDir(), nil, long, "call", "--sandbox", "send_sms", "-")
	if got.exitCode != exitUsage || !strings.Contains(got.stderr, "nothing was sent: a line must not be longer") {
		t.Errorf("%d %s", got.exitCode, got.stderr)
	}
	if got := runInProcess(t, t.TempDir(), nil, "", "call", "--sandbox", "send_sms\xff"); got.exitCode != exitUsage {
		t.Errorf("%+v", got)
	}
}
