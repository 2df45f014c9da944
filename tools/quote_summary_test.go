package tools

import (
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// The summary of a quote has its price and its verdict in one sentence.
func TestQuoteSummary(t *testing.T) {
	t.Parallel()
	needs := &guard.ConfirmationNeed{Reason: "it costs more than UGX 1,000"}
	refusal := &guard.ExpectedRefusal{Code: guard.CodeLimitExceeded, Reason: "it takes UGX 700, and UGX 350 are left"}
	for want, q := range map[string]guard.Quote{
		"It would cost about UGX 35 for 1 recipient (1 unit each), and the call needs no confirmation.": {
			Units: 1, Recipients: 1, NumbersListed: 1, TotalUGX: 35,
		},
		"It would cost about UGX 1,400 for 20 recipients (2 units each), " +
			"and your user must agree first, because it costs more than UGX 1,000.": {
			Units: 2, Recipients: 20, NumbersListed: 20, TotalUGX: 1400, NeedsConfirmation: needs,
		},
		"It would cost about UGX 700 for 20 recipients (1 unit each), " +
			"but the call would be refused as limit_exceeded: it takes UGX 700, and UGX 350 are left.": {
			Units: 1, Recipients: 20, NumbersListed: 20, TotalUGX: 700, WouldRefuse: refusal, NeedsConfirmation: needs,
		},
		"It would cost about UGX 2,100 for 60 recipients (1 unit each), and the call needs no confirmation. " +
			"Only the first 50 of the 60 numbers are listed.": {
			Units: 1, Recipients: 60, NumbersListed: 50, TotalUGX: 2100,
		},
		"The price is not known, because the group's size cannot be read; the call reserves UGX 9,000 of today's budget, " +
			"all that the wallet holds (1 unit each), and the call needs no confirmation.": {
			Units: 1, Group: &guard.QuotedGroup{ID: "g7"}, ReservedUGX: 9000,
		},
		"It would cost about UGX 105 for 3 recipients (1 unit each), and the call needs no confirmation.": {
			Units: 1, Recipients: 3, Group: &guard.QuotedGroup{ID: "g7"}, TotalUGX: 105,
		},
		"It would cost about UGX 35 for 1 recipient (1 unit each), " +
			"but nothing can be sent until the refused numbers are fixed.": {
			Units: 1, Recipients: 1, NumbersListed: 1, TotalUGX: 35, Rejected: []guard.RejectedNumber{{Input: "12"}},
		},
		"The payer would be asked for UGX 5,000, and your user must agree first, because it asks somebody for money.": {
			PhoneNumber: "+256700000010", TotalUGX: 5000,
			NeedsConfirmation: &guard.ConfirmationNeed{Reason: "it asks somebody for money"},
		},
	} {
		if got := quoteSummary(&q); got != "A quote: nothing was sent. "+want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
