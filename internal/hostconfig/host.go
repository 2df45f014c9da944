// Package hostconfig knows the MCP hosts (Claude Code, Cursor, …): the command or the
// file entry that adds this server to each of them, and the file where each keeps it.
//
// It writes a secret only if the caller passes one in an Entry. In a host's file it
// changes only the entry of this server.
package hostconfig

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// ServerName is the name of this server in the hosts.
const ServerName = "wesendall"

// Entry says how a host starts the server.
type Entry struct {
	Command string // an absolute path
	Args    []string
	Env     map[string]string
	// Overrides are flags and variables that Host.Write does not keep from an existing entry.
	Overrides []string
}

// Host is a program that runs MCP servers.
type Host struct {
	Name, Title string
	// AddCommand returns the host's own command that adds a server; nil if there is none.
	AddCommand func(Entry) []string
	// RemoveCommand is the host's own command that removes the server; nil if there is none.
	RemoveCommand []string
	// ConfigPath returns the file where the host keeps its servers.
	ConfigPath func(Dirs) string
	// CanWrite tells whether Write may be used: only if the file is the host's only way.
	CanWrite bool

	jsonPath    []string        // path of the servers in a JSON file; nil for TOML
	renderEntry func(Entry) any // the server in a JSON file
	renderTOML  func(Entry) string
	http        httpConfig
}

// FindHost returns the host with a name.
func FindHost(name string) (Host, bool) {
	hosts := Hosts()
	i := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return hosts[i], true
}

// HostNames returns the names of all hosts.
func HostNames() []string {
	var names []string
	for _, h := range Hosts() {
		names = append(names, h.Name)
	}
	return names
}

// ConfigSnippet returns the content of the host's file with this server as its only entry.
func (h Host) ConfigSnippet(e Entry) string {
	if h.renderTOML != nil {
		return h.renderTOML(e)
	}
	value := map[string]any{ServerName: h.renderEntry(e)}
	for _, name := range slices.Backward(h.jsonPath) {
		value = map[string]any{name: value}
	}
	var out bytes.Buffer
	_ = json.Indent(&out, compactJSON(value), "", "  ") // compactJSON returns valid JSON
	return out.String() + "\n"
}

// standardEntry is the form that most hosts use in their files.
func standardEntry(e Entry) any {
	return struct {
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{e.Command, append([]string{}, e.Args...), e.Env}
}

// vscodeEntry is the form of VS Code's command line and install links.
func vscodeEntry(e Entry) any {
	return struct {
		Name    string            `json:"name"`
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env,omitzero"`
	}{ServerName, e.Command, append([]string{}, e.Args...), e.Env}
}

func opencodeEntry(e Entry) any {
	return struct {
		Type        string            `json:"type"`
		Command     []string          `json:"command"`
		Environment map[string]string `json:"environment,omitzero"`
		Enabled     bool              `json:"enabled"`
	}{"local", append([]string{e.Command}, e.Args...), e.Env, true}
}

// codexTOML is the form of Codex's file.
func codexTOML(e Entry) string {
	var out strings.Builder
	args := string(compactJSON(append([]string{}, e.Args...)))
	out.WriteString("[mcp_servers." + ServerName + "]\ncommand = " + tomlString(e.Command) + "\nargs = " + args + "\n")
	if len(e.Env) > 0 {
		out.WriteString("\n[mcp_servers." + ServerName + ".env]\n")
		for _, name := range slices.Sorted(maps.Keys(e.Env)) {
			out.WriteString(name + " = " + tomlString(e.Env[name]) + "\n")
		}
	}
	return out.String()
}

// tomlString quotes a string: a JSON string is also a basic string of TOML.
func tomlString(text string) string { return string(compactJSON(text)) }

// appendCommand adds the server's command after "--".
func appendCommand(command []string, e Entry) []string {
	return append(append(command, "--", e.Command), e.Args...)
}

// appendEnvFlags adds --env NAME=VALUE for each variable, sorted by name.
func appendEnvFlags(command []string, env map[string]string) []string {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		command = append(command, "--env", name+"="+env[name])
	}
	return command
}

// compactJSON encodes a value on one line, without HTML escapes. Values in this package
// consist of strings, booleans, lists and objects, which always encode.
func compactJSON(value any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return bytes.TrimSpace(out.Bytes())
}
