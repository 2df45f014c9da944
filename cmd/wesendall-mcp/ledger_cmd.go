package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

type ledgerCmd struct {
	Show      ledgerShowCmd      `cmd:"" default:"withargs" help:"Show what was spent, and every unknown outcome."`
	Reconcile ledgerReconcileCmd `cmd:"" help:"Look for unknown outcomes in Wesendall's history and balance. Changes nothing."`
	Resolve   ledgerResolveCmd   `cmd:"" help:"Record an unknown outcome. Look at the evidence first: ledger reconcile."`
}

type ledgerShowCmd struct {
	JSON  bool          `name:"json" help:"Print JSON."`
	Since time.Duration `help:"How far back to look." default:"24h" placeholder:"TIME"`
}

// Run prints the ledger. It contains no message and no whole phone number.
func (c ledgerShowCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	store, err := cfg.openLedger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(ctx) }()
	spends, err := store.List(ctx, time.Now().Add(-c.Since))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(map[string]any{"spends": spends})
	}
	return printSpends(env, spends)
}

// printSpends prints a table. It has the column CALLER only if a spend has a caller.
func printSpends(env environment, spends []ledger.Spend) error {
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	callerColumn := func(string) string { return "" }
	if slices.ContainsFunc(spends, func(s ledger.Spend) bool { return s.Caller != "" }) {
		callerColumn = func(name string) string { return "\t" + name }
	}
	_, _ = fmt.Fprintln(table, "ID\tKAMPALA TIME\tTOOL\tRECIPIENTS\tUNITS\tUGX\tOUTCOME"+callerColumn("CALLER"))
	for _, s := range spends {
		state := string(s.State)
		if s.Code != "" {
			state += " (" + s.Code + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s%s\n", s.ID, s.At.Format(time.DateTime),
			s.Tool, s.Recipients, s.Units, s.TotalUGX, state, callerColumn(s.Caller))
	}
	return table.Flush()
}

// openLedger opens the ledger that the server would use.
func (cfg *Config) openLedger(ctx context.Context) (*ledger.Ledger, error) {
	api, err := cfg.newClient(cfg.BaseURL, "", client.Secret{})
	if err != nil {
		return nil, usageError{err}
	}
	source, err := cfg.ledgerSource(api.BaseURL())
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Sandbox:
		return nil, usageErrorf("ledger: with --sandbox the ledger exists only inside the process that sends")
	case source == "":
		return nil, usageErrorf("ledger: a ledger in memory exists only inside the process that sends; " +
			"set WESENDALL_LEDGER=PATH to keep one")
	}
	return ledger.Open(ctx, source, ledger.Options{})
}
