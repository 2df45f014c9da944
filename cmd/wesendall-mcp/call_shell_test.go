package main

import (
	"strings"
	"testing"
)

// A shell that has removed quotes or cut the JSON is the likely cause: stdin is the way out.
func TestCall_BrokenByShell(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"{recipient:+256700000010,message:Hello}"},
		{"'{recipient:+256700000010,message:Hello}'"},
		{"{recipient:+256700000010,message:Hello", "there}"},
		{`'{"recipient":"+256700000010",`, `"message":"Hello"}'`},
	} {
		got := runInProcess(t, t.TempDir(), nil, "", append([]string{"call", "--sandbox", "send_sms"}, args...)...)
		if got.exitCode != exitUsage || !strings.Contains(got.stderr, "call TOOL - <arguments.json") || got.stdout != "" ||
			strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
