package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

type ledgerCmd struct {
	Show    ledgerShowCmd    `cmd:"" default:"withargs" help:"Show what was spent, and everything whose outcome is not known."`
	Resolve ledgerResolveCmd `cmd:"" help:"Settle an outcome that is not known, after looking at the history and the balance."`
}

type ledgerShowCmd struct {
	JSON  bool          `name:"json" help:"Print JSON."`
	Since time.Duration `help:"How far back (${default})." default:"24h" placeholder:"TIME"`
}

// Run prints the ledger. It holds no text and no whole number.
func (c ledgerShowCmd) Run(ctx context.Context, env environment, cfg *config) error {
	store, err := cfg.openLedger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	spends, err := store.ListSpends(ctx, time.Now().Add(-c.Since))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(map[string]any{"spends": spends})
	}
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	showCallers := slices.ContainsFunc(spends, func(s guard.Spend) bool { return s.Caller != "" })
	callerColumn := func(string) string { return "" }
	if showCallers {
		callerColumn = func(name string) string { return "\t" + name }
	}
	_, _ = fmt.Fprintln(table, "ID\tKAMPALA TIME\tTOOL\tRECIPIENTS\tUNITS\tUGX\tOUTCOME"+callerColumn("CALLER"))
	for _, spend := range spends {
		state := spend.State
		if spend.Code != "" {
			state += " (" + spend.Code + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s%s\n", spend.ID, spend.At.Format("2006-01-02 15:04:05"), spend.Tool, spend.Recipients, spend.Units, spend.TotalUGX, state, callerColumn(spend.Caller))
	}
	return table.Flush()
}

type ledgerResolveCmd struct {
	ID      string `arg:"" help:"The spend's id."`
	Outcome string `arg:"" enum:"sent,failed" help:"What happened: sent or failed."`
}

// Run settles an outcome.
func (c ledgerResolveCmd) Run(ctx context.Context, env environment, cfg *config) error {
	store, err := cfg.openLedger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := store.ResolveSpend(ctx, c.ID, c.Outcome); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "%s is %s.\n", c.ID, c.Outcome)
	return err
}

// openLedger opens the ledger that the server would use.
func (cfg *config) openLedger(ctx context.Context) (*guard.Ledger, error) {
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
		return nil, usageErrorf("ledger: the embedded sandbox's ledger lives and dies with its own process")
	case source == "":
		return nil, usageErrorf("ledger: a ledger in memory can be seen by its own process alone; set WESENDALL_LEDGER=PATH to keep one")
	}
	return guard.OpenLedger(ctx, source)
}
