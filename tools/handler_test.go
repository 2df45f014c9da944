package tools

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestErrors_AsResult(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"success":false,"error":{"code":"insufficient_balance","message":"Too little"}}`: "insufficient_balance",
		`<html>`: guard.CodeOutcomeUnknown,
	} {
		r := newTestEnv(t, Options{Wallet: "wal_1", Sandbox: true}, respondWith(402, body))
		got := r.call(t, "send_sms", validArguments["send_sms"])
		if !got.isError || got.get("code") != want || got.get("http_status") != "402" ||
			got.get("request_id") != "req_1" || got.get("sandbox") != "true" {
			t.Error(got.text)
		}
	}
}

// panickingAPI panics, because its API is nil.
type panickingAPI struct{ guard.API }

func TestPanic_Result(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := &testEnv{}
	r.connect(t, Options{API: panickingAPI{}, Wallet: "wal_1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := r.call(t, "send_sms", validArguments["send_sms"]); got.get("code") != guard.CodeOutcomeUnknown ||
		got.get("money") != "unknown" {
		t.Error(got.text)
	}
	if got := r.call(t, "get_balance", `{}`); got.get("code") != guard.CodeBadResponse {
		t.Error(got.text)
	}
	if !strings.Contains(log.String(), "a tool failed") {
		t.Error("the panic is not in the log")
	}
}

func TestLog_NoArguments(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newTestEnv(t, Options{Wallet: "wal_1", Logger: slog.New(slog.NewTextHandler(&log, nil))},
		respondWith(402, `{"code":"insufficient_balance"}`))
	r.call(t, "send_sms", `{"recipient":"0700000010","message":"private words"}`)
	line := log.String()
	if strings.Contains(line, "0700000010") || strings.Contains(line, "private") {
		t.Error(line)
	}
	for _, want := range []string{"tool=send_sms", "duration_ms=", "outcome=insufficient_balance", "attempts=1",
		"request_id=req_1"} {
		if !strings.Contains(line, want) || strings.Count(line, "\n") != 1 {
			t.Errorf("no %s in %s", want, line)
		}
	}
}
