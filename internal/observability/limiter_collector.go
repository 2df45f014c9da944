package observability

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wesendall/wesendall-mcp/tools"
)

// limiterCollector exports how many calls run and wait.
type limiterCollector struct{ stats func() tools.LimiterStats }

var (
	runningDesc    = newDesc("wesendall_calls_running", "Calls that run.")
	maxRunningDesc = newDesc("wesendall_calls_running_max", "How many calls may run at once.")
	waitingDesc    = newDesc("wesendall_calls_waiting", "Calls that wait to run, or for the user's answer.")
	maxWaitingDesc = newDesc("wesendall_calls_waiting_max", "How many calls may wait; one more is refused.")
)

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (c *limiterCollector) Describe(out chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, out)
}

// Collect implements [prometheus.Collector].
func (c *limiterCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value))
	}
	stats := c.stats()
	gauge(runningDesc, stats.Running)
	gauge(maxRunningDesc, stats.MaxRunning)
	gauge(waitingDesc, stats.Waiting)
	gauge(maxWaitingDesc, stats.MaxWaiting)
}
