package guard

import (
	"context"
	"fmt"
	"math"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// spendCost is how many recipients a spend reaches and what it costs, as read at
// one moment. Money is in UGX.
type spendCost struct {
	audience    string   // whom it reaches, for a user
	targets     []string // whom it reaches, if not all that the call names
	recipients  int
	sizeUnknown bool            // the group's size could not be read: totalUGX is only reserved
	groupTitle  string          // "" if it is not known
	notes       []string        // about the group
	optOuts     recipientFilter // of the recipients that the call names
	optOutNote  string          // about the do-not-text list
	tooLarge    *Error          // a group of unknown size may be larger than one call may reach
	unitUGX     float64
	totalUGX    int64
	quotedUGX   int64 // with targets: the total for all that the call names
	balanceRead bool
	balanceUGX  int64
}

// readCost reads the size of a group and the price. The price may come from the cache.
func (g *Guard) readCost(ctx context.Context, c spendCall) (spendCost, error) {
	cost := spendCost{audience: c.audience, recipients: c.intent.Recipients}
	var err error
	if c.groupID != "" {
		if cost, err = g.readGroup(ctx, c); err != nil {
			return spendCost{}, err
		}
	}
	// Where the size is not known, it costs at most what the wallet holds. What the
	// wallet held before a top-up shows later whether the payer paid.
	if cost.sizeUnknown || c.intent.Kind == ledger.KindTopUp {
		return g.withBalance(ctx, c, cost)
	}
	if unitUGX, ok := g.keptPrice(c.walletID); ok {
		return g.withPrice(c, cost, unitUGX)
	}
	return g.withBalance(ctx, c, cost)
}

// withBalance completes a cost with the balance and the price as they are now.
func (g *Guard) withBalance(ctx context.Context, c spendCall, cost spendCost) (spendCost, error) {
	if cost.balanceRead { // for this cost, a moment ago
		return cost, nil
	}
	info, err := g.fetchBalance(ctx, c.walletID)
	if err != nil {
		return spendCost{}, err
	}
	cost.balanceRead, cost.balanceUGX = true, info.balanceUGX
	return g.withPrice(c, cost, info.unitCost)
}

// withPrice computes the total. If a group's size is unknown, the total is the wallet's
// balance, and at least the price of one message.
func (g *Guard) withPrice(c spendCall, cost spendCost, unitUGX float64) (spendCost, error) {
	if c.intent.Kind == ledger.KindTopUp {
		cost.totalUGX = c.intent.TotalUGX
		return cost, nil
	}
	cost.unitUGX = unitUGX
	cost.totalUGX = estimateTotal(c.intent.Units, cost.recipients, unitUGX)
	if cost.sizeUnknown {
		cost.totalUGX = max(cost.balanceUGX, estimateTotal(c.intent.Units, 1, unitUGX))
		if maxCount, limitName := g.maxRecipients(); cost.totalUGX > estimateTotal(c.intent.Units, maxCount, unitUGX) {
			cost.tooLarge = NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: the group's size cannot be read, "+
				"and the wallet could pay for more than the %d recipients that one call may reach (%s). "+
				"Send to the numbers themselves with send_sms; only the operator can change the limit.", maxCount, limitName))
		}
	}
	return cost, nil
}

// estimateTotal is whole UGX, rounded up.
func estimateTotal(units, recipients int, unitUGX float64) int64 {
	return int64(math.Ceil(float64(units)*float64(recipients)*unitUGX - 1e-6))
}
