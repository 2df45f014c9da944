package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

type ledgerCmd struct {
	Show    ledgerShow    `cmd:"" default:"withargs" help:"Show what was spent, and everything whose outcome is not known."`
	Resolve ledgerResolve `cmd:"" help:"Settle an outcome that is not known, after looking at the history and the balance."`
}

type ledgerShow struct {
	JSON  bool          `name:"json" help:"Print JSON."`
	Since time.Duration `help:"How far back (${default})." default:"24h" placeholder:"TIME"`
}

// Run prints the ledger. It holds no text and no whole number.
func (c ledgerShow) Run(ctx context.Context, w world, s *settings) error {
	l, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	spends, err := l.Spends(ctx, time.Now().Add(-c.Since))
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(w.out).Encode(map[string]any{"spends": spends})
	}
	table := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	callers := slices.ContainsFunc(spends, func(s guard.Spend) bool { return s.Caller != "" })
	whose := func(string) string { return "" }
	if callers {
		whose = func(name string) string { return "\t" + name }
	}
	_, _ = fmt.Fprintln(table, "ID\tKAMPALA TIME\tTOOL\tRECIPIENTS\tUNITS\tUGX\tOUTCOME"+whose("CALLER"))
	for _, each := range spends {
		state := each.State
		if each.Code != "" {
			state += " (" + each.Code + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s%s\n", each.ID, each.At.Format("2006-01-02 15:04:05"), each.Tool, each.Recipients, each.Units, each.Total, state, whose(each.Caller))
	}
	return table.Flush()
}

type ledgerResolve struct {
	ID      string `arg:"" help:"The spend's id."`
	Outcome string `arg:"" enum:"sent,failed" help:"What happened: sent or failed."`
}

// Run settles an outcome.
func (c ledgerResolve) Run(ctx context.Context, w world, s *settings) error {
	l, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if err := l.Resolve(ctx, c.ID, c.Outcome); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s is %s.\n", c.ID, c.Outcome)
	return err
}

// open opens the ledger that the server would use.
func (s *settings) open(ctx context.Context) (*guard.Ledger, error) {
	api, err := s.client(s.BaseURL, "", client.Secret{})
	if err != nil {
		return nil, usageError{err}
	}
	path, err := s.ledger(api.BaseURL())
	if err != nil {
		return nil, err
	}
	switch {
	case s.Sandbox:
		return nil, usage("ledger: the embedded sandbox's ledger lives and dies with its own process")
	case path == "":
		return nil, usage("ledger: a ledger in memory can be seen by its own process alone; set WESENDALL_LEDGER=PATH to keep one")
	}
	return guard.OpenLedger(ctx, path)
}
