package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestRun_DoNotText(t *testing.T) {
	t.Parallel()
	o := healthyOptions(t)
	path := filepath.Join(t.TempDir(), "list")
	o.DoNotText = guard.NewDoNotTextList(path, nil)
	expectFinding(t, o, "failure do-not-text list")
	for text, want := range map[string]string{
		"0700000010\n+256700000010\n0700000011": "ok do-not-text list: numbers that are never texted: 2",
		"0700000010\nAnna":                      "failure do-not-text list: line 2 is not one phone number → write one phone number a line",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		expectFinding(t, o, want)
	}
}
