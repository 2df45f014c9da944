package observability

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/tracing"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/wesendall/wesendall-mcp/client"
)

func newRecorder(t *testing.T) (*Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	return &Tracer{provider: provider, tracer: provider.Tracer("test")}, exporter
}

// mcp-go passes more than may be exported.
func TestTraces_NoLibraryAttributes(t *testing.T) {
	t.Parallel()
	traces, exporter := newRecorder(t)
	for name, kind := range map[string]tracing.SpanKind{
		"mcp.tools/call": tracing.SpanKindServer, "tool.private": tracing.SpanKindInternal,
		"mcp.private":        tracing.SpanKindServer,
		"mcp.resources/read": tracing.SpanKindServer,
	} {
		_, span := traces.Start(t.Context(), name, kind, tracing.String("mcp.session.id", "private"))
		span.SetAttributes(tracing.String("mcp.tool.name", "private"))
		span.RecordError(errors.New("private"))
		span.SetStatus(tracing.StatusError, "private")
		span.End()
	}
	spans := exporter.GetSpans()
	if len(spans) != 1 || spans[0].Name != "tools/call" || spans[0].Status.Code.String() != "Error" ||
		strings.Contains(fmt.Sprintf("%+v", spans), "private") {
		t.Errorf("%+v", spans)
	}
}

// The text of an error, of Wesendall or of the network, is not exported.
func TestTraces_ErrorType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failure client.Error
		want    string
	}{
		{client.Error{Status: 422, Code: "private", Message: "private"}, "422"},
		{client.Error{Status: 200, Message: "private"}, reasonUnreadable},
		{client.Error{Status: 299}, reasonUnreadable},
		{client.Error{Status: 799}, reasonOther},
		{client.Error{Status: 302}, "302"},
		{client.Error{Err: fmt.Errorf("private: %w", context.Canceled)}, reasonCancelled},
		{client.Error{Err: fmt.Errorf("private: %w", context.DeadlineExceeded)}, reasonTimeout},
		{client.Error{Err: errors.New("private")}, reasonConnection},
		{client.Error{}, reasonConnection},
	} {
		traces, exporter := newRecorder(t)
		traces.startRequest(t.Context(), client.Endpoints()[0])(nil, &c.failure)
		spans := fmt.Sprintf("%+v", exporter.GetSpans())
		if errorReason(&c.failure) != c.want || strings.Contains(spans, "private") || !strings.Contains(spans, c.want) {
			t.Errorf("%+v: %s, %s", c.failure, errorReason(&c.failure), spans)
		}
	}
	for status, want := range map[int]string{0: "none", 99: "other", 200: "2xx", 599: "5xx", 600: "other"} {
		if got := statusClass(status); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestTraces_Traceparent(t *testing.T) {
	t.Parallel()
	const id = "0af7651916cd43dd8448eb211c80319c"
	const good = "00-" + id + "-b7ad6b7169203331-01"
	traces := &Tracer{}
	for _, c := range []struct {
		name    string
		value   any
		sampled bool
	}{
		{"a parent", good, true},
		{"one that is not recorded", strings.TrimSuffix(good, "1") + "0", false},
		{"none", "", false}, {"nonsense", "private", false}, {"a number", 7, false},
		{"an object", map[string]any{"a": 1}, false},
		{"one that is too long", good + "-" + strings.Repeat("a", 1000), false},
	} {
		meta := &mcp.Meta{AdditionalFields: map[string]any{"traceparent": c.value, "tracestate": "a=private",
			"baggage": "a=private"}}
		got := trace.SpanContextFromContext(traces.ExtractMeta(t.Context(), meta))
		header, _ := c.value.(string)
		headers := http.Header{"Traceparent": {header}, "Tracestate": {"a=private"}, "Baggage": {"a=private"}}
		fromHeaders := trace.SpanContextFromContext(traces.Extract(t.Context(), headers))
		wantValid := strings.HasPrefix(header, "00-"+id) && len(header) == len(good)
		if got.IsSampled() != c.sampled || got.IsValid() != wantValid || !got.Equal(fromHeaders) ||
			got.TraceState().Len() != 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := traces.ExtractMeta(t.Context(), nil); got != t.Context() {
		t.Error("without _meta the context is another")
	}
}

func TestTracingRequested_Env(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"
	for _, c := range []struct {
		env     string
		wanted  bool
		problem string
	}{
		{"", false, ""},
		{"OTEL_SERVICE_NAME=a", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=", false, ""},
		{endpoint, true, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1/v1/traces", true, ""},
		{"OTEL_TRACES_EXPORTER=otlp", true, ""},
		{"OTEL_TRACES_EXPORTER=console, otlp", true, ""},
		{endpoint + " OTEL_TRACES_EXPORTER=none", false, ""},
		{endpoint + " OTEL_SDK_DISABLED=True", false, ""},
		{endpoint + " OTEL_SDK_DISABLED=false", true, ""},
		{"OTEL_TRACES_EXPORTER=zipkin", false, "OTEL_TRACES_EXPORTER"},
		{endpoint + " OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{endpoint + " OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", true, ""},
	} {
		requested, problem := TracingRequested(func(name string) (string, bool) {
			for pair := range strings.SplitSeq(strings.ReplaceAll(c.env, ", ", ","), " ") {
				if n, value, _ := strings.Cut(pair, "="); n == name {
					return value, true
				}
			}
			return "", false
		})
		if requested != c.wanted || !strings.HasPrefix(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%s: %v, %q", c.env, requested, problem)
		}
	}
}
