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

// Which room may import which, and who may speak the protocol.
func TestImports_Allowed(t *testing.T) {
	t.Parallel()
	const module = "github.com/wesendall/wesendall-mcp/"
	const protocol = "github.com/mark3labs/mcp-go/"
	allowedImports := map[string][]string{
		"client":            {},
		"sandbox":           {},
		"guard":             {"client"},
		"tools":             {"guard", "client", protocol},
		"llm-reference":     {"client"},
		"prompts":           {"llm-reference", "client"},
		"server":            {"tools", "prompts", "llm-reference", protocol},
		"callers":           {"tools", "guard", "client"},
		"observe":           {"tools", "guard", "client", protocol},
		"hosts":             {},
		"doctor":            {"guard", "client", "hosts"},
		"internal/programs": {"client", "sandbox"}, // for tests alone
		"load":              {},
		"cmd/wesendall-mcp": {"server", "callers", "tools", "prompts", "llm-reference", "guard", "client", "sandbox", "hosts", "doctor", "observe", protocol},
	}
	seen := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") || strings.Contains(path, "node_modules") {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg = filepath.ToSlash(pkg)
		allowed, listed := allowedImports[pkg]
		if !listed {
			t.Errorf("%s is in no room", path)
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
			importPath, isOurs := strings.CutPrefix(name, module)
			first, _, _ := strings.Cut(name, "/")
			switch {
			case isOurs && !slices.Contains(allowed, importPath),
				strings.HasPrefix(name, protocol) && !slices.Contains(allowed, protocol),
				pkg == "client" && strings.Contains(first, "."):
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || len(seen) != len(allowedImports) {
		t.Errorf("%v, rooms %v", err, seen)
	}
}
