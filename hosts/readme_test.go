package hosts

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

var update = flag.Bool("update", false, "write the README's part about hosts again")

// A link says what it says it does.
func TestALinkDecodes(t *testing.T) {
	t.Parallel()
	for _, l := range Links() {
		name, e, err := DecodeLink(l.URL)
		if err != nil || name != server || e.Command != "wesendall-mcp" || strings.Contains(l.URL, " ") {
			t.Errorf("%s: %s %+v, %v", l.Title, name, e, err)
		}
		if tries := strings.Contains(l.Title, "sandbox"); tries != slices.Equal(e.Args, []string{"--sandbox"}) || tries != (e.Env == nil) {
			t.Errorf("%s: %+v", l.Title, e)
		}
	}
	if decoded, err := url.PathUnescape(component("Wesendall API key + \"x\"")); err != nil || decoded != `Wesendall API key + "x"` {
		t.Errorf("%s, %v", decoded, err)
	}
	for _, wrong := range []string{"https://a.test/?name=x&config=!", "https://a.test/?url=%zz", "https://a.test/"} {
		if _, _, err := DecodeLink(wrong); err == nil {
			t.Error(wrong)
		}
	}
}

// The README has each host's way, as config prints it.
func TestTheREADMEKnowsTheHosts(t *testing.T) {
	t.Parallel()
	e := Entry{Command: "/path/to/wesendall-mcp", Args: []string{"--env-file", "/path/to/wesendall.env"}}
	places := Places{Home: "~", Config: "~/.config", System: "linux"}
	var out, links strings.Builder
	for _, l := range Links() {
		fmt.Fprintf(&links, "[%s](%s) ", l.Title, l.URL)
	}
	fmt.Fprintf(&out, "One click, with `wesendall-mcp` where your system looks for programs: %s\n", strings.TrimSpace(links.String()))
	var snippets []string // in order
	where := map[string][]string{}
	for _, h := range All() {
		if h.Own != nil {
			fmt.Fprintf(&out, "\n**%s** (`%s`)\n\n    %s\n", h.Title, h.Name, Quote(h.Own(e), "linux"))
			continue
		}
		text := h.Snippet(e)
		if where[text] == nil {
			snippets = append(snippets, text)
		}
		where[text] = append(where[text], fmt.Sprintf("**%s** (`%s`: `%s`)", h.Title, h.Name, h.File(places)))
	}
	for _, text := range snippets {
		fmt.Fprintf(&out, "\n%s\n\n```json\n%s```\n", strings.Join(where[text], ", "), text)
	}
	part(t, "hosts", out.String())
}

// It has each host's way to a server over HTTP, too.
func TestTheREADMEKnowsTheHostsOverHTTP(t *testing.T) {
	t.Parallel()
	places := Places{Home: "~", Config: "~/.config", System: "linux"}
	var out strings.Builder
	for _, h := range All() {
		text, note := h.Remote(overHTTP)
		where := ""
		if remotes[h.Name].own == nil {
			where = " (`" + h.File(places) + "`)"
		}
		if note != "" {
			note = " " + note
		}
		fmt.Fprintf(&out, "\n**%s**%s%s\n\n    %s\n", h.Title, where, note, strings.ReplaceAll(text, "\n", "\n    "))
	}
	part(t, "remote", out.String())
}

// part compares a part of the README with what it should be, or writes it. Tests
// run beside each other, and a file is written whole.
func part(t *testing.T, name, text string) {
	t.Helper()
	const path = "../README.md"
	readmeLock.Lock()
	defer readmeLock.Unlock()
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^>]*-->\n).*?(<!-- /` + name + ` -->)`).FindSubmatch(readme)
	if parts == nil {
		t.Fatalf("the README has no part for %s", name)
	}
	want := bytes.Replace(readme, parts[0], []byte(string(parts[1])+text+string(parts[2])), 1)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // it is public
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, readme) {
		t.Errorf("the README's part about %s is not what this package says: go test ./hosts -update", name)
	}
}

var readmeLock sync.Mutex
