package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/docsection"
	"github.com/wesendall/wesendall-mcp/internal/guard"
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
		{"docs/troubleshooting.md", "way out", wayOutList()},
		{"docs/safety.md", "way out", wayOutList()},
	} {
		docsection.Check(t, filepath.Join(repoRoot, section.path), section.name, section.text, *update)
	}
}

// commonFlags returns the flags that every command has.
func commonFlags(t *testing.T) []*kong.Flag {
	t.Helper()
	var c cli
	noVariables := func(string) (string, bool) { return "", false }
	parsed, err := c.parse(t.Context(), environment{
		args: []string{"doctor"}, stderr: t.Output(), lookupEnv: noVariables, defaults: guard.DefaultOptions(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Model.Flags
}

// wayOutList has what to do about an unknown outcome, as results and refusals say it.
func wayOutList() string {
	return "- **A message**: " + client.UnknownOutcomeAdvice(client.ToolSendSMS) + "\n" +
		"- **A top-up**: " + client.UnknownOutcomeAdvice(client.ToolTopUpWallet) + "\n"
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
		fmt.Fprintf(&table, "| %s | UGX %s | `%s` |\n", limit.meaning, withThousandsSeparator(flags[i].Default),
			flags[i].Envs[0])
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
		meaning := strings.TrimSuffix(f.Help, ".")
		if f.HasDefault && !f.IsBool() {
			meaning += " (" + f.Default + ")"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, variable, meaning)
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
