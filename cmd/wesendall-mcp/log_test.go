package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// The log has one line a call, in both formats, and no argument.
func TestLog_OneLinePerCall(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	input := strings.Join([]string{
		initializeLine,
		toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"private words"}`),
		toolCallLine(2, "send_sms", `{"recipient":"+256700000408","message":"private words"}`),
		toolCallLine(3, "get_balance", `{"unknown":"private words"}`),
	}, "\n")
	for _, format := range []string{"text", "json"} {
		got := runInProcess(t, t.TempDir(), append(env, "WESENDALL_LEDGER=memory", "WESENDALL_LOG_FORMAT="+format), input)
		if got.exitCode != 0 || strings.Contains(got.stderr, "private") || strings.Contains(got.stderr, "256700000") {
			t.Errorf("%+v", got)
		}
		calls := 0
		for line := range strings.Lines(got.stderr) {
			if !strings.Contains(line, "outcome") {
				continue
			}
			calls++
			if format == "text" {
				for _, name := range []string{"tool=", "duration_ms=", "attempts=", "request_id="} {
					if !strings.Contains(line, name) {
						t.Errorf("no %s in %s", name, line)
					}
				}
				continue
			}
			var entry struct {
				Tool, Outcome string
				Duration      *float64 `json:"duration_ms"`
				Attempts      *int
				RequestID     *string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Duration == nil || entry.Attempts == nil ||
				entry.RequestID == nil ||
				!strings.Contains(" ok outcome_unknown invalid_arguments ", " "+entry.Outcome+" ") {
				t.Errorf("%s: %v", line, err)
			}
		}
		if calls != 3 {
			t.Errorf("%d lines: %s", calls, got.stderr)
		}
	}
}
