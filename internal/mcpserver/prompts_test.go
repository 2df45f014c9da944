package mcpserver

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/tools"
)

func TestPrompts_Get(t *testing.T) {
	t.Parallel()
	inBothProtocols(t, func(t *testing.T, w *stdioClient, protocol string) {
		got := decodeResult[struct {
			Description string
			Messages    []struct {
				Role    string
				Content struct{ Type, Text string }
			}
		}](t, w.request(protocol, "prompts/get",
			`"name":"integrate_wesendall","arguments":{"language":"$1","framework":"$2","use_case":"$3"}`))
		if len(got.Messages) != 1 || got.Messages[0].Role != "user" || got.Messages[0].Content.Type != "text" ||
			!strings.HasPrefix(got.Messages[0].Content.Text, "# Integrate Wesendall: everything\n") || got.Description == "" {
			t.Errorf("%+v", got)
		}
	})
}

// A prompt whose tools are not served is not offered.
func TestPrompts_FilteredByTools(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options tools.Options
		want    []string
	}{
		"read-only": {tools.Options{ReadOnly: true}, []string{"integrate_wesendall", "wallet_report"}},
		"some": {tools.Options{Names: []string{"get_balance", "send_sms", "list_sms_history"}},
			[]string{"integrate_wesendall", "send_sms"}},
		"fewer": {tools.Options{Names: []string{"get_balance", "send_sms"}}, []string{"integrate_wesendall"}},
		"none":  {tools.Options{Names: []string{}}, []string{"integrate_wesendall"}},
	} {
		set, err := tools.New(tc.options)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range New(Options{Tools: set, Logger: slog.New(slog.DiscardHandler)}).prompts {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, tc.want) {
			t.Errorf("%s: %v", name, names)
		}
	}
}
