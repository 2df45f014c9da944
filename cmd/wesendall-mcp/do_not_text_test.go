package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSettings_QuietHours(t *testing.T) {
	t.Parallel()
	const send = `{"groupId":"grp_customers","message":"Hi","dry_run":true}`
	for value, want := range map[string]string{
		"0-24": "WESENDALL_QUIET_HOURS=0-24", "off": "needs no confirmation", " OFF ": "needs no confirmation",
	} {
		got := runInProcess(t, t.TempDir(), []string{"WESENDALL_QUIET_HOURS=" + value}, "", "call", "--sandbox", "send_group_sms", send)
		if got.exitCode != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("%q: %+v", value, got)
		}
	}
	for _, value := range []string{"21", "21-25", "7-7", "night"} {
		got := runInProcess(t, t.TempDir(), []string{"WESENDALL_QUIET_HOURS=" + value}, "", "call", "--sandbox", "get_balance")
		if got.exitCode != exitUsage || !strings.Contains(got.stderr, "WESENDALL_QUIET_HOURS") || !strings.Contains(got.stderr, "21-7") {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

func TestSettings_DoNotText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list := writeFile(t, dir, "list", "0700000010 # Anna\n")
	send := func(path string) runResult {
		return runInProcess(t, dir, nil, "", "call", "--sandbox", "--do-not-text", path, "send_sms",
			`{"recipient":["0700000010","0700000011"],"message":"Dear {{name}}"}`)
	}
	got := send(list)
	for _, want := range []string{`"recipients":1`, "1 number was dropped", "+256700000010", "{{name}}"} {
		if got.exitCode != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("no %q: %+v", want, got)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):             "no such file",
		writeFile(t, dir, "bad", "\n\nAnna\n"): "line 3 is not one phone number",
	} {
		if got := send(path); got.exitCode != exitError || !strings.Contains(got.stdout, want) ||
			!strings.Contains(got.stdout, `"code":"not_configured"`) {
			t.Errorf("%s: %+v", path, got)
		}
		got := runInProcess(t, dir, nil, "", "doctor", "--sandbox", "--do-not-text", path)
		if got.exitCode != exitError || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// A host starts the program in any directory, so its entry has the absolute path.
func TestConfigCommand_DoNotText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, env := range [][]string{{"WESENDALL_DO_NOT_TEXT=list"}, nil} {
		args := []string{"config", "cursor", "--sandbox"}
		if env == nil {
			args = append(args, "--do-not-text=list")
		}
		got := runInProcess(t, dir, env, "", args...)
		_, path, found := strings.Cut(got.stdout, `"--do-not-text=`)
		path, _, _ = strings.Cut(path, `"`)
		if got.exitCode != exitOK || !found || !filepath.IsAbs(path) || filepath.Base(path) != "list" {
			t.Errorf("%q: %+v", path, got)
		}
	}
}
