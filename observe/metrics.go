// Package observe shows a running server from outside: metrics for Prometheus
// and traces for OpenTelemetry.
//
// No label and no attribute holds what a person wrote or is known by: no
// argument, number, text, wallet, caller or key, and no text of an error. What it
// does never fails a call, and it talks to nobody unless it is told to.
package observe

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
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// Metrics count what the server does.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	took     *prometheus.HistogramVec
	upstream *prometheus.HistogramVec
	errors   *prometheus.CounterVec
}

// NewMetrics are the metrics of a server of this version, with nothing counted.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_calls_total", Help: "Calls of a tool, by the code they ended in, or ok.",
		}, []string{"tool", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wesendall_call_duration_seconds", Help: "How long a call of a tool took, a person's thinking included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"tool"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wesendall_upstream_request_duration_seconds", Help: "How long a request to Wesendall took, by the class of its answer, or none.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 45},
		}, []string{"endpoint", "status"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wesendall_upstream_errors_total", Help: "Requests to Wesendall that failed, by HTTP status, or by what went wrong.",
		}, []string{"endpoint", "reason"}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wesendall_build_info", Help: "The version of this server; the value is always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(m.calls, m.took, m.upstream, m.errors, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch adds the figures of the tools and of their ledger.
func (m *Metrics) Watch(set *tools.Set) {
	for _, name := range set.Names() {
		// So that the first of them is seen as a rise.
		m.calls.WithLabelValues(name, "ok")
		m.calls.WithLabelValues(name, guard.OutcomeUnknown)
		m.took.WithLabelValues(name)
		m.upstream.WithLabelValues(name, "2xx")
		m.errors.WithLabelValues(name, connection)
	}
	m.registry.MustRegister(&queue{set.Load}, newLedger(set.Watch))
}

// call counts one call, from now until it is told the outcome.
func (m *Metrics) call(tool string) func(outcome string) {
	start := time.Now()
	return func(outcome string) {
		m.calls.WithLabelValues(tool, outcome).Inc()
		m.took.WithLabelValues(tool).Observe(time.Since(start).Seconds())
	}
}

// request counts one request to the API.
func (m *Metrics) request(e client.Endpoint) func(*client.Response, *client.Error) {
	start := time.Now()
	return func(answer *client.Response, failure *client.Error) {
		m.upstream.WithLabelValues(e.Name, class(status(answer, failure))).Observe(time.Since(start).Seconds())
		if reason := reason(failure); reason != "" {
			m.errors.WithLabelValues(e.Name, reason).Inc()
		}
	}
}

// status is that of the answer; 0 is none.
func status(answer *client.Response, failure *client.Error) int {
	if failure != nil {
		return failure.Status
	}
	return answer.Status
}

// class is the class of a status, one of seven.
func class(status int) string {
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
	connection = "connection" // it was not made, or broke
	timeout    = "timeout"
	cancelled  = "cancelled"  // by the host
	unreadable = "unreadable" // a success that nobody can make sense of
	other      = "other"
)

// reason is why a request failed, one of a few: a status that has a name, or one
// of the words above; "" where it did not.
func reason(failure *client.Error) string {
	switch {
	case failure == nil:
		return ""
	case failure.Status/100 == 2:
		return unreadable
	case http.StatusText(failure.Status) != "":
		return strconv.Itoa(failure.Status)
	case failure.Status != 0:
		return other
	case errors.Is(failure, context.Canceled):
		return cancelled
	case errors.Is(failure, context.DeadlineExceeded):
		return timeout
	}
	return connection
}

// queue are the calls that run and wait.
type queue struct{ load func() tools.Load }

var (
	running     = gauge("wesendall_calls_running", "Calls that run.")
	mostRunning = gauge("wesendall_calls_running_max", "How many calls may run at once.")
	waiting     = gauge("wesendall_calls_waiting", "Calls that wait to run, or for a person's answer.")
	mostWaiting = gauge("wesendall_calls_waiting_max", "How many calls may wait; one more is refused.")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe names the metrics.
func (q *queue) Describe(out chan<- *prometheus.Desc) {
	out <- running
	out <- mostRunning
	out <- waiting
	out <- mostWaiting
}

// Collect reads them.
func (q *queue) Collect(out chan<- prometheus.Metric) {
	l := q.load()
	for desc, value := range map[*prometheus.Desc]int{running: l.Running, mostRunning: l.MostRunning, waiting: l.Waiting, mostWaiting: l.MostWaiting} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value))
	}
}
