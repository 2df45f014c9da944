package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

type ledgerResolveCmd struct {
	ID      string `arg:"" help:"ID of the spend."`
	Outcome string `arg:"" enum:"sent,failed" help:"What happened: sent or failed."`
	Yes     bool   `help:"Do not ask on a terminal."`
}

// Run records an outcome. On a terminal it asks first, to prevent a mistake. That does not
// stop a program that controls the terminal.
func (c ledgerResolveCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	store, err := cfg.openLedger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(ctx) }()
	open, err := store.ListOpen(ctx)
	if err != nil {
		return err
	}
	// The ledger refuses to settle a spend that is not open.
	i := slices.IndexFunc(open, func(s ledger.OpenSpend) bool { return s.ID == c.ID })
	if i >= 0 && !c.Yes && env.hasUser() {
		agreed, err := env.askYesNo(c.question(open[i]))
		if err == nil && !agreed {
			err = errors.New("nothing was changed")
		}
		if err != nil {
			return err
		}
	}
	if err := store.Resolve(ctx, c.ID, ledger.State(c.Outcome)); err != nil {
		return err
	}
	state := ledger.State(c.Outcome)
	if i >= 0 && state == ledger.StateSent {
		state = open[i].Kind.AcceptedState()
	}
	_, err = fmt.Fprintf(env.stdout, "%s is %s.\n", c.ID, state)
	return err
}

// question names the spend and the effect on the budget.
func (c ledgerResolveCmd) question(s ledger.OpenSpend) string {
	what := fmt.Sprintf("%s of %s", s.Tool, s.At.Format(time.RFC3339))
	if s.Recipients > 0 {
		what += " to " + sanitize.Pluralize(s.Recipients, "recipient")
	}
	total := "UGX " + sanitize.FormatThousands(s.TotalUGX)
	if ledger.State(c.Outcome) == ledger.StateFailed {
		return fmt.Sprintf("Record %s as failed? %s go back to the budget of that day, and the same can be sent again "+
			"without confirmation, although the first may still arrive.", what, total)
	}
	return fmt.Sprintf("Record %s as %s? %s stay in the budget of that day.", what, s.Kind.AcceptedState(), total)
}
