package observability

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/tracing"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/wesendall/wesendall-mcp/client"
)

// shutdownTimeout is how long the last spans have to leave.
const shutdownTimeout = 5 * time.Second

// Tracer are one span for each call of a tool, and one for each request to
// Wesendall, under its call's. They fill the protocol library's hooks, and take
// from them only what cannot be a person's: no id of a session, no name that a
// client made up, no text of an error.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// TracingRequested tells whether the usual variables ask for traces, and if so what stands
// against it: a host may hand on variables that are meant for itself, so nothing
// in them keeps the server from starting.
func TracingRequested(lookup func(string) (string, bool)) (requested bool, problem string) {
	firstSet := func(names ...string) string {
		for _, name := range names {
			if value, _ := lookup(name); value != "" {
				return value
			}
		}
		return ""
	}
	exporters := strings.Split(strings.ReplaceAll(firstSet("OTEL_TRACES_EXPORTER"), " ", ""), ",")
	endpoint := firstSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	protocol := firstSet("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	switch {
	case strings.EqualFold(firstSet("OTEL_SDK_DISABLED"), "true"), slices.Contains(exporters, "none"):
		return false, ""
	case exporters[0] == "" && endpoint == "":
		return false, ""
	case exporters[0] != "" && !slices.Contains(exporters, "otlp"):
		return false, "OTEL_TRACES_EXPORTER: only otlp can be exported to"
	case protocol != "" && protocol != "http/protobuf" && protocol != "http/json":
		return false, "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf and http/json are spoken"
	}
	return true, ""
}

// NewTracer exports spans as the OTEL_* variables of this process say. It connects
// to nobody before there is a span.
func NewTracer(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "wesendall-mcp"), attribute.String("service.version", version)),
		resource.WithFromEnv(), // which wins
	)
	if err != nil {
		log.Warn("not all of the OTEL_* variables can be read", "error", err)
	}
	otel.SetErrorHandler(rateLimitedErrorHandler(log))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/wesendall/wesendall-mcp", trace.WithInstrumentationVersion(version))}, nil
}

// rateLimitedErrorHandler logs a failure of the export, at most one a minute.
func rateLimitedErrorHandler(log *slog.Logger) otel.ErrorHandlerFunc {
	var lastLogged atomic.Int64
	return func(err error) {
		now, previous := time.Now().Unix(), lastLogged.Load()
		if now-previous >= 60 && lastLogged.CompareAndSwap(previous, now) {
			log.Warn("spans could not be exported", "error", fmt.Sprintf("%.300s", err))
		}
	}
}

// Close exports what is left, if that goes quickly.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Start begins the span of a call of a tool. Of what else the library has to tell
// there are no spans: the tool's run is the call itself, and the rest are lists,
// documents and pings.
func (t *Tracer) Start(ctx context.Context, name string, kind tracing.SpanKind, _ ...tracing.Attribute) (context.Context, tracing.Span) {
	const method = string(mcp.MethodToolsCall)
	if kind != tracing.SpanKindServer || name != "mcp."+method {
		return tracing.NoopTracer().Start(ctx, "", kind)
	}
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("mcp.method.name", method)))
	return ctx, callSpan{span}
}

// callSpan is the span of a call, to the library.
type callSpan struct{ span trace.Span }

func (callSpan) SetAttributes(...tracing.Attribute) {}
func (callSpan) RecordError(error)                  {}
func (c callSpan) End()                             { c.span.End() }

// SetStatus leaves out the description, which may be a sentence about arguments.
func (c callSpan) SetStatus(code tracing.StatusCode, _ string) {
	if code == tracing.StatusError {
		c.span.SetStatus(codes.Error, "")
	}
}

// annotateCall names the span of a call, and notes its outcome.
func (*Tracer) annotateCall(ctx context.Context, name string) func(outcome string) {
	span := trace.SpanFromContext(ctx)
	span.SetName(string(mcp.MethodToolsCall) + " " + name)
	span.SetAttributes(attribute.String("gen_ai.tool.name", name), attribute.String("gen_ai.operation.name", "execute_tool"))
	return func(outcome string) {
		span.SetAttributes(attribute.String("wesendall.outcome", outcome))
		if outcome != "ok" {
			span.SetAttributes(attribute.String("error.type", outcome))
			span.SetStatus(codes.Error, "")
		}
	}
}

// startRequest is the span of one request to the API: what the catalogue says of it,
// and the status of the answer.
func (t *Tracer) startRequest(ctx context.Context, e client.Endpoint) func(*client.Response, *client.Error) {
	_, span := t.tracer.Start(ctx, e.Method+" "+e.Path, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", e.Method), attribute.String("url.template", e.Path), attribute.String("wesendall.endpoint", e.Name),
	))
	return func(resp *client.Response, apiErr *client.Error) {
		if status := responseStatus(resp, apiErr); status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if reason := errorReason(apiErr); reason != "" {
			span.SetAttributes(attribute.String("error.type", reason))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Only the parent's id is read, and nothing is handed on: the rest of a trace's
// context is text of the client's choosing, and Wesendall does not document that
// it takes any.
const traceparent = "traceparent"

func extractTraceparent(ctx context.Context, value string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: value})
}

// Extract reads the headers of a request.
func (*Tracer) Extract(ctx context.Context, h http.Header) context.Context {
	return extractTraceparent(ctx, h.Get(traceparent))
}

// ExtractMeta reads the _meta of a message.
func (*Tracer) ExtractMeta(ctx context.Context, meta *mcp.Meta) context.Context {
	if meta == nil {
		return ctx
	}
	value, _ := meta.AdditionalFields[traceparent].(string)
	return extractTraceparent(ctx, value)
}

// Inject hands nothing on.
func (*Tracer) Inject(context.Context, http.Header) {}

// InjectMeta hands nothing on.
func (*Tracer) InjectMeta(_ context.Context, meta *mcp.Meta) *mcp.Meta { return meta }
