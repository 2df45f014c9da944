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
	useResettingAPI := func(i *generatedProgram) *sampletest.HTTP2ResetServer {
		api := sampletest.NewHTTP2ResetServer(i.T)
		i.reset(0, api.Env...)
		i.front = &sampletest.FaultProxy{URL: api.URL}
		return api
	}
	runPerLanguage(t, "otp", "go", func(_ *testing.T, i *generatedProgram) {
		api := useResettingAPI(i)
		i.run("unknown", 3, "request", "+256700000010")
		if api.PostCount() != 1 {
			i.Errorf("%d requests", api.PostCount())
		}
	})
	runPerLanguage(t, "bulk", "go", func(t *testing.T, i *generatedProgram) {
		api := useResettingAPI(i)
		list, journal := filepath.Join(i.dir, "list.txt"), filepath.Join(i.dir, "journal.json")
		if err := os.WriteFile(list, []byte("+256700000010\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := i.program.Run(t, api.URL, i.key, i.env, "plan", list, "Market day is on Friday", journal); got.Exit != 0 {
			t.Fatalf("%+v", got)
		}
		i.run("unknown", 3, "send", journal, "35")
		if api.PostCount() != 1 {
			t.Errorf("%d requests", api.PostCount())
		}
	})
}
