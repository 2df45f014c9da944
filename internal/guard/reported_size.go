package guard

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// correctSize records the size and the cost that an accepted send to a group of unknown
// size reports, if the cost is exactly size × units × price, and no other cost in the
// answer is higher. These are the only undocumented fields that lower a reservation.
// corrected is false if nothing was recorded.
func (g *Guard) correctSize(
	ctx context.Context, c spendCall, cost spendCost, d ledger.Decision, response *client.Response,
) (_ spendCost, _ ledger.Decision, corrected bool) {
	if !cost.sizeUnknown {
		return cost, d, false
	}
	count, costUGX, ok := reportedSize(response.Data, c.intent.Units, cost.unitUGX)
	if !ok || costUGX > d.TotalUGX || reportedCost(response, count) > costUGX {
		return cost, d, false
	}
	if err := g.opened().RecordSize(context.WithoutCancel(ctx), d.Spend, count, costUGX); err != nil {
		g.options.Logger.Error("the outcome of a spend could not be recorded at once; trying again",
			"id", d.Spend.ID, "state", ledger.StateSent, "error", err)
	}
	cost.sizeUnknown, cost.recipients, cost.totalUGX = false, count, costUGX
	d.RemainingUGX += d.TotalUGX - costUGX
	d.TotalUGX = costUGX
	return cost, d, true
}

// reportedSize reads the whole numbers count and cost of an answer's data. ok is
// true where cost is exactly count × units × the price.
func reportedSize(data json.RawMessage, units int, unitUGX float64) (count int, costUGX int64, ok bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return 0, 0, false
	}
	count, countErr := strconv.Atoi(string(fields["count"]))
	costUGX, costErr := strconv.ParseInt(string(fields["cost"]), 10, 64)
	isPrice := float64(costUGX) == float64(count)*float64(units)*unitUGX
	return count, costUGX, countErr == nil && costErr == nil && count > 0 && count < 1<<31 && isPrice
}
