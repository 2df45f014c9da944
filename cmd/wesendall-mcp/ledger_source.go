package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// ledgerSource returns the ledger's file or PostgreSQL URL; "" means in memory. The ledger of
// the built-in sandbox is always in memory, so that its money is never mixed with real
// money. Base URLs that mean the same have the same ledger.
func (cfg *Config) ledgerSource(baseURL string) (string, error) {
	switch {
	case cfg.Ledger == "memory", cfg.Sandbox:
		return "", nil
	case ledger.IsPostgresURL(cfg.Ledger):
		return cfg.Ledger, nil
	case cfg.Ledger != "":
		return ledgerPath(cfg.Ledger, xdg.Home)
	}
	if !filepath.IsAbs(xdg.StateHome) { // as without HOME
		return "", usageErrorf("--ledger: your home folder is not known, so set WESENDALL_LEDGER to the absolute path of a file")
	}
	name := "ledger.db"
	if canonical := client.CanonicalBaseURL(baseURL); canonical != client.DefaultBaseURL {
		u, err := url.Parse(canonical)
		if err != nil {
			return "", err
		}
		name = "ledger-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host) + ".db"
	}
	return filepath.Join(xdg.StateHome, "wesendall-mcp", name), nil
}

// ledgerPath returns the path of a ledger that was set. A path that depends on the working
// directory, or that a shell would have to expand, is refused: two processes would have two
// ledgers, and twice the budget. No error shows the value, which may contain a password.
func ledgerPath(value, home string) (string, error) {
	const absolute = "write the absolute path of a file, or ~/ and a path in your home folder"
	path := value
	inHome := strings.HasPrefix(value, "~/") || strings.HasPrefix(value, `~`+string(filepath.Separator))
	if inHome {
		path = filepath.Join(home, value[2:])
	}
	switch {
	case !filepath.IsAbs(path) && looksLikeMemory(value):
		return "", usageErrorf("--ledger: write memory, in lower case and without quotes, " +
			"for a ledger that is lost when this process ends")
	case !inHome && looksLikeDatabaseURL(value):
		return "", usageErrorf("--ledger: this looks like a database: write it as postgres://USER@HOST/DATABASE, "+
			"without quotes. For a file %s", absolute)
	case unexpandedPattern().MatchString(value):
		return "", usageErrorf("--ledger: $NAME and %%NAME%% are not expanded here: %s", absolute)
	case inHome && !filepath.IsAbs(home):
		return "", usageErrorf("--ledger: your home folder is not known: write the absolute path of a file")
	case !filepath.IsAbs(path):
		return "", usageErrorf("--ledger: the path depends on the folder in which this program runs, or on a shell: %s", absolute)
	case os.IsPathSeparator(value[len(value)-1]):
		return "", usageErrorf("--ledger: the path ends in a slash, so it names a folder: %s", absolute)
	}
	return filepath.Clean(path), nil
}

// unexpandedPattern matches $NAME, ${NAME}, $(command) and %NAME%.
var unexpandedPattern = lazyregexp.New(`\$[A-Za-z_{(]|%[A-Za-z_][A-Za-z0-9_()]*%`)

// looksLikeMemory tells whether a value that is not a path probably means memory.
func looksLikeMemory(value string) bool {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(value))
	return slices.Contains([]string{"memory", "inmemory", "mem", "filememory", "sqlitememory"}, letters) ||
		strings.Contains(value, ":memory:")
}

// databaseURLPattern matches the start of a URL, a list of connection parameters, and either of
// them in quotes.
var databaseURLPattern = lazyregexp.New(
	`(?i)^[\s"']|://|^[a-z][a-z0-9+.-]+\s*:|^postgres(ql)?\s*/|` +
		`(^|[\s;])(pg)?(host|hostaddr|port|user|password|dbname|service)\s*=`)

// looksLikeDatabaseURL tells whether a value is a mistyped database and not a file. It may
// contain a password, so it must not be used as a file name or shown.
func looksLikeDatabaseURL(value string) bool {
	isPath := filepath.IsAbs(value) || strings.HasPrefix(value, ".")
	isDatabase := databaseURLPattern().MatchString(value) || !isPath && strings.Contains(value, "@")
	return isDatabase && !ledger.IsPostgresURL(value)
}
