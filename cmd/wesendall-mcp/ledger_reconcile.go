package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/reconcile"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

type ledgerReconcileCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the evidence for each unknown outcome. It changes nothing.
func (c ledgerReconcileCmd) Run(ctx context.Context, env environment, cfg *Config) error {
	creds, err := cfg.loadCredentials(env)
	if err != nil {
		return err
	}
	switch {
	case creds.problem != "":
		return errors.New("the history cannot be read: " + creds.problem)
	case creds.wallet == "":
		return errors.New("the history cannot be read: set " + envWalletID)
	}
	api, err := cfg.newClient(cfg.BaseURL, creds.key, creds.secret)
	if err != nil {
		return usageError{err}
	}
	store, err := cfg.openLedger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close(ctx) }()
	report, err := reconcile.Run(ctx, reconcile.Options{
		API: api, Ledger: store, BaseURL: api.BaseURL(), WalletID: creds.wallet,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(report)
	}
	return printReport(env.stdout, report)
}

func printReport(w io.Writer, report reconcile.Report) error {
	if len(report.Spends) == 0 {
		_, err := fmt.Fprintln(w, "No outcome is unknown.")
		return err
	}
	for i, f := range report.Spends {
		if i > 0 {
			_, _ = fmt.Fprintln(w)
		}
		_, _ = fmt.Fprintf(w, "%s: %s of %s, UGX %s\n", f.ID, f.Tool, f.At.Format(time.RFC3339),
			sanitize.FormatThousands(f.TotalUGX))
		_, _ = fmt.Fprintf(w, "  balance: %s before, %s now\n", formatBalance(f.BalanceBeforeUGX), formatBalance(report.BalanceUGX))
		_, _ = fmt.Fprintf(w, "  history: %s\n", f.Summary)
		for _, m := range f.Matches {
			at := "no time"
			if m.At != nil {
				at = m.At.Format(time.RFC3339)
			}
			_, _ = fmt.Fprintf(w, "    %s %s %s\n", at, m.Phone, m.Status)
		}
		if more := f.MatchCount - len(f.Matches); more > 0 {
			_, _ = fmt.Fprintf(w, "    and %d more\n", more)
		}
		if f.Suggestion != "" {
			_, _ = fmt.Fprintf(w, "  suggestion: wesendall-mcp ledger resolve %s %s\n", f.ID, f.Suggestion)
		}
	}
	_, err := fmt.Fprintln(w, "\nOther sends and programs change the balance, too. You decide what happened.")
	return err
}

func formatBalance(balanceUGX *int64) string {
	if balanceUGX == nil {
		return "not known"
	}
	return "UGX " + sanitize.FormatThousands(*balanceUGX)
}
