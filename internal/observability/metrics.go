// Package observability exports metrics for Prometheus and traces for OpenTelemetry.
//
// No label and no attribute has personal data: no argument, phone number, text, wallet,
// caller or key, and no text of an error. No failure here makes a call fail, and nothing
// is exported unless the operator asks for it.
package observability

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// Metrics counts calls and requests. A nil *Metrics counts nothing.
type Metrics struct {
	registry         *prometheus.Registry
	calls            *prometheus.CounterVec
	callDuration     *prometheus.HistogramVec
	upstreamDuration *prometheus.HistogramVec
	upstreamErrors   *prometheus.CounterVec
}

// NewMetrics returns the metrics of a server of this version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_calls_total",
			Help: "Calls of a tool, by the code they ended in, or ok.",
		}, []string{"tool", "outcome"}),
		callDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wesendall_call_duration_seconds",
			Help:    "How long a call of a tool took, with the time that the user took to answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"tool"}),
		upstreamDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wesendall_upstream_request_duration_seconds",
			Help:    "How long a request to Wesendall took, by the class of its status, or none.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 45},
		}, []string{"endpoint", "status"}),
		upstreamErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_upstream_errors_total",
			Help: "Requests to Wesendall that failed, by HTTP status, or by what went wrong.",
		}, []string{"endpoint", "reason"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wesendall_build_info", Help: "The version of this server; the value is always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(m.calls, m.callDuration, m.upstreamDuration, m.upstreamErrors, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// RegisterToolset adds the metrics of the tools and of their ledger.
func (m *Metrics) RegisterToolset(toolset *tools.Toolset) {
	for _, name := range toolset.Names() {
		// A series that starts at 0 shows its first event as a rise.
		m.calls.WithLabelValues(name, "ok")
		m.calls.WithLabelValues(name, guard.CodeOutcomeUnknown)
		m.callDuration.WithLabelValues(name)
		m.upstreamDuration.WithLabelValues(name, "2xx")
		m.upstreamErrors.WithLabelValues(name, reasonConnection)
	}
	m.registry.MustRegister(&limiterCollector{toolset.Stats}, newLedgerCollector(toolset.LedgerSnapshot))
}

func (m *Metrics) startCall(tool string) func(outcome string) {
	if m == nil {
		return ignoreOutcome
	}
	start := time.Now()
	return func(outcome string) {
		m.calls.WithLabelValues(tool, outcome).Inc()
		m.callDuration.WithLabelValues(tool).Observe(time.Since(start).Seconds())
	}
}

func (m *Metrics) startRequest(e client.Endpoint) func(*client.Response, *client.Error) {
	if m == nil {
		return ignoreResponse
	}
	start := time.Now()
	return func(resp *client.Response, apiErr *client.Error) {
		status := statusClass(responseStatus(resp, apiErr))
		m.upstreamDuration.WithLabelValues(e.Name, status).Observe(time.Since(start).Seconds())
		if reason := errorReason(apiErr); reason != "" {
			m.upstreamErrors.WithLabelValues(e.Name, reason).Inc()
		}
	}
}
