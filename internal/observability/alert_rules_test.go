package observability

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wesendall/wesendall-mcp/tools"
)

var alertsDir = filepath.Join("..", "..", "packaging", "prometheus")

// metricNames returns the names of all our metrics, as a scrape has them.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	toolset, err := tools.New(tools.Options{NotConfiguredReason: "nothing is set"})
	if err != nil {
		t.Fatal(err)
	}
	m := NewMetrics("1")
	m.RegisterToolset(toolset)
	descs := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descs)
	close(descs)
	names := map[string]bool{}
	for desc := range descs {
		name := regexp.MustCompile(`fqName: "([^"]*)"`).FindStringSubmatch(desc.String())[1]
		names[name] = true
		if strings.HasSuffix(name, "_duration_seconds") {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				names[name+part] = true
			}
		}
	}
	return names
}

// Every metric that a rule or the page names is exported, and the page names every metric.
func TestAlertRules_MetricNames(t *testing.T) {
	t.Parallel()
	exported := metricNames(t)
	page := filepath.Join("..", "..", "docs", "observability.md")
	for file, minNames := range map[string]int{filepath.Join(alertsDir, "alerts.yml"): 6, page: 20} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		matches := regexp.MustCompile(`\bwesendall_[a-z_]+`).FindAllString(string(text), -1)
		for _, name := range matches {
			if !exported[name] {
				t.Errorf("%s names %s", file, name)
			}
		}
		if len(matches) < minNames {
			t.Errorf("%s names %d metrics", file, len(matches))
		}
		if file != page {
			continue
		}
		for name := range exported {
			if strings.HasPrefix(name, "wesendall_") && !strings.Contains(string(text), name) &&
				!regexp.MustCompile(`_(bucket|sum|count)$`).MatchString(name) {
				t.Errorf("the page does not name %s", name)
			}
		}
	}
}

// Prometheus accepts the rules, and they fire when they should.
func TestAlertRules_Fire(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs promtool")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		c := exec.CommandContext(t.Context(), promtool, args...)
		c.Dir = alertsDir
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
