package main

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/adrg/xdg"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// ledgerSource returns the ledger's file or PostgreSQL URL; "" means in memory. The ledger of
// the built-in sandbox is always in memory, so that its money is never mixed with real
// money.
func (cfg *Config) ledgerSource(baseURL string) (string, error) {
	switch {
	case cfg.Ledger == "memory", cfg.Sandbox:
		return "", nil
	case ledger.IsPostgresURL(cfg.Ledger):
		return cfg.Ledger, nil
	case looksLikeDatabaseURL(cfg.Ledger):
		return "", usageErrorf("--ledger: this looks like a database: write it as postgres://USER@HOST/DATABASE, " +
			"without quotes. A file with such a name is ./NAME")
	case cfg.Ledger != "":
		return cfg.Ledger, nil
	}
	name := "ledger.db"
	if baseURL != client.DefaultBaseURL {
		u, err := url.Parse(baseURL)
		if err != nil {
			return "", err
		}
		name = "ledger-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host) + ".db"
	}
	return filepath.Join(xdg.StateHome, "wesendall-mcp", name), nil
}

// databaseURLPattern matches the start of a URL, a list of connection parameters, and either of
// them in quotes.
var databaseURLPattern = regexp.MustCompile(
	`(?i)^[\s"']|://|^[a-z][a-z0-9+.-]+\s*:|^postgres(ql)?\s*/|` +
		`(^|[\s;])(pg)?(host|hostaddr|port|user|password|dbname|service)\s*=`)

// looksLikeDatabaseURL tells whether a value is a mistyped database and not a file. It may
// contain a password, so it must not be used as a file name or shown.
func looksLikeDatabaseURL(value string) bool {
	isPath := filepath.IsAbs(value) || strings.HasPrefix(value, ".")
	isDatabase := databaseURLPattern.MatchString(value) || !isPath && strings.Contains(value, "@")
	return isDatabase && !ledger.IsPostgresURL(value)
}
