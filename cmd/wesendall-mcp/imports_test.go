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

// allowedImports says which of our packages a package may import, and whether it may use the
// protocol library. Each row has its reason.
var allowedImports = map[string][]string{
	// The client can be used without the rest. Its rules about hosts and text are in two leaves.
	"client": {"internal/loopback", "internal/sanitize", "golang.org/x/text/unicode/norm"},
	// Which hosts are this machine is decided once, for the client, the servers and the ledger.
	"internal/loopback": {},
	// What is safe to show is decided once, for every package that prints text of others.
	"internal/sanitize": {},
	// The ledger and the sandbox open SQLite in the same way.
	"internal/sqlitedb": {},
	// The guard and reconcile compare messages by the same rule.
	"internal/fold": {"internal/sanitize"},
	// It imports only the standard library, so that Go initializes it before the others.
	"internal/startup": {},
	// Packages on the way to the first answer compile no regular expression before main.
	"internal/lazyregexp": {},
	// The sandbox imports nothing else of ours, so that it can prove the client wrong.
	"internal/sandbox": {"internal/loopback", "internal/sqlitedb"},
	// The ledger stores; it knows neither HTTP nor phone numbers.
	"internal/ledger": {"internal/loopback", "internal/sqlitedb"},
	// The guard decides: it prices with the client and records in the ledger.
	"internal/guard": {"client", "internal/fold", "internal/lazyregexp", "internal/ledger", "internal/sanitize"},
	// It looks for a spend in the history that the client reads, and matches by the ledger's hashes.
	"internal/reconcile": {"client", "internal/fold", "internal/lazyregexp", "internal/ledger", "internal/sanitize"},
	// A tool decodes arguments, asks the guard and declares its schema.
	"tools": {"internal/guard", "client", "internal/sanitize", protocolPath},
	// Documents and prompts are texts about the client's endpoints.
	"llm-reference": {"client", "internal/sanitize"},
	"prompts":       {"llm-reference", "client", "internal/sanitize"},
	// The server speaks the protocol. It reaches money through the tools only.
	"internal/mcpserver": {
		"tools", "prompts", "llm-reference", "internal/loopback", "internal/sanitize", protocolPath,
	},
	// A caller over HTTP becomes a client and its limits.
	"internal/auth": {"tools", "internal/guard", "client", "internal/sanitize"},
	// Metrics and traces observe calls, requests and the ledger.
	"internal/observability": {
		"tools", "internal/guard", "internal/ledger", "client", "internal/loopback", protocolPath,
	},
	// It edits the files of other programs and needs nothing of ours.
	"internal/hostconfig": {},
	// It checks what the server uses, and does not go through the tools.
	"internal/doctor": {"internal/guard", "internal/ledger", "client", "internal/hostconfig"},
	// Tests run samples against the sandbox, and compare them with the client.
	"internal/sampletest": {"client", "internal/sandbox"},
	// Tests write generated sections into documents; the texts come from the caller.
	"internal/docsection": {},
	// Tests of several packages get an empty file or schema for a ledger from it.
	"internal/ledger/ledgertest": {},
	// The load test uses the built program only.
	"test/load": {},
	// The command connects all of them.
	"cmd/wesendall-mcp": {
		"internal/mcpserver", "internal/auth", "tools", "prompts", "llm-reference", "internal/guard", "internal/ledger",
		"client", "internal/sandbox", "internal/hostconfig", "internal/doctor", "internal/observability", "internal/reconcile",
		"internal/lazyregexp", "internal/loopback", "internal/sanitize", "internal/startup",
	},
}

func TestImports_Allowed(t *testing.T) {
	t.Parallel()
	// These import no other module, except for those that are listed above.
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
