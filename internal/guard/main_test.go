package guard

import (
	"flag"
	"os"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// TestMain runs fewer random histories than rapid's default, unless -rapid.checks is set.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		_ = flag.Set("rapid.checks", "5")
	}
	var postgresArgs []string
	if flag.Lookup("rapid.checks").Value.String() == manyChecks { // with PostgreSQL they take twice as long
		postgresArgs = []string{"-rapid.checks=100"}
	}
	if os.Getenv(childEnv) != "" {
		os.Exit(m.Run())
	}
	os.Exit(ledgertest.Run(m, postgresArgs...))
}

// With -rapid.checks=400, as before a change is merged, the random histories take at
// least 10,000 steps.
const manySteps, manyChecks = 10_000, "400"
