package hostconfig

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A command with a space in it, and one with credentials.
var (
	spacedEntry = Entry{Command: "/opt/my apps/wesendall-mcp", Args: []string{"--env-file", "/home/a/w.env"}}
	secretEntry = Entry{
		Command: "/opt/wesendall-mcp",
		Env:     map[string]string{"WESENDALL_WALLET_ID": "wal_1", "WESENDALL_API_KEY": "k"},
	}
)

// addCommands are the commands for spacedEntry and secretEntry.
var addCommands = map[string][2]string{
	"claude-code": {
		"claude mcp add --scope user wesendall -- '/opt/my apps/wesendall-mcp' --env-file /home/a/w.env",
		"claude mcp add --scope user wesendall --env WESENDALL_API_KEY=k --env WESENDALL_WALLET_ID=wal_1 -- /opt/wesendall-mcp",
	},
	"vscode": {
		`code --add-mcp '{"name":"wesendall","command":"/opt/my apps/wesendall-mcp","args":["--env-file","/home/a/w.env"]}'`,
		`code --add-mcp '{"name":"wesendall","command":"/opt/wesendall-mcp","args":[],` +
			`"env":{"WESENDALL_API_KEY":"k","WESENDALL_WALLET_ID":"wal_1"}}'`,
	},
	"gemini-cli": {
		"gemini mcp add --scope user wesendall '/opt/my apps/wesendall-mcp' -- --env-file /home/a/w.env",
		"gemini mcp add --scope user --env WESENDALL_API_KEY=k --env WESENDALL_WALLET_ID=wal_1 wesendall /opt/wesendall-mcp",
	},
	"codex": {
		"codex mcp add wesendall -- '/opt/my apps/wesendall-mcp' --env-file /home/a/w.env",
		"codex mcp add wesendall --env WESENDALL_API_KEY=k --env WESENDALL_WALLET_ID=wal_1 -- /opt/wesendall-mcp",
	},
	"copilot-cli": {
		"copilot mcp add wesendall -- '/opt/my apps/wesendall-mcp' --env-file /home/a/w.env",
		"copilot mcp add wesendall --env WESENDALL_API_KEY=k --env WESENDALL_WALLET_ID=wal_1 -- /opt/wesendall-mcp",
	},
}

func TestHosts_AddCommands(t *testing.T) {
	t.Parallel()
	for name, want := range addCommands {
		h, ok := FindHost(name)
		if !ok {
			t.Fatal(name)
		}
		for i, entry := range []Entry{spacedEntry, secretEntry} {
			if got := ShellQuote(h.AddCommand(entry), "linux"); got != want[i] {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

func TestHosts_Snippets(t *testing.T) {
	t.Parallel()
	e := spacedEntry
	for name, path := range map[string]string{"claude-desktop": "mcpServers", "cursor": "mcpServers",
		"windsurf": "mcpServers", "zed": "context_servers", "vscode": "servers"} {
		h, _ := FindHost(name)
		var file map[string]map[string]struct {
			Command string
			Args    []string
		}
		if err := json.Unmarshal([]byte(h.ConfigSnippet(e)), &file); err != nil ||
			file[path]["wesendall"].Command != e.Command || !slices.Equal(file[path]["wesendall"].Args, e.Args) {
			t.Errorf("%s: %s, %v", name, h.ConfigSnippet(e), err)
		}
	}
	opencode, _ := FindHost("opencode")
	if got := opencode.ConfigSnippet(secretEntry); !strings.Contains(got, `"environment": {`) ||
		!strings.Contains(got, `"type": "local"`) {
		t.Error(got)
	}
	codex, _ := FindHost("codex")
	const want = `[mcp_servers.wesendall]
command = "/opt/wesendall-mcp"
args = []

[mcp_servers.wesendall.env]
WESENDALL_API_KEY = "k"
WESENDALL_WALLET_ID = "wal_1"
`
	if got := codex.ConfigSnippet(secretEntry); got != want {
		t.Error(got)
	}
}

func TestHosts_Complete(t *testing.T) {
	t.Parallel()
	want := []string{"claude-code", "claude-desktop", "cursor", "vscode", "windsurf", "gemini-cli", "codex", "opencode",
		"copilot-cli", "zed"}
	if !slices.Equal(HostNames(), want) {
		t.Error(HostNames())
	}
	for _, h := range Hosts() {
		for _, goos := range []string{"linux", "darwin", "windows"} {
			if file := h.ConfigPath(Dirs{"/home/a", "/home/a/.config", goos}); !strings.HasPrefix(file, "/home/a/") {
				t.Errorf("%s: %s", h.Name, file)
			}
		}
		if h.CanWrite && (h.jsonPath == nil || h.AddCommand != nil) {
			t.Errorf("%s must not be written", h.Name)
		}
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for goos, want := range map[string]string{"linux": `a 'b c' 'it'\''s' '$x' '' '{"a":1}' --x=/y 'a\b'`,
		"windows": `a 'b c' 'it''s' '$x' '' '{\"a\":1}' --x=/y a\b`} {
		if got := ShellQuote([]string{"a", "b c", "it's", "$x", "", `{"a":1}`, "--x=/y", `a\b`}, goos); got != want {
			t.Errorf("%s: %s", goos, got)
		}
	}
}

// PowerShell starts a quoted program with &, and reads commas and -- itself.
func TestShellQuote_PowerShell(t *testing.T) {
	t.Parallel()
	command := []string{`C:\Program Files\w.exe`, "--tools=a,b", "--", "@x"}
	const want = `& 'C:\Program Files\w.exe' '--tools=a,b' '--' '@x'`
	if got := ShellQuote(command, "windows"); got != want {
		t.Error(got)
	}
}
