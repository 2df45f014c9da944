package tools

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

var update = flag.Bool("update", false, "write the goldens and the README's tables again")

// golden compares a text with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./tools -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./tools -update writes it again); got\n%s", path, got)
	}
}

func TestSchemas_Golden(t *testing.T) {
	t.Parallel()
	for folder, o := range map[string]Options{"wallet_fixed": {Wallet: "wal_1"}, "wallet_argument": {}} {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range s.tools {
			text, err := json.MarshalIndent(map[string]any{
				"name": tool.Name, "title": tool.Title, "description": tool.Description, "hints": tool.Annotations(),
				"input": tool.inputSchema, "output": tool.outputSchema,
			}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", folder, tool.Name+".json"), append(text, '\n'))
		}
	}
}

// replaceSection replaces what stands between two markers of the README.
func replaceSection(t *testing.T, readme []byte, name, table string) []byte {
	t.Helper()
	pattern := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^>]*-->\n).*?(<!-- /` + name + ` -->)`)
	if !pattern.Match(readme) {
		t.Fatalf("the README has no section %s", name)
	}
	return pattern.ReplaceAllFunc(readme, func(old []byte) []byte {
		parts := pattern.FindSubmatch(old)
		return []byte(string(parts[1]) + table + string(parts[2]))
	})
}

func TestREADME_Tables(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| tool | arguments | what it does |\n| --- | --- | --- |\n")
	for _, tool := range AllTools() {
		var args []string
		for _, p := range tool.Endpoint.Params {
			switch {
			case p.Name == walletIDParam:
			case p.Required:
				args = append(args, "`"+p.Name+"`")
			default:
				args = append(args, "`"+p.Name+"` (optional)")
			}
		}
		effect := map[client.Effect]string{client.EffectRead: "reads", client.EffectIdempotentWrite: "changes", client.EffectCreate: "changes", client.EffectSpend: "**spends**"}
		fmt.Fprintf(&table, "| `%s` | %s | %s: %s |\n", tool.Name, strings.Join(args, ", "), effect[tool.Endpoint.Effect], tool.Endpoint.Summary)
	}
	made := replaceSection(t, readme, "tools", table.String())
	table.Reset()
	table.WriteString("| code | what it says | money | retry |\n| --- | --- | --- | --- |\n")
	for _, m := range guard.Codes() {
		fmt.Fprintf(&table, "| `%s` | %s | `%s` | `%s` |\n", m.Code, m.Description, m.Money, m.Retry)
	}
	golden(t, "../README.md", replaceSection(t, made, "codes", table.String()))
}
