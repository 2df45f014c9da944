package reference_test

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/programs"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// Over HTTP/2 some clients make a POST again by themselves once it was reset:
// no sample's does.
func TestSamples_NoPOSTRetryOnReset(t *testing.T) {
	t.Parallel()
	for _, l := range reference.Languages() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			programs.SkipUnlessInstalled(t, l.Name)
			source, _ := reference.New().Example(l.Name, "send_sms")
			api := programs.NewHTTP2ResetServer(t)
			got := programs.Build(t, l.Name, l.Extension, source).Run(t, api.URL, sandbox.APIKey, api.Env)
			if got.Exit != 3 || !strings.Contains(got.Stderr, "unknown: no_answer") || api.PostCount() != 1 {
				t.Errorf("%d requests; exit %d, %s%s", api.PostCount(), got.Exit, got.Stdout, got.Stderr)
			}
		})
	}
}
