package main

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

const initializeWithElicitationLine = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{` +
	`"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"private","version":"1"}}}`

// meteredCalls are calls with part of their answers.
var meteredCalls = []struct{ tool, arguments, says string }{
	{"get_balance", `{}`, "5000"},
	{"send_sms", `{"recipient":"+256700000010","message":"private words"}`, "sent"},
	{"send_sms", `{"recipient":"+256700000010","message":"private words"}`, "duplicate_send"},
	{"send_sms", `{"recipient":"+256700000408","message":"private words"}`, "outcome_unknown"},
	{"send_sms", `{"recipient":"+256700000502","message":"private words"}`, "send_failed"},
	{"send_sms", `{"+256700000010":"private words"}`, "invalid_arguments"},
	{"send_sms", `{"recipient":"+15550000010","message":"private words"}`, "destination_not_allowed"},
	{"+256700000010", `{}`, "error"},
}

// expectedMetrics are lines of the scrape after meteredCalls and a declined top-up.
var expectedMetrics = []string{
	`wesendall_calls_total{outcome="ok",tool="get_balance"} 1`,
	`wesendall_calls_total{outcome="ok",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="ok",tool="list_groups"} 0`,
	`wesendall_calls_total{outcome="duplicate_send",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="outcome_unknown",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="send_failed",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="invalid_arguments",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="destination_not_allowed",tool="send_sms"} 1`,
	`wesendall_calls_total{outcome="declined",tool="topup_wallet"} 1`,
	`wesendall_call_duration_seconds_count{tool="send_sms"} 6`,
	`wesendall_upstream_request_duration_seconds_count{endpoint="get_balance",status="2xx"} 2`,
	`wesendall_upstream_request_duration_seconds_count{endpoint="send_sms",status="2xx"} 1`,
	`wesendall_upstream_request_duration_seconds_count{endpoint="send_sms",status="5xx"} 2`,
	`wesendall_upstream_request_duration_seconds_count{endpoint="send_sms",status="none"} 1`,
	`wesendall_upstream_errors_total{endpoint="send_sms",reason="502"} 2`,
	`wesendall_upstream_errors_total{endpoint="send_sms",reason="connection"} 1`,
	`wesendall_upstream_errors_total{endpoint="get_balance",reason="connection"} 0`,
	`wesendall_ledger_up 1`,
	`wesendall_ledger_spent_ugx_total{kind="send"} 35`,
	`wesendall_ledger_spent_ugx_total{kind="topup"} 0`,
	`wesendall_ledger_reserved_ugx{kind="send"} 0`,
	`wesendall_ledger_unknown_ugx{kind="send"} 35`,
	`wesendall_ledger_unknown_outcomes{kind="send"} 1`,
	`wesendall_ledger_unknown_outcomes{kind="topup"} 0`,
	`wesendall_budget_limit_ugx{kind="send"} 100000`,
	`wesendall_budget_left_ugx{kind="send"} 99930`,
	`wesendall_budget_left_ugx{kind="topup"} 500000`,
	`wesendall_ledger_connections{state="idle"} 1`,
	`wesendall_ledger_connections_max 1`,
	`wesendall_calls_running 0`, `wesendall_calls_running_max 64`,
	`wesendall_calls_waiting 0`, `wesendall_calls_waiting_max 1024`,
}

// expectedMetricNames start lines with a value that depends on the run.
var expectedMetricNames = []string{
	"wesendall_build_info{", `wesendall_ledger_unknown_oldest_age_seconds{kind="send"} `,
	"wesendall_ledger_connection_waits_total ",
	"wesendall_ledger_connection_wait_seconds_total ", "go_goroutines ", "process_start_time_seconds ",
}

func TestMetrics_Counters(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	p := startInProcess(t, append(env, "WESENDALL_LEDGER=memory"), "--metrics", "127.0.0.1:0")
	url := regexp.MustCompile(`http://\S+`).FindString(p.waitForLog(t, "serving metrics"))
	p.request(t, initializeWithElicitationLine)
	for i, c := range meteredCalls {
		if got := p.request(t, toolCallLine(i+1, c.tool, c.arguments)); !strings.Contains(got, c.says) {
			t.Errorf("%s %s: %s", c.tool, c.arguments, got)
		}
	}
	if got := p.request(t, toolCallLine(90, "topup_wallet",
		`{"amount":500,"phone_number":"+256700000010"}`)); !strings.Contains(got, "elicitation/create") {
		t.Fatal(got)
	}
	if got := p.request(t, `{"jsonrpc":"2.0","id":"ask-1","result":{"action":"decline"}}`); !strings.Contains(got,
		"declined") {
		t.Fatal(got)
	}
	status, text := httpGet(t, url)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	checkScrape(t, text)
	if status, _ := httpGet(t, strings.TrimSuffix(url, "metrics")); status != http.StatusNotFound {
		t.Errorf("another path answers %d", status)
	}
	_ = p.stdin.Close()
	if code := <-p.exitCode; code != exitOK {
		t.Errorf("it ends with %d", code)
	}
	p.exitCode <- exitOK
	address := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("the metrics outlive the server")
	}
}

// checkScrape checks that the metrics are there, follow Prometheus's conventions and tell
// nothing private.
func checkScrape(t *testing.T, text string) {
	t.Helper()
	for _, line := range expectedMetrics {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("not in the scrape: %s", line)
		}
	}
	for _, name := range expectedMetricNames {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("not in the scrape: %s", name)
		}
	}
	for _, secret := range privateValues {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the scrape", secret)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %+v", err, problems)
	}
}

func TestMetrics_InFlight(t *testing.T) {
	t.Parallel()
	env, arrived, release := slowUpstream(t)
	p := startInProcess(t, append(env, "WESENDALL_LEDGER=memory"), "--metrics", "127.0.0.1:0")
	url := regexp.MustCompile(`http://\S+`).FindString(p.waitForLog(t, "serving metrics"))
	p.request(t, initializeLine)
	if _, err := io.WriteString(p.stdin, toolCallLine(1, "send_sms",
		`{"recipient":"+256700000010","message":"Hi"}`)+"\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	_, text := httpGet(t, url)
	for _, line := range []string{`wesendall_calls_running 1`, `wesendall_ledger_reserved_ugx{kind="send"} 35`,
		`wesendall_ledger_spent_ugx_total{kind="send"} 0`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("not in the scrape: %s", line)
		}
	}
	release <- struct{}{}
	if _, err := p.stdout.ReadString('\n'); err != nil {
		t.Error(err)
	}
}

func TestMetrics_AddressInUse(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for _, c := range []struct {
		address, says string
		code          int
	}{
		{listener.Addr().String(), "the metrics cannot be served at " + listener.Addr().String() + ": ", exitError},
		{"9464", "--metrics: ", exitUsage},
		{"off", "", exitOK},
	} {
		got := runInProcess(t, t.TempDir(), nil, "", "--sandbox", "--metrics", c.address)
		if got.exitCode != c.code || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%s: %+v", c.address, got)
		}
	}
}
