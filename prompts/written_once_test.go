package prompts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/programs"
)

// Over HTTP/2 some clients make a POST again by themselves once it was reset:
// no written program's does.
func TestNoWrittenProgramMakesAResetPOSTAgain(t *testing.T) {
	t.Parallel()
	reset := func(i *integration) *programs.Resetting {
		api := programs.NewResetting(i.T)
		i.begin(0, api.Env...)
		i.front = &programs.Front{URL: api.URL}
		return api
	}
	each(t, "otp", func(_ *testing.T, i *integration) {
		api := reset(i)
		i.run("unknown", 3, "request", "+256700000010")
		if api.Posts() != 1 {
			i.Errorf("%d requests", api.Posts())
		}
	})
	each(t, "bulk", func(t *testing.T, i *integration) {
		api := reset(i)
		list, journal := filepath.Join(i.dir, "list.txt"), filepath.Join(i.dir, "journal.json")
		if err := os.WriteFile(list, []byte("+256700000010\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := i.program.Run(t, api.URL, i.key, i.env, "plan", list, "Market day is on Friday", journal); got.Exit != 0 {
			t.Fatalf("%+v", got)
		}
		i.run("unknown", 3, "send", journal, "35")
		if api.Posts() != 1 {
			t.Errorf("%d requests", api.Posts())
		}
	})
}
