package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
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
				costUGX = max(costUGX, amountIn(inner))
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

// amountIn is the amount of a cost: as it is, or in an object with its currency, which
// must be UGX.
func amountIn(value any) (costUGX float64) {
	object, isObject := value.(map[string]any)
	if !isObject {
		return plainNumber(value)
	}
	for name, inner := range object {
		if currency, isText := inner.(string); isText && strings.EqualFold(name, "currency") && !strings.EqualFold(currency, "UGX") {
			return 0
		}
		words := splitWords(name)
		if isCostName(name) || hasWord(words, []string{"amount", "value", "ugx"}) && !hasWord(words, notCostWords) {
			costUGX = max(costUGX, plainNumber(inner))
		}
	}
	return costUGX
}

var (
	costWords = []string{"cost", "charge", "charged", "price"}
	// A total is a cost only where nothing says that it counts something else.
	totalWords = []string{"total", "grand", "sum", "amount", "ugx"}
	// notCostWords are in the names of what is not the cost of the whole call.
	notCostWords = []string{
		"unit", "per", "each", "single", "balance", "wallet", "remaining", "left", "limit", "max", "min", "average", "previou",
		"today", "daily", "day", "month", "monthly", "year", "week", "lifetime", "id", "count", "at", "time", "date", "rate", "percent",
	}
	// joinedCostName matches a name whose words have no border, such as TOTALCOST.
	joinedCostName = lazyregexp.New(`^(total)?(cost|charged?|charges|price)(total)?(ugx)?$`)
)

// isCostName recognises the names of what the whole call cost, such as total_cost and
// amountCharged. A cost of something smaller, such as cost_per_sms, is none.
func isCostName(name string) bool {
	words := splitWords(name)
	switch {
	case len(words) == 0 || hasWord(words, notCostWords):
		return false
	case hasWord(words, costWords), joinedCostName().MatchString(strings.Join(words, "")):
		return true
	}
	isOther := func(word string) bool { return !slices.Contains(totalWords, singular(word)) }
	return hasWord(words, []string{"total"}) && !slices.ContainsFunc(words, isOther)
}

// plainNumberPattern matches an amount in UGX as texts have it: 3500, 3,500.00, UGX 3500, 3,500/=.
var plainNumberPattern = lazyregexp.New(
	`(?i)^(?:ugx|ush|shs?)?\.?\s*(\d{1,3}(?:,\d{3})+|\d{1,16})(\.\d+)?\s*(?:ugx|ush|shs?|/[=-])?$`)

// plainNumber is a number, or a text with an amount; 0 for anything else.
func plainNumber(value any) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case string:
		if match := plainNumberPattern().FindStringSubmatch(strings.TrimSpace(v)); match != nil {
			number, _ := strconv.ParseFloat(strings.ReplaceAll(match[1], ",", "")+match[2], 64) // always matches
			return number
		}
	}
	return 0
}
