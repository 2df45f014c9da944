package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// traceCollector holds what a fake collector received.
type traceCollector struct {
	mu            sync.Mutex
	raw           []byte
	spans         []*spans.Span
	resourceAttrs map[string]string
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

// newTraceFreeProxy is a sandbox that counts requests and refuses the headers of traces.
func newTraceFreeProxy(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	api, err := sandbox.Open(t.Context(), sandbox.Options{Balance: sandbox.DefaultBalance})
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int32)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if r.Header.Get(name) != "" {
				t.Errorf("Wesendall gets the header %s", name)
			}
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { proxy.Close(); _ = api.Close() })
	return proxy.URL, requests
}

// The trace in which the host makes its first call.
const traceID, parentSpanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// makeTracedCalls makes one call in the host's trace, and others with every outcome. It
// returns the id of a quote.
func makeTracedCalls(t *testing.T, p *process) string {
	t.Helper()
	p.writeLines(t, strings.Replace(initializeLine, `"name":"t"`, `"name":"private"`, 1))
	p.readLine(t)
	p.writeLines(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_balance","arguments":{},`+
		`"_meta":{"traceparent":"00-`+traceID+`-`+parentSpanID+`-01","tracestate":"a=private","baggage":"a=private"}}}`)
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
	return quote[1]
}

// countSpans checks each span and counts those of calls and those of requests.
func countSpans(t *testing.T, all []*spans.Span) (calls, requestSpans map[string]int) {
	t.Helper()
	calls, requestSpans = map[string]int{}, map[string]int{}
	byID := map[string]*spans.Span{}
	for _, s := range all {
		byID[hex.EncodeToString(s.SpanId)] = s
	}
	for _, s := range all {
		label := s.Name + " " + formatAttributes(s)
		switch s.Kind {
		case spans.Span_SPAN_KIND_SERVER:
			calls[label]++
			parentID := hex.EncodeToString(s.ParentSpanId)
			inHostTrace := parentID == parentSpanID && hex.EncodeToString(s.TraceId) == traceID
			if isTraced := strings.Contains(s.Name, "get_balance"); isTraced && !inHostTrace || !isTraced && parentID != "" {
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
	return calls, requestSpans
}

func TestTraces_Spans(t *testing.T) {
	t.Parallel()
	got, collector := newTraceCollector(t)
	proxyURL, requests := newTraceFreeProxy(t)
	p := startCommand(t, program(t, append(apiEnv(proxyURL),
		"WESENDALL_LEDGER=memory", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector,
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test",
	)))
	quoteID := makeTracedCalls(t, p)
	_ = p.stdin.Close()
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.stderr.String())
	}

	calls, requestSpans := countSpans(t, got.spans)
	tool := func(name, outcome string) string {
		label := "tools/call " + name + " mcp.method.name=tools/call gen_ai.tool.name=" + name +
			" gen_ai.operation.name=execute_tool wesendall.outcome=" + outcome
		if outcome != "ok" {
			label += " error.type=" + outcome
		}
		return label
	}
	expectCounts(t, calls, map[string]int{
		tool("get_balance", "ok"): 1, tool("send_sms", "ok"): 1,
		tool("send_sms", "outcome_unknown"): 1, tool("send_sms", "send_failed"): 1,
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
	if n := requests.Load(); n != 6 {
		t.Errorf("%d requests", n)
	}
	for _, secret := range append([]string{quoteID, "stdio"}, privateValues...) {
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

// A collector that never answers delays no call, and the exit by at most five seconds.
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
