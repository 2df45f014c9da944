package reference

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

// The reference gives the same advice about an unknown outcome as results and refusals.
func TestSections_WayOut(t *testing.T) {
	t.Parallel()
	for _, s := range renderSections() {
		if s.Name != "errors" {
			continue
		}
		for _, tool := range []string{client.ToolSendSMS, client.ToolTopUpWallet} {
			if !strings.Contains(s.Text, client.UnknownOutcomeAdvice(tool)) {
				t.Errorf("the section does not have the way out of %s", tool)
			}
		}
	}
}
