package guard

import (
	"flag"
	"os"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// The random histories are fewer than usual, unless they are asked for.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		_ = flag.Set("rapid.checks", "5")
	}
	var postgresArgs []string
	if flag.Lookup("rapid.checks").Value.String() == manyChecks { // they take twice as long there
		postgresArgs = []string{"-rapid.checks=100"}
	}
	if os.Getenv(childEnv) != "" {
		os.Exit(m.Run())
	}
	os.Exit(ledgertest.Run(m, postgresArgs...))
}

// manySteps is how many steps are taken where the random histories are asked for
// with -rapid.checks=400, as before a change is taken in.
const manySteps, manyChecks = 10_000, "400"
