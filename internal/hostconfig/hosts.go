// Package hosts knows the programs that people run MCP servers in: the command or
// the lines by which each is told about this server, and the file it keeps them
// in.
//
// It never puts a secret anywhere unless it is handed one, and it changes a file
// of somebody else's only by one entry.
package hostconfig

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// serverName is the name that the hosts know this server by.
const serverName = "wesendall"

// Entry is how the server is started.
type Entry struct {
	Command string // an absolute path
	Args    []string
	Env     map[string]string // with secrets only if somebody asked for that
	// Settles are the flags and variables that this entry alone decides: those of
	// an entry that was there before are not kept.
	Overrides []string
}

// Host is one of them.
type Host struct {
	Name, Title string
	// Own is the host's own command that adds a server; nil where it has none.
	AddCommand func(Entry) []string
	// File is where the host keeps its servers.
	ConfigPath func(Dirs) string
	// path leads to the servers in the file; nil where it is no JSON.
	jsonPath []string
	// entry is the server in the file's form.
	renderEntry func(Entry) any
	// text is what goes into a file that is no JSON.
	renderTOML func(Entry) string
	// Writes tells whether Write may be used: the file is the host's only way.
	CanWrite bool
}

// Dirs are where a system keeps what belongs to a person.
type Dirs struct {
	Home   string // the person's own directory
	Config string // where programs keep their configuration
	GOOS   string // runtime.GOOS
}

// CurrentDirs finds the places here, given the home directory and the one for
// configuration.
func CurrentDirs(home, config string) Dirs { return Dirs{home, config, runtime.GOOS} }

func inHome(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string { return filepath.Join(append([]string{dirs.Home}, parts...)...) }
}

// inDotConfig is where programs keep their configuration that do so on a Mac as on
// Linux.
func inDotConfig(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string {
		base := dirs.Config
		if dirs.GOOS != "linux" {
			base = filepath.Join(dirs.Home, ".config")
		}
		return filepath.Join(append([]string{base}, parts...)...)
	}
}

func inConfig(parts ...string) func(Dirs) string {
	return func(dirs Dirs) string { return filepath.Join(append([]string{dirs.Config}, parts...)...) }
}

// standardEntry is the form that most hosts share.
func standardEntry(e Entry) any {
	return struct {
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{e.Command, append([]string{}, e.Args...), e.Env}
}

// Hosts are the hosts, in the order of the README.
func Hosts() []Host {
	return []Host{
		{
			Name: "claude-code", Title: "Claude Code", ConfigPath: inHome(".claude.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
			AddCommand: func(e Entry) []string {
				return appendCommand(appendEnvFlags([]string{"claude", "mcp", "add", "--scope", "user", serverName}, "--env", e.Env), e)
			},
		},
		{Name: "claude-desktop", Title: "Claude Desktop", ConfigPath: inConfig("Claude", "claude_desktop_config.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry, CanWrite: true},
		{Name: "cursor", Title: "Cursor", ConfigPath: inHome(".cursor", "mcp.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry, CanWrite: true},
		{
			Name: "vscode", Title: "VS Code", ConfigPath: inConfig("Code", "User", "mcp.json"), jsonPath: []string{"servers"}, renderEntry: standardEntry,
			AddCommand: func(e Entry) []string { return []string{"code", "--add-mcp", string(compactJSON(vscodeEntry(e)))} },
		},
		{Name: "windsurf", Title: "Windsurf", ConfigPath: inHome(".codeium", "windsurf", "mcp_config.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry},
		{
			Name: "gemini-cli", Title: "Gemini CLI", ConfigPath: inHome(".gemini", "settings.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
			AddCommand: func(e Entry) []string {
				command := append(appendEnvFlags([]string{"gemini", "mcp", "add", "--scope", "user"}, "--env", e.Env), serverName, e.Command)
				if len(e.Args) == 0 {
					return command
				}
				return append(append(command, "--"), e.Args...)
			},
		},
		{
			Name: "codex", Title: "Codex", ConfigPath: inHome(".codex", "config.toml"), renderTOML: renderCodexTOML,
			AddCommand: func(e Entry) []string {
				return appendCommand(appendEnvFlags([]string{"codex", "mcp", "add", serverName}, "--env", e.Env), e)
			},
		},
		{
			Name: "opencode", Title: "opencode", ConfigPath: inDotConfig("opencode", "opencode.json"), jsonPath: []string{"mcp"},
			renderEntry: func(e Entry) any {
				return struct {
					Type        string            `json:"type"`
					Command     []string          `json:"command"`
					Environment map[string]string `json:"environment,omitzero"`
					Enabled     bool              `json:"enabled"`
				}{"local", append([]string{e.Command}, e.Args...), e.Env, true}
			},
		},
		{
			Name: "copilot-cli", Title: "Copilot CLI", ConfigPath: inHome(".copilot", "mcp-config.json"), jsonPath: []string{"mcpServers"}, renderEntry: standardEntry,
			AddCommand: func(e Entry) []string {
				return appendCommand(appendEnvFlags([]string{"copilot", "mcp", "add", serverName}, "--env", e.Env), e)
			},
		},
		{Name: "zed", Title: "Zed", ConfigPath: zedConfigPath, jsonPath: []string{"context_servers"}, renderEntry: standardEntry},
	}
}

// zedConfigPath has a place of its own on Windows.
func zedConfigPath(dirs Dirs) string {
	if dirs.GOOS == "windows" {
		return filepath.Join(dirs.Config, "Zed", "settings.json")
	}
	return inDotConfig("zed", "settings.json")(dirs)
}

// FindHost is the host of a name.
func FindHost(name string) (Host, bool) {
	hosts := Hosts()
	i := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return hosts[i], true
}

// HostNames are the hosts' names.
func HostNames() []string {
	var names []string
	for _, h := range Hosts() {
		names = append(names, h.Name)
	}
	return names
}

// ConfigSnippet is the whole file with this server alone, to be pasted.
func (h Host) ConfigSnippet(e Entry) string {
	if h.renderTOML != nil {
		return h.renderTOML(e)
	}
	value := map[string]any{serverName: h.renderEntry(e)}
	for _, name := range slices.Backward(h.jsonPath) {
		value = map[string]any{name: value}
	}
	var out bytes.Buffer
	_ = json.Indent(&out, compactJSON(value), "", "  ") // which was just written
	return out.String() + "\n"
}

func appendCommand(command []string, e Entry) []string {
	return append(append(command, "--", e.Command), e.Args...)
}

// appendEnvFlags adds a flag for each variable, in the order of their names.
func appendEnvFlags(command []string, flag string, env map[string]string) []string {
	for _, name := range sortedKeys(env) {
		command = append(command, flag, name+"="+env[name])
	}
	return command
}

func sortedKeys(env map[string]string) []string {
	var names []string
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// vscodeEntry is the form of VS Code's command line and links.
func vscodeEntry(e Entry) any {
	return struct {
		Name    string            `json:"name"`
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{serverName, e.Command, append([]string{}, e.Args...), e.Env}
}

func compactJSON(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // strings always encode
	return bytes.TrimSpace(out.Bytes())
}

// renderCodexTOML is Codex's form. A JSON string is a basic string of TOML too.
func renderCodexTOML(e Entry) string {
	var out strings.Builder
	quote := func(text string) string { return string(compactJSON(text)) }
	out.WriteString("[mcp_servers." + serverName + "]\ncommand = " + quote(e.Command) + "\nargs = " + tomlArray(e.Args) + "\n")
	if len(e.Env) > 0 {
		out.WriteString("\n[mcp_servers." + serverName + ".env]\n")
		for _, name := range sortedKeys(e.Env) {
			out.WriteString(name + " = " + quote(e.Env[name]) + "\n")
		}
	}
	return out.String()
}

func tomlArray(list []string) string { return string(compactJSON(append([]string{}, list...))) }

// ShellQuote writes a command as one types it into a shell of the system.
func ShellQuote(command []string, goos string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		switch {
		case word != "" && !strings.ContainsFunc(word, needsQuoting) && (goos == "windows" || !strings.Contains(word, `\`)):
			quoted[i] = word
		case goos == "windows":
			quoted[i] = `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
		default:
			quoted[i] = `'` + strings.ReplaceAll(word, `'`, `'\''`) + `'`
		}
	}
	return strings.Join(quoted, " ")
}

func needsQuoting(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(`-_./:=@+,\`, r)
}
