package observe

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

func newRecorder(t *testing.T) (*Traces, *tracetest.InMemoryExporter) {
	t.Helper()
	all := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(all))
	return &Traces{provider: provider, tracer: provider.Tracer("test")}, all
}

// The library hands over more than may leave.
func TestNothingOfTheLibrarysIsExportedAsItIs(t *testing.T) {
	t.Parallel()
	traces, all := newRecorder(t)
	for name, kind := range map[string]tracing.SpanKind{
		"mcp.tools/call": tracing.SpanKindServer, "tool.private": tracing.SpanKindInternal, "mcp.private": tracing.SpanKindServer,
		"mcp.resources/read": tracing.SpanKindServer,
	} {
		_, span := traces.Start(t.Context(), name, kind, tracing.String("mcp.session.id", "private"))
		span.SetAttributes(tracing.String("mcp.tool.name", "private"))
		span.RecordError(errors.New("private"))
		span.SetStatus(tracing.StatusError, "private")
		span.End()
	}
	spans := all.GetSpans()
	if len(spans) != 1 || spans[0].Name != "tools/call" || spans[0].Status.Code.String() != "Error" || strings.Contains(fmt.Sprintf("%+v", spans), "private") {
		t.Errorf("%+v", spans)
	}
}

// The text of an error of the vendor, or of the network, stays here.
func TestASpanOfARequestSaysWhatFailedInOneWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		failure client.Error
		want    string
	}{
		{client.Error{Status: 422, Code: "private", Message: "private"}, "422"},
		{client.Error{Status: 200, Message: "private"}, unreadable},
		{client.Error{Status: 299}, unreadable},
		{client.Error{Status: 799}, other},
		{client.Error{Status: 302}, "302"},
		{client.Error{Err: fmt.Errorf("private: %w", context.Canceled)}, cancelled},
		{client.Error{Err: fmt.Errorf("private: %w", context.DeadlineExceeded)}, timeout},
		{client.Error{Err: errors.New("private")}, connection},
		{client.Error{}, connection},
	} {
		traces, all := newRecorder(t)
		traces.request(t.Context(), client.Endpoints()[0])(nil, &c.failure)
		spans := fmt.Sprintf("%+v", all.GetSpans())
		if reason(&c.failure) != c.want || strings.Contains(spans, "private") || !strings.Contains(spans, c.want) {
			t.Errorf("%+v: %s, %s", c.failure, reason(&c.failure), spans)
		}
	}
	for status, want := range map[int]string{0: "none", 99: "other", 200: "2xx", 599: "5xx", 600: "other"} {
		if got := class(status); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestOnlyTheParentIsTakenFromTheClient(t *testing.T) {
	t.Parallel()
	const id = "0af7651916cd43dd8448eb211c80319c"
	const good = "00-" + id + "-b7ad6b7169203331-01"
	traces := &Traces{}
	for _, c := range []struct {
		name    string
		value   any
		sampled bool
	}{
		{"a parent", good, true},
		{"one that is not recorded", strings.TrimSuffix(good, "1") + "0", false},
		{"none", "", false}, {"nonsense", "private", false}, {"a number", 7, false}, {"an object", map[string]any{"a": 1}, false},
		{"one that is too long", good + "-" + strings.Repeat("a", 1000), false},
	} {
		meta := &mcp.Meta{AdditionalFields: map[string]any{"traceparent": c.value, "tracestate": "a=private", "baggage": "a=private"}}
		got := trace.SpanContextFromContext(traces.ExtractMeta(t.Context(), meta))
		text, _ := c.value.(string)
		headers := http.Header{"Traceparent": {text}, "Tracestate": {"a=private"}, "Baggage": {"a=private"}}
		same := trace.SpanContextFromContext(traces.Extract(t.Context(), headers))
		known := strings.HasPrefix(text, "00-"+id) && len(text) == len(good)
		if got.IsSampled() != c.sampled || got.IsValid() != known || !got.Equal(same) || got.TraceState().Len() != 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := traces.ExtractMeta(t.Context(), nil); got != t.Context() {
		t.Error("without _meta the context is another")
	}
}

func TestTheUsualVariables(t *testing.T) {
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
		wanted, problem := Wanted(func(name string) (string, bool) {
			for pair := range strings.SplitSeq(strings.ReplaceAll(c.env, ", ", ","), " ") {
				if n, value, _ := strings.Cut(pair, "="); n == name {
					return value, true
				}
			}
			return "", false
		})
		if wanted != c.wanted || !strings.HasPrefix(problem, c.problem) || (problem == "") != (c.problem == "") {
			t.Errorf("%s: %v, %q", c.env, wanted, problem)
		}
	}
}
