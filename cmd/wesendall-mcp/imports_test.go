package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	modulePath   = "github.com/wesendall/wesendall-mcp/"
	protocolPath = "github.com/mark3labs/mcp-go/"
)

// allowedImports says which package may import which of ours, and which may use the protocol
// library.
var allowedImports = map[string][]string{
	// Two leaves, so that their rules are written once, and Unicode's decomposition of accented letters.
	"client":                     {"internal/loopback", "internal/sanitize", "golang.org/x/text/unicode/norm"},
	"internal/loopback":          {},
	"internal/startup":           {}, // only the standard library, so that it is initialized early
	"internal/sanitize":          {},
	"internal/sqlitedb":          {},
	"internal/sandbox":           {"internal/loopback", "internal/sqlitedb"},
	"internal/ledger":            {"internal/loopback", "internal/sqlitedb"},
	"internal/ledger/ledgertest": {}, // only for tests
	"internal/guard":             {"client", "internal/ledger", "internal/sanitize"},
	"tools":                      {"internal/guard", "client", "internal/sanitize", protocolPath},
	"llm-reference":              {"client", "internal/sanitize"},
	"prompts":                    {"llm-reference", "client", "internal/sanitize"},
	"internal/mcpserver": {"tools", "prompts", "llm-reference", "internal/loopback", "internal/sanitize",
		protocolPath},
	"internal/auth":          {"tools", "internal/guard", "client", "internal/sanitize"},
	"internal/observability": {"tools", "internal/guard", "internal/ledger", "client", "internal/loopback", protocolPath},
	"internal/hostconfig":    {},
	"internal/doctor":        {"internal/guard", "internal/ledger", "client", "internal/hostconfig"},
	"internal/sampletest":    {"client", "internal/sandbox"}, // only for tests
	"internal/docsection":    {},                             // only for tests
	"test/load":              {},
	"cmd/wesendall-mcp": {
		"internal/mcpserver", "internal/auth", "tools", "prompts", "llm-reference", "internal/guard", "internal/ledger",
		"client", "internal/sandbox", "internal/hostconfig", "internal/doctor", "internal/observability",
		"internal/loopback", "internal/sanitize", "internal/startup", protocolPath,
	},
}

func TestImports_Allowed(t *testing.T) {
	t.Parallel()
	// These import no other module, except for what is listed above.
	onlyStandardLibrary := []string{"client", "internal/loopback", "internal/sanitize"}
	seen := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.Contains(path, "testdata") || strings.Contains(path, "node_modules") {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg = filepath.ToSlash(pkg)
		allowed, listed := allowedImports[pkg]
		if !listed {
			t.Errorf("%s is in a package that is not listed", path)
		}
		seen[pkg] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			importPath, isOurs := strings.CutPrefix(name, modulePath)
			first, _, _ := strings.Cut(name, "/")
			switch {
			case isOurs && !slices.Contains(allowed, importPath),
				strings.HasPrefix(name, protocolPath) && !slices.Contains(allowed, protocolPath),
				slices.Contains(onlyStandardLibrary, pkg) && !isOurs && strings.Contains(first, ".") &&
					!slices.Contains(allowed, name):
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || len(seen) != len(allowedImports) {
		t.Errorf("%v, packages %v", err, seen)
	}
}
