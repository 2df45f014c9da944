package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// An entry is this program if that is what would be started, and never because
// its name is somewhere in the file.
func TestLookTellsProgramsApart(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
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
	program := put("bin/wesendall-mcp", "#!/bin/sh\n")
	old := put("bin/wesendall-mcp.old", "#!/bin/sh\n")
	other := put("other/wesendall-mcp", "#!/bin/sh\n")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(program))
	for name, c := range map[string]struct{ host, file, want string }{
		"this program":           {"cursor", `{"mcpServers":{"wesendall":{"command":"%[1]s","args":["--sandbox"]}}}`, "same"},
		"under another name":     {"cursor", `{"mcpServers":{"sms":{"command":"%[1]s"}}}`, "same"},
		"by a link":              {"cursor", `{"mcpServers":{"wesendall":{"command":"%[4]s"}}}`, "same"},
		"found in the PATH":      {"cursor", `{"mcpServers":{"wesendall":{"command":"wesendall-mcp"}}}`, "same"},
		"commented out":          {"cursor", "{\"mcpServers\":{\n// \"wesendall\":{\"command\":\"%[1]s\"}\n}}", ""},
		"another build":          {"cursor", `{"mcpServers":{"wesendall":{"command":"%[2]s"}}}`, "other"},
		"another, own name":      {"cursor", `{"mcpServers":{"sms":{"command":"%[3]s"}}}`, "other"},
		"gone":                   {"cursor", `{"mcpServers":{"wesendall":{"command":"/nowhere/wesendall-mcp"}}}`, "missing"},
		"no command":             {"cursor", `{"mcpServers":{"wesendall":{}}}`, "missing"},
		"over HTTP":              {"cursor", `{"mcpServers":{"wesendall":{"url":"https://u:pw@example.com/mcp?t=1"}}}`, "https://example.com/mcp"},
		"over a bridge":          {"cursor", `{"mcpServers":{"wesendall":{"command":"npx","args":["-y","mcp-remote@0.15.1","https://example.com/mcp"]}}}`, "https://example.com/mcp"},
		"as an argument":         {"cursor", `{"mcpServers":{"b":{"command":"sh","args":["%[1]s"]}}}`, ""},
		"elsewhere in the file":  {"cursor", `{"a":{"wesendall":{"command":"%[1]s"}}}`, ""},
		"in a list":              {"opencode", `{"mcp":{"wesendall":{"type":"local","command":["%[1]s","--sandbox"],"enabled":true}}}`, "same"},
		"switched off":           {"opencode", `{"mcp":{"wesendall":{"type":"local","command":["%[1]s"],"enabled":false}}}`, "same off"},
		"in an object":           {"zed", `{"context_servers":{"wesendall":{"command":{"path":"%[1]s","args":[]}}}}`, "same"},
		"in TOML":                {"codex", "[mcp_servers.wesendall]\ncommand = \"%[1]s\"\n", "same"},
		"in TOML, commented out": {"codex", "#[mcp_servers.wesendall]\n#command = \"%[1]s\"\n", ""},
		"for one project":        {"claude-code", `{"projects":{"/a":{"mcpServers":{"wesendall":{"command":"%[1]s"}}}}}`, "same in /a"},
		"by a relative path":     {"cursor", `{"mcpServers":{"wesendall":{"command":"./wesendall-mcp"}}}`, "missing"},
		"a last comment":         {"cursor", `{"mcpServers":{"wesendall":{"command":"%[1]s"}}} // end`, "same"},
		"no JSON":                {"cursor", `{"mcpServers":`, "error"},
		"no TOML":                {"codex", `[mcp_servers`, "error"},
		"nothing":                {"cursor", "", ""},
		"a form of its own":      {"cursor", `{"mcpServers":[1]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := Places{Home: t.TempDir(), System: runtime.GOOS}
			p.Config = filepath.Join(p.Home, ".config")
			h, _ := Find(c.host)
			file := h.File(p)
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
			var said []string
			for _, s := range Look(p, program) {
				if s.Name != c.host {
					t.Fatalf("%+v", s)
				}
				if s.Err != nil {
					said = append(said, "error")
				}
				for _, each := range s.Servers {
					if each.URL != "" {
						said = append(said, each.URL)
						continue
					}
					word := map[bool]string{true: "same", false: "other"}[each.Same]
					if each.Err != nil {
						word = "missing"
					}
					if each.Off {
						word += " off"
					}
					if each.Project != "" {
						word += " in " + each.Project
					}
					said = append(said, word)
				}
			}
			if got := strings.Join(said, ", "); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

func TestTheFlagsOfAnEntry(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--env-file", "/a"}, {"--x", "--env-file=/a"}, {"--env-file=/b", "--env-file", "/a"}} {
		s := Server{Entry: Entry{Args: args}}
		if got := s.Flag("--env-file"); got != "/a" || s.Flag("--env") != "" {
			t.Errorf("%v: %q", args, got)
		}
	}
}

// Nobody knows what is in a host's file.
func FuzzServers(f *testing.F) {
	for _, text := range []string{"", `{"mcpServers":{"wesendall":{"command":["a",1],"env":[]}}}`, `{"projects":{"a":{"mcpServers":{"wesendall":null}}}}`, "[mcp_servers.wesendall]\nargs = [1]", "{/**/}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		old := string(text)
		for _, name := range []string{"claude-code", "opencode", "codex"} {
			h, _ := Find(name)
			if _, err := h.servers(text, "/nowhere"); err != nil && err.Error() == "" {
				t.Error("an error that says nothing")
			}
		}
		if string(text) != old {
			t.Error("the text that was read has changed")
		}
	})
}
