package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// What nobody may read outside: it is in the arguments of the calls below.
var privateValues = []string{"256700000", "private", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID}

// inProcess is the program in this process.
type inProcess struct {
	stdin    *os.File
	stdout   *bufio.Reader
	exitCode chan int
	log      *logBuffer
}

// logBuffer is a log that tells of a line once it is written.
type logBuffer struct {
	mu    sync.Mutex
	text  strings.Builder
	lines chan string
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines <- string(line)
	return b.text.Write(line)
}

func startInProcess(t *testing.T, env []string, args ...string) *inProcess {
	t.Helper()
	stdin, stdinWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdoutReader, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &inProcess{stdin: stdinWriter, stdout: bufio.NewReader(stdoutReader), exitCode: make(chan int, 1),
		log: &logBuffer{lines: make(chan string, 1000)}}
	environ := environment{
		args: args, stdin: stdin, stdout: stdout, stderr: p.log,
		lookupEnv: lookupIn(env), workDir: t.TempDir(), defaults: guard.DefaultOptions(),
	}
	go func() { p.exitCode <- run(context.WithoutCancel(t.Context()), environ); _ = stdout.Close() }()
	t.Cleanup(func() { _ = stdinWriter.Close(); <-p.exitCode; _ = stdin.Close(); _ = stdoutReader.Close() })
	return p
}

// waitForLog waits for a line of the log.
func (p *inProcess) waitForLog(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-p.log.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the log never said %q", text)
		}
	}
}

// request writes a line and reads the next one.
func (p *inProcess) request(t *testing.T, line string) string {
	t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func httpGet(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const initializeWithElicitationLine = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"private","version":"1"}}}`

func TestMetrics_Counters(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	p := startInProcess(t, append(env, "WESENDALL_LEDGER=memory"), "--metrics", "127.0.0.1:0")
	url := regexp.MustCompile(`http://\S+`).FindString(p.waitForLog(t, "serving metrics"))
	p.request(t, initializeWithElicitationLine)
	for i, c := range []struct{ tool, arguments, says string }{
		{"get_balance", `{}`, "5000"},
		{"send_sms", `{"recipient":"+256700000010","message":"private words"}`, "sent"},
		{"send_sms", `{"recipient":"+256700000010","message":"private words"}`, "duplicate_send"},
		{"send_sms", `{"recipient":"+256700000408","message":"private words"}`, "outcome_unknown"},
		{"send_sms", `{"recipient":"+256700000502","message":"private words"}`, "send_failed"},
		{"send_sms", `{"+256700000010":"private words"}`, "invalid_arguments"},
		{"send_sms", `{"recipient":"+15550000010","message":"private words"}`, "destination_not_allowed"},
		{"+256700000010", `{}`, "error"},
	} {
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
	for _, line := range []string{
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
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("not in the scrape: %s", line)
		}
	}
	for _, name := range []string{
		"wesendall_build_info{", `wesendall_ledger_unknown_oldest_age_seconds{kind="send"} `,
		"wesendall_ledger_connection_waits_total ",
		"wesendall_ledger_connection_wait_seconds_total ", "go_goroutines ", "process_start_time_seconds ",
	} {
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
	if status, _ := httpGet(t, strings.TrimSuffix(url, "metrics")); status != http.StatusNotFound {
		t.Errorf("another path answers %d", status)
	}
	_ = p.stdin.Close()
	if code := <-p.exitCode; code != exitOK {
		t.Errorf("it ends with %d", code)
	}
	p.exitCode <- exitOK
	if _, err := net.DialTimeout("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics"),
		time.Second); err == nil {
		t.Error("the metrics outlive the server")
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

func TestObservability_OffByDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		env             map[string]string
		metrics, traces bool
	}{
		{"nothing is set", nil, false, false},
		{"metrics", map[string]string{"WESENDALL_METRICS": "127.0.0.1:0"}, true, false},
		{"a collector", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, false, true},
		{"a collector that a host speaks gRPC to", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
			"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, false},
	} {
		lookup := func(name string) (string, bool) { value, ok := c.env[name]; return value, ok }
		cfg := Config{
			Sandbox: true, Metrics: c.env["WESENDALL_METRICS"],
			safetySettings: safetySettings{Confirm: guard.ConfirmAuto, AllowedCountries: []string{"256"}},
		}
		env := environment{stderr: io.Discard, lookupEnv: lookup, workDir: t.TempDir()}
		b, err := cfg.newBackend(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_, shutdown, err := cfg.newObservedServer(t.Context(), env, b, cfg.newLogger(env), metricsOff)
		if err != nil {
			t.Fatal(err)
		}
		if (b.metrics != nil) != c.metrics || (b.tracer != nil) != c.traces || (b.OnCall != nil) != (c.metrics || c.traces) {
			t.Errorf("%s: %v, %v", c.name, b.metrics, b.tracer)
		}
		if err := shutdown(); err != nil {
			t.Error(err)
		}
		if err := b.closeFn(); err != nil {
			t.Error(err)
		}
	}
}

// traceCollector holds what a fake collector received.
type traceCollector struct {
	mu            sync.Mutex
	raw           []byte
	spans         []*spans.Span
	resourceAttrs map[string]string // of the resources
}

func newTraceCollector(t *testing.T) (c *traceCollector, url string) {
	t.Helper()
	c = &traceCollector{resourceAttrs: map[string]string{}}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(append(c.raw, body...), fmt.Sprint(r.Header)...)
		for _, rs := range export.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				c.resourceAttrs[a.Key] = a.Value.GetStringValue()
			}
			for _, s := range rs.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return c, s.URL
}

func formatAttributes(s *spans.Span) string {
	var pairs []string
	for _, a := range s.Attributes {
		value := a.Value.GetStringValue()
		if value == "" {
			value = fmt.Sprint(a.Value.GetIntValue())
		}
		pairs = append(pairs, a.Key+"="+value)
	}
	return strings.Join(pairs, " ")
}

func TestTraces_Spans(t *testing.T) {
	t.Parallel()
	got, collector := newTraceCollector(t)
	api, err := sandbox.Open(t.Context(), sandbox.Options{Balance: sandbox.DefaultBalance})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = api.Close() }()
	var mu sync.Mutex
	requests := 0
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		requests++
		mu.Unlock()
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if req.Header.Get(name) != "" {
				t.Errorf("the vendor is told %s", name)
			}
		}
		api.ServeHTTP(w, req)
	}))
	defer proxy.Close()
	p := startCommand(t, program(t, append(apiEnv(proxy.URL),
		"WESENDALL_LEDGER=memory", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector,
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test",
	)))
	p.writeLines(t, strings.Replace(initializeLine, `"name":"t"`, `"name":"private"`, 1))
	p.readLine(t)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	p.writeLines(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_balance","arguments":{},"_meta":{"traceparent":"00-`+trace+`-`+parent+`-01","tracestate":"a=private","baggage":"a=private"}}}`)
	p.readLine(t)
	responses := ""
	for i, c := range []struct{ tool, arguments string }{
		{"send_sms", `{"recipient":"+256700000010","message":"private words"}`},
		{"send_sms", `{"recipient":"+256700000408","message":"private words"}`},
		{"send_sms", `{"recipient":"+256700000502","message":"private words"}`},
		{"send_sms", `{"+256700000010":"private words"}`},
		{"topup_wallet", `{"amount":500,"phone_number":"+256700000010"}`},
		{"+256700000010", `{"private":1}`},
	} {
		p.writeLines(t, toolCallLine(i+2, c.tool, c.arguments))
		responses += p.readLine(t)
	}
	for i, line := range []string{
		`"method":"tools/list"`, `"method":"resources/read","params":{"uri":"wesendall://private"}`, `"method":"private"`,
		`"method":"prompts/get","params":{"name":"private"}`,
	} {
		p.writeLines(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`, i+20, line))
		p.readLine(t)
	}
	quote := regexp.MustCompile(`\\?"id\\?":\\?"([a-z2-7]{26})`).FindStringSubmatch(responses)
	if quote == nil {
		t.Fatalf("no quote in %s", responses)
	}
	_ = p.stdin.Close()
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.stderr.String())
	}

	calls, byID, requestSpans := map[string]int{}, map[string]*spans.Span{}, map[string]int{}
	for _, s := range got.spans {
		byID[hex.EncodeToString(s.SpanId)] = s
	}
	for _, s := range got.spans {
		label := s.Name + " " + formatAttributes(s)
		switch s.Kind {
		case spans.Span_SPAN_KIND_SERVER:
			calls[label]++
			parentID := hex.EncodeToString(s.ParentSpanId)
			if strings.Contains(s.Name, "get_balance") && (parentID != parent || hex.EncodeToString(s.TraceId) != trace) ||
				!strings.Contains(s.Name, "get_balance") && parentID != "" {
				t.Errorf("%s has the parent %s", s.Name, parentID)
			}
			if failed := s.Status.GetCode() == spans.Status_STATUS_CODE_ERROR; failed == strings.Contains(label, "outcome=ok") {
				t.Errorf("%s: %v", label, s.Status)
			}
		case spans.Span_SPAN_KIND_CLIENT:
			parentSpan, ok := byID[hex.EncodeToString(s.ParentSpanId)]
			if !ok || parentSpan.Kind != spans.Span_SPAN_KIND_SERVER ||
				hex.EncodeToString(parentSpan.TraceId) != hex.EncodeToString(s.TraceId) {
				t.Errorf("%s is under %v", s.Name, parentSpan)
				continue
			}
			requestSpans[parentSpan.Name+" > "+label]++
		default:
			t.Errorf("%v", s)
		}
		if s.TraceState != "" || len(s.Events) > 0 || len(s.Links) > 0 || s.Status.GetMessage() != "" {
			t.Errorf("%v", s)
		}
	}
	tool := func(name, outcome string) string {
		label := "tools/call " + name + " mcp.method.name=tools/call gen_ai.tool.name=" + name +
			" gen_ai.operation.name=execute_tool wesendall.outcome=" + outcome
		if outcome != "ok" {
			label += " error.type=" + outcome
		}
		return label
	}
	expectCounts(t, calls, map[string]int{
		tool("get_balance", "ok"): 1, tool("send_sms", "ok"): 1, tool("send_sms", "outcome_unknown"): 1, tool("send_sms",
			"send_failed"): 1,
		tool("send_sms", "invalid_arguments"): 1, tool("topup_wallet", "confirmation_required"): 1,
	})
	request := func(call, method, path, endpoint, result string) string {
		return "tools/call " + call + " > " + method + " " + path + " http.request.method=" + method + " url.template=" +
			path + " wesendall.endpoint=" + endpoint + " " + result
	}
	const sms, balance = "/api/v1/sms/send", "/api/v1/account/balance"
	expectCounts(t, requestSpans, map[string]int{
		request("get_balance", "GET", balance, "get_balance", "http.response.status_code=200"):       1,
		request("topup_wallet", "GET", balance, "get_balance", "http.response.status_code=200"):      1,
		request("send_sms", "POST", sms, "send_sms", "http.response.status_code=200"):                1,
		request("send_sms", "POST", sms, "send_sms", "error.type=connection"):                        1,
		request("send_sms", "POST", sms, "send_sms", "http.response.status_code=502 error.type=502"): 2,
	})
	if requests != 6 {
		t.Errorf("%d requests", requests)
	}
	for _, secret := range append([]string{quote[1], "stdio"}, privateValues...) {
		if strings.Contains(string(got.raw), secret) {
			t.Errorf("%q is in what was exported", secret)
		}
	}
	if got.resourceAttrs["service.name"] != "wesendall-mcp" || got.resourceAttrs["deployment.environment.name"] != "test" {
		t.Errorf("%v", got.resourceAttrs)
	}
}

func expectCounts(t *testing.T, got, want map[string]int) {
	t.Helper()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d times %s, want %d", got[name], name, n)
		}
	}
	for name := range got {
		if want[name] == 0 {
			t.Errorf("unexpected: %s", name)
		}
	}
}

// A collector that takes a connection and never answers delays no call, and the
// end by five seconds at most.
func TestTraces_CollectorDown(t *testing.T) {
	t.Parallel()
	blackhole, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blackhole.Close() }()
	env, _ := upstream(t)
	p := startCommand(t, program(t, append(env, "OTEL_TRACES_EXPORTER=otlp",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://"+blackhole.Addr().String()+"/v1/traces", "OTEL_BSP_SCHEDULE_DELAY=1")))
	p.writeLines(t, initializeLine)
	p.readLine(t)
	for i := range 20 {
		p.writeLines(t, toolCallLine(i+1, "get_balance", "{}"))
		if line := p.readLine(t); !strings.Contains(line, "5000") {
			t.Fatal(line)
		}
	}
	start := time.Now()
	_ = p.stdin.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.stderr.String())
	}
	if elapsed := time.Since(start); elapsed > 8*time.Second {
		t.Errorf("the end took %v", elapsed)
	}
}
