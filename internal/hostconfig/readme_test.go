package hostconfig

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var updateREADME = flag.Bool("update", false, "write the README's part about hosts again")

// The README has each host's way, as config prints it.
func TestREADME_Hosts(t *testing.T) {
	t.Parallel()
	e := Entry{Command: "/path/to/wesendall-mcp", Args: []string{"--env-file", "/path/to/wesendall.env"}}
	dirs := Dirs{Home: "~", Config: "~/.config", GOOS: "linux"}
	var out, links strings.Builder
	for _, l := range installLinks() {
		fmt.Fprintf(&links, "[%s](%s) ", l.title, l.url)
	}
	fmt.Fprintf(&out, "One click, with `wesendall-mcp` where your system looks for programs: %s\n", strings.TrimSpace(links.String()))
	var snippets []string // in order
	hostsBySnippet := map[string][]string{}
	for _, h := range Hosts() {
		if h.AddCommand != nil {
			fmt.Fprintf(&out, "\n**%s** (`%s`)\n\n    %s\n", h.Title, h.Name, ShellQuote(h.AddCommand(e), "linux"))
			continue
		}
		text := h.ConfigSnippet(e)
		if hostsBySnippet[text] == nil {
			snippets = append(snippets, text)
		}
		hostsBySnippet[text] = append(hostsBySnippet[text], fmt.Sprintf("**%s** (`%s`: `%s`)", h.Title, h.Name, h.ConfigPath(dirs)))
	}
	for _, text := range snippets {
		fmt.Fprintf(&out, "\n%s\n\n```json\n%s```\n", strings.Join(hostsBySnippet[text], ", "), text)
	}
	checkREADMESection(t, "hosts", out.String())
}

// It has each host's way to a server over HTTP, too.
func TestREADME_HostsHTTP(t *testing.T) {
	t.Parallel()
	dirs := Dirs{Home: "~", Config: "~/.config", GOOS: "linux"}
	var out strings.Builder
	for _, h := range Hosts() {
		entry := h.HTTPEntry(testServerURL, "linux")
		where := ""
		if !entry.IsCommand {
			where = " (`" + h.ConfigPath(dirs) + "`)"
		}
		caveat := entry.Caveat
		if caveat != "" {
			caveat = " " + caveat
		}
		fmt.Fprintf(&out, "\n**%s**%s%s\n\n    %s\n", h.Title, where, caveat, strings.ReplaceAll(entry.Text, "\n", "\n    "))
	}
	checkREADMESection(t, "remote", out.String())
}

// checkREADMESection compares a part of the README with what it should be, or writes it. Tests
// run beside each other, and a file is written whole.
func checkREADMESection(t *testing.T, name, text string) {
	t.Helper()
	const path = "../../README.md"
	readmeLock.Lock()
	defer readmeLock.Unlock()
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^>]*-->\n).*?(<!-- /` + name + ` -->)`).FindSubmatch(readme)
	if section == nil {
		t.Fatalf("the README has no part for %s", name)
	}
	want := bytes.Replace(readme, section[0], []byte(string(section[1])+text+string(section[2])), 1)
	if *updateREADME {
		if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // it is public
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, readme) {
		t.Errorf("the README's part about %s is not what this package says: go test ./internal/hostconfig -update", name)
	}
}

var readmeLock sync.Mutex
