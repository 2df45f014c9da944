package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// raiseToReported records the cost that Wesendall reports for an accepted send, if it is
// more than was reserved. No document describes such a field, so it never lowers a total. It
// returns the decision with the new total, and a sentence about it ("" for none).
func (g *Guard) raiseToReported(
	ctx context.Context, c spendCall, cost spendCost, d ledger.Decision, response *client.Response,
) (ledger.Decision, string) {
	reportedUGX := reportedCost(response, cost.recipients)
	if c.intent.Kind != ledger.KindSend || reportedUGX <= d.TotalUGX {
		return d, ""
	}
	g.invalidatePrice(c.walletID)
	if err := g.opened().RaiseTotal(context.WithoutCancel(ctx), d.Spend, reportedUGX); err != nil {
		g.options.Logger.Error("the higher cost of a spend could not be recorded at once; trying again",
			"id", d.Spend.ID, "error", err)
	}
	note := fmt.Sprintf("Wesendall reports a cost of UGX %s, more than the expected UGX %s. The ledger and today's budget "+
		"have the higher one, and the price is read again before the next send. Tell your user.",
		sanitize.FormatThousands(reportedUGX), sanitize.FormatThousands(d.TotalUGX))
	d.RemainingUGX = max(d.RemainingUGX-(reportedUGX-d.TotalUGX), 0)
	d.TotalUGX = reportedUGX
	return d, note
}

// reportedCost is the highest cost in UGX, rounded up, that an answer reports for
// the whole call; 0 if it reports none.
func reportedCost(response *client.Response, recipients int) int64 {
	var data any
	if json.Unmarshal(response.Data, &data) != nil {
		return 0
	}
	meta := map[string]any{}
	for name, raw := range response.Meta {
		var value any
		if json.Unmarshal(raw, &value) == nil {
			meta[name] = value
		}
	}
	costUGX := max(costIn(data, recipients, 2), costIn(meta, recipients, 1))
	if costUGX > 1<<52 { // no sum of money
		return 0
	}
	return int64(math.Ceil(costUGX - 1e-6))
}

// costIn is the highest cost that a value reports: in an object, in the objects in
// it to the given depth, and as the sum of a list with an entry for each recipient.
func costIn(value any, recipients, depth int) (costUGX float64) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if isCostName(name) {
				costUGX = max(costUGX, plainNumber(inner))
			} else if depth > 0 {
				costUGX = max(costUGX, costIn(inner, recipients, depth-1))
			}
		}
	case []any:
		if len(v) != recipients {
			return 0
		}
		for _, entry := range v {
			costUGX += costIn(entry, 0, 0)
		}
	}
	return costUGX
}

// isCostName recognises cost and total_cost in any case, and the same with the
// currency. A cost of something smaller, such as cost_per_sms, is none.
func isCostName(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
	name = strings.TrimSuffix(name, "ugx")
	return name == "cost" || name == "totalcost" || name == "costtotal"
}

var plainNumberPattern = regexp.MustCompile(`^\d{1,16}(\.\d+)?$`)

// plainNumber is a number, or a text of digits; 0 for anything else.
func plainNumber(value any) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case string:
		if text := strings.TrimSpace(v); plainNumberPattern.MatchString(text) {
			number, _ := strconv.ParseFloat(text, 64) // always matches
			return number
		}
	}
	return 0
}
