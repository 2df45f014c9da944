package ledger

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A database on another machine needs TLS, unless the URL says otherwise.
func TestConfig_TLSRequired(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		"postgres://u:pw@db.internal/l?sslmode=verify-full":                 true,
		"postgresql://u:pw@db.internal/l?sslmode=require":                   true,
		"postgres://u:pw@10.0.0.5,10.0.0.6:5433/l?sslmode=verify-full":      true,
		"postgres://u:pw@db.internal/l?sslmode=disable":                     true, // the operator decides
		"postgres://u:pw@db.internal/l":                                     false,
		"postgres://u:pw@db.internal/l?sslmode=prefer":                      false,
		"postgres://u:pw@db.internal/l?sslmode=allow":                       false,
		"postgres://u:pw@127.0.0.1,db.internal/l":                           false,
		"postgres://u:pw@/l?host=db.internal":                               false,
		"postgres://u:pw@127.0.0.1/l":                                       true,
		"postgres://u:pw@[::1]/l":                                           true,
		"postgres://u:pw@localhost:5433/l":                                  true,
		"postgres://u:pw@/l?host=/run/postgresql":                           true,
		"postgres://u:pw@db.internal:port/l?sslmode=verify-full":            false,
		"postgres://u:pw@db.internal/l?sslmode=very":                        false,
		"postgres://u:pw@db.internal/l?sslrootcert=/nope&sslmode=verify-ca": false,
	} {
		_, err := parsePostgresConfig(source)
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// secretURLs have the password s3cret in each place of a URL where one can be.
var secretURLs = []string{
	"postgres://u:s3cret@127.0.0.1:1/l",
	"postgresql://u@127.0.0.1:1/l?password=s3cret",
	"postgres://u:s3cret@127.0.0.1:1,127.0.0.1:2/l",
	"postgres://u:s3cret@127.0.0.1:port/l",
	"postgres://u:a%zzs3cret@127.0.0.1/l",
	"postgres://127.0.0.1:1/l?user=u&sslpassword=s3cret&sslmode=disable",
	"postgres://u:x@y:s3cret@127.0.0.1:1/l",
	"postgres://u:s3cret@db.internal/l",
	"postgres://u@127.0.0.1:1/l?pass%77ord=s3cret",
	"postgres://u:s3cret/x@127.0.0.1:1/l",
}

func TestRedact_Password(t *testing.T) {
	t.Parallel()
	for _, source := range secretURLs {
		_, err := Open(t.Context(), source, Options{})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", source, err)
		}
		if raw := RedactSource(source); strings.Contains(raw, "s3cret") || !strings.HasPrefix(raw, "postgres") {
			t.Errorf("%s: %s", source, raw)
		}
	}
	for source, want := range map[string]string{
		"/var/lib/ledger.db": "/var/lib/ledger.db", "memory": "memory", "": "",
		"postgres://u:pw@db.internal:5432/l?sslmode=require": "postgres://u:xxxxx@db.internal:5432/l",
		"postgres://db/l": "postgres://db/l",
	} {
		if got := RedactSource(source); got != want {
			t.Errorf("%s: %s", source, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, source := range secretURLs {
		f.Add(strings.ReplaceAll(source, "s3cret", "%s"))
	}
	f.Fuzz(func(t *testing.T, source string) {
		before, after, ok := strings.Cut(source, "%s")
		config, err := pgconn.ParseConfig(before + "s3cret" + after)
		if !ok || err != nil || config.Password != "s3cret" || strings.Contains(before+after, "s3cret") ||
			!IsPostgresURL(source) {
			t.Skip() // the driver does not see a password there
		}
		if raw := RedactSource(before + "s3cret" + after); strings.Contains(raw, "s3cret") {
			t.Errorf("%q: %q", source, raw)
		}
	})
}
