package doctor

import (
	"context"
	"fmt"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// checkLedger opens the ledger, writes to it and removes what it wrote.
func (o Options) checkLedger(ctx context.Context) []Finding {
	if o.Ledger == "" {
		return []Finding{ok("ledger", "in memory: it is lost when the server ends")}
	}
	location := ledger.RedactSource(o.Ledger)
	unusable := func(err error) Finding {
		f := failure("ledger", location+": "+err.Error(), ledger.FixFor(err)+"; until then nothing is sent")
		if o.ReadOnly {
			f.Status = StatusWarning
		}
		return f
	}
	l, err := ledger.Open(ctx, o.Ledger, ledger.Options{})
	if err != nil {
		return []Finding{unusable(err)}
	}
	defer func() { _ = l.Close(ctx) }()
	if err := l.CheckWritable(ctx); err != nil {
		return []Finding{unusable(err)}
	}
	findings := o.describeLedgerFile(location)
	spends, err := l.List(ctx, o.Now())
	if err != nil {
		return append(findings, unusable(err))
	}
	unknown := 0
	for _, spend := range spends {
		if spend.State == ledger.StateUnknown {
			unknown++
		}
	}
	if unknown > 0 {
		findings = append(findings, warning("ledger",
			fmt.Sprintf("unknown outcomes: %d; they use part of the budget", unknown),
			"look at wesendall-mcp ledger reconcile, then run wesendall-mcp ledger resolve ID sent|failed"))
	}
	return findings
}

// describeLedgerFile names the ledger's file and its owner, and warns of who else can use it.
func (o Options) describeLedgerFile(location string) []Finding {
	text := location + " can be written"
	if ledger.IsPostgresURL(o.Ledger) {
		return []Finding{ok("ledger", text)}
	}
	info, err := ledger.InspectFile(o.Ledger)
	if err == nil && info.Owner != "" {
		text += fmt.Sprintf("; it belongs to %s (mode %04o)", info.Owner, info.Mode)
	}
	findings := []Finding{ok("ledger", text)}
	for _, problem := range info.Warnings {
		findings = append(findings, warning("ledger", location+": "+problem, ""))
	}
	return findings
}
