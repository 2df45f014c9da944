package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/tools"
)

var update = flag.Bool("update", false, "write the generated sections of the documents")

// The generated sections say what the program says. -update writes them.
func TestDocs_GeneratedSections(t *testing.T) {
	t.Parallel()
	flags := commonFlags(t)
	for _, section := range []struct{ path, name, text string }{
		{"README.md", "tools", toolsTable()},
		{"README.md", "limits", limitsTable(t, flags)},
		{"docs/configuration.md", "settings", settingsTable(flags)},
		{"docs/troubleshooting.md", "codes", codesTable()},
		{"docs/hosts.md", "links", installLinks()},
		{"docs/hosts.md", "hosts", hostEntries()},
		{"docs/hosts.md", "remote", remoteHostEntries()},
	} {
		checkSection(t, filepath.Join(repoRoot, section.path), section.name, section.text)
	}
}

// checkSection compares a section of a document with what it must be, or writes it.
func checkSection(t *testing.T, path, name, text string) {
	t.Helper()
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^>]*-->\n).*?(<!-- /` + name + ` -->)`)
	parts := pattern.FindStringSubmatch(string(document))
	if parts == nil {
		t.Errorf("%s has no section %s", path, name)
		return
	}
	want := strings.Replace(string(document), parts[0], parts[1]+text+parts[2], 1)
	switch {
	case want == string(document):
	case !*update:
		t.Errorf("section %s of %s is out of date: go test ./cmd/wesendall-mcp -run TestDocs -update", name, path)
	default:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// commonFlags returns the flags that every command has.
func commonFlags(t *testing.T) []*kong.Flag {
	t.Helper()
	var c cli
	noVariables := func(string) (string, bool) { return "", false }
	parsed, err := c.parse(t.Context(), environment{args: []string{"doctor"}, stderr: t.Output(), lookupEnv: noVariables})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Model.Flags
}

func toolsTable() string {
	effects := map[client.Effect]string{
		client.EffectRead: "reads", client.EffectIdempotentWrite: "changes",
		client.EffectCreate: "changes", client.EffectSpend: "**spends**",
	}
	var table strings.Builder
	table.WriteString("| tool | arguments | what it does |\n| --- | --- | --- |\n")
	for _, tool := range tools.AllTools() {
		var args []string
		for _, p := range tool.Endpoint.Params {
			switch {
			case p.Name == "walletId":
			case p.Required:
				args = append(args, "`"+p.Name+"`")
			default:
				args = append(args, "`"+p.Name+"` (optional)")
			}
		}
		effect := effects[tool.Endpoint.Effect]
		fmt.Fprintf(&table, "| `%s` | %s | %s: %s |\n", tool.Name, strings.Join(args, ", "), effect, tool.Endpoint.Summary)
	}
	return table.String()
}

// limitsTable has the four limits that most operators change.
func limitsTable(t *testing.T, flags []*kong.Flag) string {
	t.Helper()
	var table strings.Builder
	table.WriteString("| limit | default | setting |\n| --- | --- | --- |\n")
	for _, limit := range []struct{ flag, meaning string }{
		{"max-per-call", "cost of one send"},
		{"max-per-day", "cost of all sends in a day"},
		{"max-topup", "top-ups, in one call and in a day"},
		{"confirm-above", "spending in an hour without confirmation"},
	} {
		i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == limit.flag })
		if i < 0 {
			t.Fatalf("there is no flag --%s", limit.flag)
		}
		fmt.Fprintf(&table, "| %s | UGX %s | `%s` |\n", limit.meaning, withThousandsSeparator(flags[i].Default), flags[i].Envs[0])
	}
	return table.String()
}

// withThousandsSeparator puts a comma before the last three digits.
func withThousandsSeparator(digits string) string {
	return regexp.MustCompile(`(\d)(\d{3})$`).ReplaceAllString(digits, "$1,$2")
}

func settingsTable(flags []*kong.Flag) string {
	var table strings.Builder
	table.WriteString("| flag | variable | meaning (default) |\n| --- | --- | --- |\n")
	for _, f := range flags {
		if f.Name == "help" || f.Name == "version" {
			continue
		}
		name, variable := "--"+f.Name, ""
		if !f.IsBool() {
			name += " " + f.FormatPlaceHolder()
		}
		if len(f.Envs) > 0 {
			variable = "`" + f.Envs[0] + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, variable, strings.TrimSuffix(f.Help, "."))
	}
	return table.String()
}

func codesTable() string {
	var table strings.Builder
	table.WriteString("| code | meaning | money | retry |\n| --- | --- | --- | --- |\n")
	for _, code := range guard.Codes() {
		fmt.Fprintf(&table, "| `%s` | %s | `%s` | `%s` |\n", code.Code, code.Description, code.Money, code.Retry)
	}
	return table.String()
}

func installLinks() string {
	var list strings.Builder
	for _, link := range hostconfig.InstallLinks() {
		fmt.Fprintf(&list, "- [%s](%s)\n", link.Title, link.URL)
	}
	return list.String()
}

var linuxDirs = hostconfig.Dirs{Home: "~", Config: "~/.config", GOOS: "linux"}

// hostEntries has the entry of each host that starts this program. Hosts with the same file
// format share one.
func hostEntries() string {
	entry := hostconfig.Entry{Command: "/path/to/wesendall-mcp", Args: []string{"--env-file", "/path/to/wesendall.env"}}
	var out strings.Builder
	var snippets []string
	titles := map[string][]string{}
	for _, h := range hostconfig.Hosts() {
		if h.AddCommand != nil {
			fmt.Fprintf(&out, "\n**%s** (`%s`)\n\n    %s\n", h.Title, h.Name, hostconfig.ShellQuote(h.AddCommand(entry), "linux"))
			continue
		}
		snippet := h.ConfigSnippet(entry)
		if titles[snippet] == nil {
			snippets = append(snippets, snippet)
		}
		titles[snippet] = append(titles[snippet], fmt.Sprintf("**%s** (`%s`: `%s`)", h.Title, h.Name, h.ConfigPath(linuxDirs)))
	}
	for _, snippet := range snippets {
		fmt.Fprintf(&out, "\n%s\n\n```json\n%s```\n", strings.Join(titles[snippet], ", "), snippet)
	}
	return out.String()
}

// remoteHostEntries has the entry of each host for a server over HTTP.
func remoteHostEntries() string {
	var out strings.Builder
	for _, h := range hostconfig.Hosts() {
		snippet, caveat := h.HTTPSnippet("https://mcp.example.com/mcp")
		heading := "**" + h.Title + "**"
		if strings.HasPrefix(snippet, "{") || strings.HasPrefix(snippet, "[") { // for a file, not a command
			heading += " (`" + h.ConfigPath(linuxDirs) + "`)"
		}
		if caveat != "" {
			heading += " " + caveat
		}
		fmt.Fprintf(&out, "\n%s\n\n    %s\n", heading, strings.ReplaceAll(snippet, "\n", "\n    "))
	}
	return out.String()
}
