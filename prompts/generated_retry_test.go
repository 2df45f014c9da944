package prompts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sampletest"
)

// Some HTTP/2 clients repeat a POST after a reset; the generated programs' clients do not.
func TestGeneratedPrograms_NoPOSTRetryOnReset(t *testing.T) {
	t.Parallel()
	useResettingAPI := func(p *generatedProgram) *sampletest.HTTP2ResetServer {
		api := sampletest.NewHTTP2ResetServer(p.T)
		p.reset(0, api.Env...)
		p.front = &sampletest.FaultProxy{URL: api.URL}
		return api
	}
	runPerLanguage(t, "otp", "go", func(_ *testing.T, p *generatedProgram) {
		api := useResettingAPI(p)
		p.run("unknown", 3, "request", "+256700000010")
		if api.PostCount() != 1 {
			p.Errorf("%d requests", api.PostCount())
		}
	})
	runPerLanguage(t, "bulk", "go", func(t *testing.T, p *generatedProgram) {
		api := useResettingAPI(p)
		list, journal := filepath.Join(p.dir, "list.txt"), filepath.Join(p.dir, "journal.json")
		if err := os.WriteFile(list, []byte("+256700000010\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := p.program.Run(t, api.URL, p.key, p.env, "plan", list, "Market day is on Friday", journal); got.Exit != 0 {
			t.Fatalf("%+v", got)
		}
		p.run("unknown", 3, "send", journal, "35")
		if api.PostCount() != 1 {
			t.Errorf("%d requests", api.PostCount())
		}
	})
}
