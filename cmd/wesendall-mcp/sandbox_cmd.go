package main

import (
	"context"
	"fmt"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

type sandboxCmd struct {
	Addr    string `default:"127.0.0.1:8787" help:"Where to listen, on this machine alone." placeholder:"HOST:PORT"`
	DB      string `name:"db" help:"Keep everything in this database file instead of in memory." placeholder:"FILE"`
	Balance int64  `default:"5000" help:"What a new wallet holds, in UGX." placeholder:"UGX"`
}

// Run serves the stand-in API, and prints what an --env-file needs.
func (c sandboxCmd) Run(ctx context.Context, env environment) error {
	if c.Balance < 0 {
		return usageErrorf("--balance: must not be negative")
	}
	server, err := sandbox.Start(ctx, c.Addr, sandbox.Options{DB: c.DB, Balance: c.Balance, WithSampleGroup: true})
	if err != nil {
		return usageError{err}
	}
	if _, err := fmt.Fprintf(env.stdout, `# Wesendall's stand-in; nothing real is sent or charged. Stop it with Ctrl-C.
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
