// Package observe shows a running server from outside: metrics for Prometheus
// and traces for OpenTelemetry.
//
// No label and no attribute holds what a person wrote or is known by: no
// argument, number, text, wallet, caller or key, and no text of an error. What it
// does never fails a call, and it talks to nobody unless it is told to.
package observability

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// Metrics count what the server does.
type Metrics struct {
	registry         *prometheus.Registry
	calls            *prometheus.CounterVec
	callDuration     *prometheus.HistogramVec
	upstreamDuration *prometheus.HistogramVec
	upstreamErrors   *prometheus.CounterVec
}

// NewMetrics are the metrics of a server of this version, with nothing counted.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_calls_total", Help: "Calls of a tool, by the code they ended in, or ok.",
		}, []string{"tool", "outcome"}),
		callDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wesendall_call_duration_seconds", Help: "How long a call of a tool took, a person's thinking included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"tool"}),
		upstreamDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wesendall_upstream_request_duration_seconds", Help: "How long a request to Wesendall took, by the class of its answer, or none.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 45},
		}, []string{"endpoint", "status"}),
		upstreamErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_upstream_errors_total", Help: "Requests to Wesendall that failed, by HTTP status, or by what went wrong.",
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

// RegisterToolset adds the figures of the tools and of their ledger.
func (m *Metrics) RegisterToolset(toolset *tools.Toolset) {
	for _, name := range toolset.Names() {
		// So that the first of them is seen as a rise.
		m.calls.WithLabelValues(name, "ok")
		m.calls.WithLabelValues(name, guard.CodeOutcomeUnknown)
		m.callDuration.WithLabelValues(name)
		m.upstreamDuration.WithLabelValues(name, "2xx")
		m.upstreamErrors.WithLabelValues(name, reasonConnection)
	}
	m.registry.MustRegister(&limiterCollector{toolset.Stats}, newLedgerCollector(toolset.LedgerSnapshot))
}

// startCall counts one call, from now until it is told the outcome.
func (m *Metrics) startCall(tool string) func(outcome string) {
	start := time.Now()
	return func(outcome string) {
		m.calls.WithLabelValues(tool, outcome).Inc()
		m.callDuration.WithLabelValues(tool).Observe(time.Since(start).Seconds())
	}
}

// startRequest counts one request to the API.
func (m *Metrics) startRequest(e client.Endpoint) func(*client.Response, *client.Error) {
	start := time.Now()
	return func(resp *client.Response, apiErr *client.Error) {
		m.upstreamDuration.WithLabelValues(e.Name, statusClass(responseStatus(resp, apiErr))).Observe(time.Since(start).Seconds())
		if reason := errorReason(apiErr); reason != "" {
			m.upstreamErrors.WithLabelValues(e.Name, reason).Inc()
		}
	}
}

// responseStatus is that of the answer; 0 is none.
func responseStatus(resp *client.Response, apiErr *client.Error) int {
	if apiErr != nil {
		return apiErr.Status
	}
	return resp.Status
}

// statusClass is the class of a status, one of seven.
func statusClass(status int) string {
	switch {
	case status == 0:
		return "none"
	case status < 100 || status > 599:
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

// The reasons for a failure besides a status.
const (
	reasonConnection = "connection" // it was not made, or broke
	reasonTimeout    = "timeout"
	reasonCancelled  = "cancelled"  // by the host
	reasonUnreadable = "unreadable" // a success that nobody can make sense of
	reasonOther      = "other"
)

// errorReason is why a request failed, one of a few: a status that has a name, or one
// of the words above; "" where it did not.
func errorReason(apiErr *client.Error) string {
	switch {
	case apiErr == nil:
		return ""
	case apiErr.Status/100 == 2:
		return reasonUnreadable
	case http.StatusText(apiErr.Status) != "":
		return strconv.Itoa(apiErr.Status)
	case apiErr.Status != 0:
		return reasonOther
	case errors.Is(apiErr, context.Canceled):
		return reasonCancelled
	case errors.Is(apiErr, context.DeadlineExceeded):
		return reasonTimeout
	}
	return reasonConnection
}

// limiterCollector are the calls that run and wait.
type limiterCollector struct{ load func() tools.LimiterStats }

var (
	runningDesc    = newDesc("wesendall_calls_running", "Calls that run.")
	maxRunningDesc = newDesc("wesendall_calls_running_max", "How many calls may run at once.")
	waitingDesc    = newDesc("wesendall_calls_waiting", "Calls that wait to run, or for a person's answer.")
	maxWaitingDesc = newDesc("wesendall_calls_waiting_max", "How many calls may wait; one more is refused.")
)

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe names the metrics.
func (c *limiterCollector) Describe(out chan<- *prometheus.Desc) {
	out <- runningDesc
	out <- maxRunningDesc
	out <- waitingDesc
	out <- maxWaitingDesc
}

// Collect reads them.
func (c *limiterCollector) Collect(out chan<- prometheus.Metric) {
	load := c.load()
	for desc, value := range map[*prometheus.Desc]int{runningDesc: load.Running, maxRunningDesc: load.MaxRunning, waitingDesc: load.Waiting, maxWaitingDesc: load.MaxWaiting} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value))
	}
}
