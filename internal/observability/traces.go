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

// shutdownTimeout limits the export of the last spans.
const shutdownTimeout = 5 * time.Second

// Tracer makes one span for each call of a tool and, below it, one for each request to
// Wesendall. It implements mcp-go's tracing hooks, but takes no session id, no name that a
// client made up and no text of an error from them. A nil *Tracer makes no spans.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// TracingRequested tells whether the OTEL_* variables ask for traces. problem says what in
// them is not supported; it is no error, because a host may pass on variables that are meant
// for itself.
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
		return false, "OTEL_TRACES_EXPORTER: only otlp is supported"
	case protocol != "" && protocol != "http/protobuf" && protocol != "http/json":
		return false, "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf and http/json are supported"
	}
	return true, ""
}

// NewTracer returns a tracer that exports as the OTEL_* variables of this process say. It
// opens no connection before the first span.
func NewTracer(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "wesendall-mcp"), attribute.String("service.version", version)),
		resource.WithFromEnv(), // overrides the attributes above
	)
	if err != nil {
		log.Warn("some OTEL_* variables cannot be read", "error", err)
	}
	otel.SetErrorHandler(rateLimitedErrorHandler(log))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(res))
	tracer := provider.Tracer("github.com/wesendall/wesendall-mcp", trace.WithInstrumentationVersion(version))
	return &Tracer{provider: provider, tracer: tracer}, nil
}

// rateLimitedErrorHandler logs failures of the export, at most one a minute.
func rateLimitedErrorHandler(log *slog.Logger) otel.ErrorHandlerFunc {
	var lastLogged atomic.Int64
	return func(err error) {
		now, previous := time.Now().Unix(), lastLogged.Load()
		if now-previous >= 60 && lastLogged.CompareAndSwap(previous, now) {
			log.Warn("spans could not be exported", "error", fmt.Sprintf("%.300s", err))
		}
	}
}

// Close exports the remaining spans, within shutdownTimeout.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Start begins the span of a tool's call. The library's other events (the tool's run, lists,
// documents, pings) get no spans.
func (t *Tracer) Start(
	ctx context.Context, name string, kind tracing.SpanKind, _ ...tracing.Attribute,
) (context.Context, tracing.Span) {
	const method = string(mcp.MethodToolsCall)
	if kind != tracing.SpanKindServer || name != "mcp."+method {
		return tracing.NoopTracer().Start(ctx, "", kind)
	}
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("mcp.method.name", method)))
	return ctx, callSpan{span}
}

// callSpan is the span of a call, as the library sees it.
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

// annotateCall names the span of a call; the function it returns adds the outcome.
func (t *Tracer) annotateCall(ctx context.Context, name string) func(outcome string) {
	if t == nil {
		return ignoreOutcome
	}
	span := trace.SpanFromContext(ctx)
	span.SetName(string(mcp.MethodToolsCall) + " " + name)
	span.SetAttributes(
		attribute.String("gen_ai.tool.name", name), attribute.String("gen_ai.operation.name", "execute_tool"))
	return func(outcome string) {
		span.SetAttributes(attribute.String("wesendall.outcome", outcome))
		if outcome != "ok" {
			setError(span, outcome)
		}
	}
}

// startRequest begins the span of one request to Wesendall; the function it returns adds the
// status and ends it.
func (t *Tracer) startRequest(ctx context.Context, e client.Endpoint) func(*client.Response, *client.Error) {
	if t == nil {
		return ignoreResponse
	}
	_, span := t.tracer.Start(ctx, e.Method+" "+e.Path, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", e.Method),
		attribute.String("url.template", e.Path),
		attribute.String("wesendall.endpoint", e.Name),
	))
	return func(resp *client.Response, apiErr *client.Error) {
		if status := responseStatus(resp, apiErr); status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if reason := errorReason(apiErr); reason != "" {
			setError(span, reason)
		}
		span.End()
	}
}

func setError(span trace.Span, reason string) {
	span.SetAttributes(attribute.String("error.type", reason))
	span.SetStatus(codes.Error, "")
}

// traceparent is the only part of the trace context that is read: tracestate and baggage are
// free text of the client. Nothing is passed on, because Wesendall documents no such header.
const traceparent = "traceparent"

func extractTraceparent(ctx context.Context, value string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: value})
}

// Extract reads the parent from the headers of a request.
func (*Tracer) Extract(ctx context.Context, h http.Header) context.Context {
	return extractTraceparent(ctx, h.Get(traceparent))
}

// ExtractMeta reads the parent from the _meta of a message.
func (*Tracer) ExtractMeta(ctx context.Context, meta *mcp.Meta) context.Context {
	if meta == nil {
		return ctx
	}
	value, _ := meta.AdditionalFields[traceparent].(string)
	return extractTraceparent(ctx, value)
}

// Inject does nothing; see traceparent.
func (*Tracer) Inject(context.Context, http.Header) {}

// InjectMeta does nothing; see traceparent.
func (*Tracer) InjectMeta(_ context.Context, meta *mcp.Meta) *mcp.Meta { return meta }
