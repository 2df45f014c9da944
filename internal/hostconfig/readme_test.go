package hostconfig

import (
	"bytes"
	"flag"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var updateREADME = flag.Bool("update", false, "write the README's part about hosts again")

// A link says what it says it does.
func TestInstallLinks_Decode(t *testing.T) {
	t.Parallel()
	for _, l := range InstallLinks() {
		name, e, err := DecodeLink(l.URL)
		if err != nil || name != serverName || e.Command != "wesendall-mcp" || strings.Contains(l.URL, " ") {
			t.Errorf("%s: %s %+v, %v", l.Title, name, e, err)
		}
		if tries := strings.Contains(l.Title, "sandbox"); tries != slices.Equal(e.Args, []string{"--sandbox"}) || tries != (e.Env == nil) {
			t.Errorf("%s: %+v", l.Title, e)
		}
	}
	if decoded, err := url.PathUnescape(encodeURIComponent("Wesendall API key + \"x\"")); err != nil || decoded != `Wesendall API key + "x"` {
		t.Errorf("%s, %v", decoded, err)
	}
	for _, wrong := range []string{"https://a.test/?name=x&config=!", "https://a.test/?url=%zz", "https://a.test/"} {
		if _, _, err := DecodeLink(wrong); err == nil {
			t.Error(wrong)
		}
	}
}

// The README has each host's way, as config prints it.
func TestREADME_Hosts(t *testing.T) {
	t.Parallel()
	e := Entry{Command: "/path/to/wesendall-mcp", Args: []string{"--env-file", "/path/to/wesendall.env"}}
	dirs := Dirs{Home: "~", Config: "~/.config", GOOS: "linux"}
	var out, links strings.Builder
	for _, l := range InstallLinks() {
		fmt.Fprintf(&links, "[%s](%s) ", l.Title, l.URL)
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
		text, caveat := h.HTTPSnippet(testServerURL)
		where := ""
		if httpConfigs[h.Name].addCommand == nil {
			where = " (`" + h.ConfigPath(dirs) + "`)"
		}
		if caveat != "" {
			caveat = " " + caveat
		}
		fmt.Fprintf(&out, "\n**%s**%s%s\n\n    %s\n", h.Title, where, caveat, strings.ReplaceAll(text, "\n", "\n    "))
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
