package hostconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// detectCases are files and what Detect must find in them. The verbs are: %[1]s this program,
// %[2]s another build of it, %[3]s another program of its name, %[4]s a link to it.
var detectCases = map[string]struct{ host, file, want string }{
	"this program":       {"cursor", `{"mcpServers":{"wesendall":{"command":"%[1]s","args":["--sandbox"]}}}`, "same"},
	"under another name": {"cursor", `{"mcpServers":{"sms":{"command":"%[1]s"}}}`, "same"},
	"by a link":          {"cursor", `{"mcpServers":{"wesendall":{"command":"%[4]s"}}}`, "same"},
	"found in the PATH":  {"cursor", `{"mcpServers":{"wesendall":{"command":"wesendall-mcp"}}}`, "same"},
	"commented out":      {"cursor", "{\"mcpServers\":{\n// \"wesendall\":{\"command\":\"%[1]s\"}\n}}", ""},
	"another build":      {"cursor", `{"mcpServers":{"wesendall":{"command":"%[2]s"}}}`, "other"},
	"another, own name":  {"cursor", `{"mcpServers":{"sms":{"command":"%[3]s"}}}`, "other"},
	"gone":               {"cursor", `{"mcpServers":{"wesendall":{"command":"/nowhere/wesendall-mcp"}}}`, "missing"},
	"no command":         {"cursor", `{"mcpServers":{"wesendall":{}}}`, "missing"},
	"over HTTP": {"cursor", `{"mcpServers":{"wesendall":{"url":"https://u:pw@example.com/mcp?t=1"}}}`,
		"https://example.com/mcp"},
	"over a bridge": {"cursor",
		`{"mcpServers":{"wesendall":{"command":"npx","args":["-y","mcp-remote@0.15.1","https://example.com/mcp"]}}}`,
		"https://example.com/mcp"},
	"as an argument":        {"cursor", `{"mcpServers":{"b":{"command":"sh","args":["%[1]s"]}}}`, ""},
	"elsewhere in the file": {"cursor", `{"a":{"wesendall":{"command":"%[1]s"}}}`, ""},
	"in a list": {"opencode",
		`{"mcp":{"wesendall":{"type":"local","command":["%[1]s","--sandbox"],"enabled":true}}}`, "same"},
	"switched off": {"opencode", `{"mcp":{"wesendall":{"type":"local","command":["%[1]s"],"enabled":false}}}`,
		"same off"},
	"in an object":           {"zed", `{"context_servers":{"wesendall":{"command":{"path":"%[1]s","args":[]}}}}`, "same"},
	"in TOML":                {"codex", "[mcp_servers.wesendall]\ncommand = \"%[1]s\"\n", "same"},
	"in TOML, commented out": {"codex", "#[mcp_servers.wesendall]\n#command = \"%[1]s\"\n", ""},
	"for one project": {"claude-code", `{"projects":{"/a":{"mcpServers":{"wesendall":{"command":"%[1]s"}}}}}`,
		"same in /a"},
	"by a relative path": {"cursor", `{"mcpServers":{"wesendall":{"command":"./wesendall-mcp"}}}`, "missing"},
	"a last comment":     {"cursor", `{"mcpServers":{"wesendall":{"command":"%[1]s"}}} // end`, "same"},
	"no JSON":            {"cursor", `{"mcpServers":`, "error"},
	"no TOML":            {"codex", `[mcp_servers`, "error"},
	"nothing":            {"cursor", "", ""},
	"a form of its own":  {"cursor", `{"mcpServers":[1]}`, ""},
}

// An entry is this program if that is what would be started, and never because
// its name is somewhere in the file.
func TestDetect_SameBinary(t *testing.T) {
	dir := t.TempDir()
	writeExecutable := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
			t.Fatal(err)
		}
		return path
	}
	program := writeExecutable("bin/wesendall-mcp", "#!/bin/sh\n")
	old := writeExecutable("bin/wesendall-mcp.old", "#!/bin/sh\n")
	other := writeExecutable("other/wesendall-mcp", "#!/bin/sh\n")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(program))
	for name, c := range detectCases {
		t.Run(name, func(t *testing.T) {
			dirs := Dirs{Home: t.TempDir(), GOOS: runtime.GOOS}
			dirs.Config = filepath.Join(dirs.Home, ".config")
			h, _ := FindHost(c.host)
			file := h.ConfigPath(dirs)
			text := c.file
			if strings.Contains(text, "%") {
				text = fmt.Sprintf(text+"%.0[1]s%.0[2]s%.0[3]s%.0[4]s", program, old, other, link)
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, s := range Detect(dirs, program) {
				if s.Name != c.host {
					t.Fatalf("%+v", s)
				}
				if s.Err != nil {
					found = append(found, "error")
				}
				for _, entry := range s.Servers {
					found = append(found, describeEntry(entry))
				}
			}
			if got := strings.Join(found, ", "); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

// describeEntry says in a few words what an entry starts.
func describeEntry(entry ServerEntry) string {
	word := "other"
	switch {
	case entry.URL != "":
		return entry.URL
	case entry.Err != nil:
		word = "missing"
	case entry.IsThisBinary:
		word = "same"
	}
	if entry.Disabled {
		word += " off"
	}
	if entry.Project != "" {
		word += " in " + entry.Project
	}
	return word
}

func TestFlagValue(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--env-file", "/a"}, {"--x", "--env-file=/a"}, {"--env-file=/b", "--env-file", "/a"},
	} {
		s := ServerEntry{Entry: Entry{Args: args}}
		if got := s.FlagValue("--env-file"); got != "/a" || s.FlagValue("--env") != "" {
			t.Errorf("%v: %q", args, got)
		}
	}
}

// A host's file may contain anything.
func FuzzFindServers(f *testing.F) {
	for _, text := range []string{"", `{"mcpServers":{"wesendall":{"command":["a",1],"env":[]}}}`,
		`{"projects":{"a":{"mcpServers":{"wesendall":null}}}}`, "[mcp_servers.wesendall]\nargs = [1]", "{/**/}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		old := string(text)
		for _, name := range []string{"claude-code", "opencode", "codex"} {
			h, _ := FindHost(name)
			if _, err := h.findServers(text, "/nowhere"); err != nil && err.Error() == "" {
				t.Error("an error that says nothing")
			}
		}
		if string(text) != old {
			t.Error("the text that was read has changed")
		}
	})
}
