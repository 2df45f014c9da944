package guard

import (
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// Limits are what the operator allows, in UGX; 0 allows nothing.
type Limits = ledger.Limits

// DefaultLimits apply where the operator sets none. Flags, documents and the
// template of the file of variables read them from here.
func DefaultLimits() Limits {
	return Limits{
		PerCall:         50_000,
		PerDay:          100_000,
		TopUp:           500_000,
		Recipients:      1_000,
		ConfirmAbove:    1_000,
		DuplicateWindow: 10 * time.Minute,
	}
}

// DefaultOptions are DefaultLimits with the other defaults, and a ledger in memory.
func DefaultOptions() Options {
	return Options{
		Limits: DefaultLimits(), Confirm: ConfirmAuto, Countries: []string{"256"}, Rate: 10,
		QuietHours: QuietHours{From: 21, Until: 7},
	}
}
