package main

import (
	"context"
	"fmt"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

type sandboxCmd struct {
	Addr    string `default:"127.0.0.1:8787" help:"Address to listen on; this machine only." placeholder:"HOST:PORT"`
	DB      string `name:"db" help:"Keep the data in this database file, not in memory." placeholder:"FILE"`
	Balance int64  `default:"${balance}" help:"Balance of a new wallet in UGX." placeholder:"UGX"`
}

// Run serves the sandbox and prints the variables that connect to it.
func (c sandboxCmd) Run(ctx context.Context, env environment) error {
	if c.Balance < 0 {
		return usageErrorf("--balance: must not be negative")
	}
	server, err := sandbox.Start(ctx, c.Addr, sandbox.Options{DB: c.DB, Balance: c.Balance, WithSampleGroup: true})
	if err != nil {
		return usageError{err}
	}
	if _, err := fmt.Fprintf(env.stdout, `# Wesendall sandbox: nothing real is sent or charged. Stop it with Ctrl-C.
WESENDALL_BASE_URL=%s
WESENDALL_API_KEY=%s
WESENDALL_API_SECRET=%s
WESENDALL_WALLET_ID=%s
`, server.URL(), sandbox.APIKey, sandbox.APISecret, sandbox.WalletID); err != nil {
		_ = server.Close()
		return err
	}
	<-ctx.Done()
	return server.Close()
}
