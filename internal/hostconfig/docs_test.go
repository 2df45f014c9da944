package hostconfig

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/docsection"
)

var update = flag.Bool("update", false, "write the generated sections of docs/hosts.md")

// docs/hosts.md has the links and the entry of each host, as config prints it.
func TestDocs_Hosts(t *testing.T) {
	t.Parallel()
	const page = "../../docs/hosts.md"
	dirs := Dirs{Home: "~", Config: "~/.config", GOOS: "linux"}
	var links strings.Builder
	for _, link := range installLinks() {
		fmt.Fprintf(&links, "- [%s](%s)\n", link.title, link.url)
	}
	docsection.Check(t, page, "links", links.String(), *update)
	docsection.Check(t, page, "hosts", stdioEntries(dirs), *update)
	docsection.Check(t, page, "remote", httpEntries(dirs), *update)
}

// stdioEntries returns the entry of each host that starts this program. Hosts with the same
// file format share one.
func stdioEntries(dirs Dirs) string {
	entry := Entry{Command: "/path/to/wesendall-mcp", Args: []string{"--env-file", "/path/to/wesendall.env"}}
	var out strings.Builder
	var snippets []string
	titles := map[string][]string{}
	for _, h := range Hosts() {
		if h.AddCommand != nil {
			fmt.Fprintf(&out, "\n**%s** (`%s`)\n\n    %s\n", h.Title, h.Name, ShellQuote(h.AddCommand(entry), dirs.GOOS))
			continue
		}
		snippet := h.ConfigSnippet(entry)
		if titles[snippet] == nil {
			snippets = append(snippets, snippet)
		}
		titles[snippet] = append(titles[snippet], fmt.Sprintf("**%s** (`%s`: `%s`)", h.Title, h.Name, h.ConfigPath(dirs)))
	}
	for _, snippet := range snippets {
		fmt.Fprintf(&out, "\n%s\n\n```json\n%s```\n", strings.Join(titles[snippet], ", "), snippet)
	}
	return out.String()
}

// httpEntries returns the entry of each host for a server over HTTP.
func httpEntries(dirs Dirs) string {
	var out strings.Builder
	for _, h := range Hosts() {
		entry := h.HTTPEntry(testServerURL, dirs.GOOS)
		heading := "**" + h.Title + "**"
		if !entry.IsCommand {
			heading += " (`" + h.ConfigPath(dirs) + "`)"
		}
		if entry.Caveat != "" {
			heading += " " + entry.Caveat
		}
		fmt.Fprintf(&out, "\n%s\n\n    %s\n", heading, strings.ReplaceAll(entry.Text, "\n", "\n    "))
	}
	return out.String()
}
