package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// balanceInfo is what the balance call answers, as far as it is documented.
type balanceInfo struct {
	balanceUGX int64
	unitCost   float64 // UGX for an SMS unit
}

// The range of accepted prices, in UGX for an SMS unit. The list price is 35. A price
// outside of it is in another currency, or wrong.
const (
	minUnitCost = 1
	maxUnitCost = 10_000
)

// fetchBalance reads the balance and the price for a spend.
func (g *Guard) fetchBalance(ctx context.Context, walletID string) (balanceInfo, error) {
	response, err := callRateLimited(ctx, g, g.api.Balance, client.BalanceRequest{WalletID: walletID})
	if err != nil {
		e := *toError(err)
		if e.HTTPStatus == http.StatusUnauthorized || e.HTTPStatus == http.StatusForbidden {
			g.invalidateWallet(walletID)
		}
		e.Message = "Nothing was sent: the price could not be read. " + e.Message
		return balanceInfo{}, &e
	}
	return g.parseAndCachePrice(walletID, response)
}

// parseAndCachePrice reads the response of a balance call, and caches its price if a spend
// may use it.
func (g *Guard) parseAndCachePrice(walletID string, response *client.Response) (balanceInfo, error) {
	info, err := g.readBalance(walletID, response.Data)
	if err != nil {
		g.invalidateWallet(walletID)
		return balanceInfo{}, err
	}
	g.cachePriceAndAccess(walletID, info.unitCost)
	return info, nil
}

// readBalance reads the data of a balance call. It refuses what no spend should be
// based on: another wallet, another currency, and a price that cannot be right.
func (g *Guard) readBalance(walletID string, data json.RawMessage) (balanceInfo, error) {
	refuse := func(format string, args ...any) (balanceInfo, error) {
		return balanceInfo{}, NewError(CodeBadResponse, "Nothing was sent: the balance call "+fmt.Sprintf(format, args...))
	}
	const noPrice = "does not say what a unit costs, so the price cannot be known."
	var fields map[string]json.RawMessage // by exact name, unlike the fields of a struct
	if json.Unmarshal(data, &fields) != nil {
		return refuse(noPrice)
	}
	if told, ok := scalarText(fields["wallet_id"]); ok && told != walletID {
		shown, asked := sanitize.Truncate(told, maxQuotedRunes), sanitize.Truncate(walletID, maxQuotedRunes)
		// A caller's wallet under another spelling would have a budget of its own.
		if g.callerID != "" && strings.EqualFold(strings.TrimSpace(told), strings.TrimSpace(walletID)) {
			return balanceInfo{}, NewError(CodeInvalidArguments,
				fmt.Sprintf("Nothing was sent: the wallet is spelled %q, not %q.", shown, asked))
		}
		return refuse("is about the wallet %q, not %q. The operator must check WESENDALL_WALLET_ID and the credentials.",
			shown, asked)
	}
	if told, ok := scalarText(fields["currency"]); ok && !strings.EqualFold(strings.TrimSpace(told), "UGX") {
		return refuse("answers in the currency %q. Prices and limits here are in UGX.", sanitize.Truncate(told, maxQuotedRunes))
	}
	balance, hasBalance := jsonNumber(fields["balance"])
	cost, hasCost := jsonNumber(fields["cost_per_sms"])
	switch {
	case !hasBalance || !hasCost || math.Abs(balance) > 1<<52:
		return refuse(noPrice)
	case cost < minUnitCost || cost > maxUnitCost:
		return refuse("says that a unit costs UGX %g. A price below UGX %d or above UGX %s is not believed. "+
			"The user can ask Wesendall about it.", cost, minUnitCost, sanitize.FormatThousands(maxUnitCost))
	}
	return balanceInfo{balanceUGX: int64(math.Floor(balance)), unitCost: cost}, nil
}

// scalarText is the text of a JSON string, or how any other value is written. It
// reports false for a value that is missing or null.
func scalarText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	return string(raw), true
}

// jsonNumber reads a JSON number, and nothing else.
func jsonNumber(raw json.RawMessage) (float64, bool) {
	var number *float64
	if json.Unmarshal(raw, &number) != nil || number == nil {
		return 0, false
	}
	return *number, true
}
