package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

// IsPostgresURL reports whether a ledger's source is a PostgreSQL database, which
// several machines may share.
func IsPostgresURL(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://")
}

// parsePostgresConfig reads a URL. No error quotes it, because it may contain a
// password.
func parsePostgresConfig(source string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(source)
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("a file that the URL names cannot be read: %w", pathErr)
	}
	if err != nil {
		return nil, errors.New("this is not the URL of a PostgreSQL database, " +
			"which looks like postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	c := config.ConnConfig
	if !requiresTLS(&c.Config) && !sslModeDisabled(source) {
		return nil, errors.New("the database is on another machine and the URL does not ask for TLS: " +
			"add sslmode=verify-full to it, or sslmode=disable if the network between is trusted")
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > lockTimeout/2 {
		c.ConnectTimeout = lockTimeout / 2
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "wesendall-mcp"
	}
	return config, nil
}

// requiresTLS reports whether nothing goes over a network unencrypted, whichever
// host of the URL the connection uses.
func requiresTLS(c *pgconn.Config) bool {
	plaintext := c.TLSConfig == nil && !isLocalHost(c.Host)
	for _, fallback := range c.Fallbacks {
		plaintext = plaintext || fallback.TLSConfig == nil && !isLocalHost(fallback.Host)
	}
	return !plaintext
}

// isLocalHost reports whether a host is this machine. A host that begins with / or @
// is a Unix socket.
func isLocalHost(host string) bool {
	return loopback.IsHost(host) || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@")
}

func sslModeDisabled(source string) bool {
	_, query, _ := strings.Cut(source, "?")
	values, err := url.ParseQuery(query)
	if err == nil && values.Get("sslmode") != "" {
		return values.Get("sslmode") == "disable"
	}
	return os.Getenv("PGSSLMODE") == "disable"
}

// RedactSource returns a ledger's source without the passwords that a URL may have.
func RedactSource(source string) string {
	if !IsPostgresURL(source) {
		return source
	}
	u, err := url.Parse(source)
	// A URL of several hosts, or a password with a slash.
	if err != nil || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return "postgres://[redacted]"
	}
	u.RawQuery, u.Fragment = "", "" // which may have a password, too
	return u.Redacted()
}
