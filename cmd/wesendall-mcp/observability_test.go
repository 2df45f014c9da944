package main

import (
	"io"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// privateValues are in the arguments or the settings of the calls in the tests of metrics and
// traces, and must be in neither.
var privateValues = []string{"256700000", "private", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID}

func TestObservability_OffByDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		env             map[string]string
		metrics, traces bool
	}{
		{"nothing is set", nil, false, false},
		{"metrics", map[string]string{"WESENDALL_METRICS": "127.0.0.1:0"}, true, false},
		{"a collector", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, false, true},
		{"a collector that a host speaks gRPC to", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
			"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, false},
	} {
		lookup := func(name string) (string, bool) { value, ok := c.env[name]; return value, ok }
		cfg := Config{
			Sandbox: true, Metrics: c.env["WESENDALL_METRICS"],
			safetySettings: safetySettings{Confirm: guard.ConfirmAuto, AllowedCountries: []string{"256"}},
		}
		env := environment{stderr: io.Discard, lookupEnv: lookup, workDir: t.TempDir()}
		b, err := cfg.newBackend(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		_, shutdown, err := cfg.newObservedServer(t.Context(), env, b, cfg.newLogger(env), metricsOff)
		if err != nil {
			t.Fatal(err)
		}
		if (b.metrics != nil) != c.metrics || (b.tracer != nil) != c.traces || (b.OnCall != nil) != (c.metrics || c.traces) {
			t.Errorf("%s: %v, %v", c.name, b.metrics, b.tracer)
		}
		if err := shutdown(); err != nil {
			t.Error(err)
		}
		if err := b.closeFn(); err != nil {
			t.Error(err)
		}
	}
}
