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
	const path = "../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
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
	pattern := regexp.MustCompile(`(?s)(<!-- hosts:[^>]*-->\n).*?(<!-- /hosts -->)`)
	parts := pattern.FindSubmatch(readme)
	if parts == nil {
		t.Fatal("the README has no part for the hosts")
	}
	want := bytes.Replace(readme, parts[0], []byte(string(parts[1])+out.String()+string(parts[2])), 1)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // it is public
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, readme) {
		t.Error("the README's part about hosts is not what config prints: go test ./hosts -update")
	}
}
