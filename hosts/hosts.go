// Package hosts knows the programs that people run MCP servers in: the command or
// the lines by which each is told about this server, and the file it keeps them
// in.
//
// It never puts a secret anywhere unless it is handed one, and it changes a file
// of somebody else's only by one entry.
package hosts

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// server is the name that the hosts know this server by.
const server = "wesendall"

// Entry is how the server is started.
type Entry struct {
	Command string // an absolute path
	Args    []string
	Env     map[string]string // with secrets only if somebody asked for that
	// Settles are the flags and variables that this entry alone decides: those of
	// an entry that was there before are not kept.
	Settles []string
}

// Host is one of them.
type Host struct {
	Name, Title string
	// Own is the host's own command that adds a server; nil where it has none.
	Own func(Entry) []string
	// File is where the host keeps its servers.
	File func(Places) string
	// path leads to the servers in the file; nil where it is no JSON.
	path []string
	// entry is the server in the file's form.
	entry func(Entry) any
	// text is what goes into a file that is no JSON.
	text func(Entry) string
	// Writes tells whether Write may be used: the file is the host's only way.
	Writes bool
}

// Places are where a system keeps what belongs to a person.
type Places struct {
	Home   string // the person's own directory
	Config string // where programs keep their configuration
	System string // runtime.GOOS
}

// ThisMachine finds the places here, given the home directory and the one for
// configuration.
func ThisMachine(home, config string) Places { return Places{home, config, runtime.GOOS} }

func home(parts ...string) func(Places) string {
	return func(p Places) string { return filepath.Join(append([]string{p.Home}, parts...)...) }
}

// dotConfig is where programs keep their configuration that do so on a Mac as on
// Linux.
func dotConfig(parts ...string) func(Places) string {
	return func(p Places) string {
		base := p.Config
		if p.System != "linux" {
			base = filepath.Join(p.Home, ".config")
		}
		return filepath.Join(append([]string{base}, parts...)...)
	}
}

func config(parts ...string) func(Places) string {
	return func(p Places) string { return filepath.Join(append([]string{p.Config}, parts...)...) }
}

// plain is the form that most hosts share.
func plain(e Entry) any {
	return struct {
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{e.Command, append([]string{}, e.Args...), e.Env}
}

// All are the hosts, in the order of the README.
func All() []Host {
	return []Host{
		{
			Name: "claude-code", Title: "Claude Code", File: home(".claude.json"), path: []string{"mcpServers"}, entry: plain,
			Own: func(e Entry) []string {
				return run(pairs([]string{"claude", "mcp", "add", "--scope", "user", server}, "--env", e.Env), e)
			},
		},
		{Name: "claude-desktop", Title: "Claude Desktop", File: config("Claude", "claude_desktop_config.json"), path: []string{"mcpServers"}, entry: plain, Writes: true},
		{Name: "cursor", Title: "Cursor", File: home(".cursor", "mcp.json"), path: []string{"mcpServers"}, entry: plain, Writes: true},
		{
			Name: "vscode", Title: "VS Code", File: config("Code", "User", "mcp.json"), path: []string{"servers"}, entry: plain,
			Own: func(e Entry) []string { return []string{"code", "--add-mcp", string(compact(named(e)))} },
		},
		{Name: "windsurf", Title: "Windsurf", File: home(".codeium", "windsurf", "mcp_config.json"), path: []string{"mcpServers"}, entry: plain},
		{
			Name: "gemini-cli", Title: "Gemini CLI", File: home(".gemini", "settings.json"), path: []string{"mcpServers"}, entry: plain,
			Own: func(e Entry) []string {
				command := append(pairs([]string{"gemini", "mcp", "add", "--scope", "user"}, "--env", e.Env), server, e.Command)
				if len(e.Args) == 0 {
					return command
				}
				return append(append(command, "--"), e.Args...)
			},
		},
		{
			Name: "codex", Title: "Codex", File: home(".codex", "config.toml"), text: codexText,
			Own: func(e Entry) []string {
				return run(pairs([]string{"codex", "mcp", "add", server}, "--env", e.Env), e)
			},
		},
		{
			Name: "opencode", Title: "opencode", File: dotConfig("opencode", "opencode.json"), path: []string{"mcp"},
			entry: func(e Entry) any {
				return struct {
					Type        string            `json:"type"`
					Command     []string          `json:"command"`
					Environment map[string]string `json:"environment,omitzero"`
					Enabled     bool              `json:"enabled"`
				}{"local", append([]string{e.Command}, e.Args...), e.Env, true}
			},
		},
		{
			Name: "copilot-cli", Title: "Copilot CLI", File: home(".copilot", "mcp-config.json"), path: []string{"mcpServers"}, entry: plain,
			Own: func(e Entry) []string {
				return run(pairs([]string{"copilot", "mcp", "add", server}, "--env", e.Env), e)
			},
		},
		{Name: "zed", Title: "Zed", File: zed, path: []string{"context_servers"}, entry: plain},
	}
}

// zed has a place of its own on Windows.
func zed(p Places) string {
	if p.System == "windows" {
		return filepath.Join(p.Config, "Zed", "settings.json")
	}
	return dotConfig("zed", "settings.json")(p)
}

// Find is the host of a name.
func Find(name string) (Host, bool) {
	all := All()
	at := slices.IndexFunc(all, func(h Host) bool { return h.Name == name })
	if at < 0 {
		return Host{}, false
	}
	return all[at], true
}

// Names are the hosts' names.
func Names() []string {
	var names []string
	for _, h := range All() {
		names = append(names, h.Name)
	}
	return names
}

// Snippet is the whole file with this server alone, to be pasted.
func (h Host) Snippet(e Entry) string {
	if h.text != nil {
		return h.text(e)
	}
	value := map[string]any{server: h.entry(e)}
	for _, name := range slices.Backward(h.path) {
		value = map[string]any{name: value}
	}
	var out bytes.Buffer
	_ = json.Indent(&out, compact(value), "", "  ") // which was just written
	return out.String() + "\n"
}

func run(command []string, e Entry) []string {
	return append(append(command, "--", e.Command), e.Args...)
}

// pairs adds a flag for each variable, in the order of their names.
func pairs(command []string, flag string, env map[string]string) []string {
	for _, name := range names(env) {
		command = append(command, flag, name+"="+env[name])
	}
	return command
}

func names(env map[string]string) []string {
	var names []string
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// named is the form of VS Code's command line and links.
func named(e Entry) any {
	return struct {
		Name    string            `json:"name"`
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{server, e.Command, append([]string{}, e.Args...), e.Env}
}

func compact(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // strings always encode
	return bytes.TrimSpace(out.Bytes())
}

// codexText is Codex's form. A JSON string is a basic string of TOML too.
func codexText(e Entry) string {
	var out strings.Builder
	quote := func(text string) string { return string(compact(text)) }
	out.WriteString("[mcp_servers." + server + "]\ncommand = " + quote(e.Command) + "\nargs = " + quoteAll(e.Args) + "\n")
	if len(e.Env) > 0 {
		out.WriteString("\n[mcp_servers." + server + ".env]\n")
		for _, name := range names(e.Env) {
			out.WriteString(name + " = " + quote(e.Env[name]) + "\n")
		}
	}
	return out.String()
}

func quoteAll(list []string) string { return string(compact(append([]string{}, list...))) }

// Quote writes a command as one types it into a shell of the system.
func Quote(command []string, system string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		switch {
		case word != "" && !strings.ContainsFunc(word, special) && (system == "windows" || !strings.Contains(word, `\`)):
			quoted[i] = word
		case system == "windows":
			quoted[i] = `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
		default:
			quoted[i] = `'` + strings.ReplaceAll(word, `'`, `'\''`) + `'`
		}
	}
	return strings.Join(quoted, " ")
}

func special(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(`-_./:=@+,\`, r)
}
