package reference_test

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// Some HTTP/2 clients repeat a POST after a reset; the samples' clients do not.
func TestSamples_NoPOSTRetryOnReset(t *testing.T) {
	t.Parallel()
	for _, l := range reference.Languages() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			sampletest.SkipUnlessInstalled(t, l.Name)
			source, _ := reference.New().Example(l.Name, "send_sms")
			api := sampletest.NewHTTP2ResetServer(t)
			got := sampletest.Build(t, l.Name, l.Extension, source).Run(t, api.URL, sandbox.APIKey, api.Env)
			if got.Exit != 3 || !strings.Contains(got.Stderr, "unknown: no_answer") || api.PostCount() != 1 {
				t.Errorf("%d requests; exit %d, %s%s", api.PostCount(), got.Exit, got.Stdout, got.Stderr)
			}
		})
	}
}
