package tools

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

func accountTools() []Tool {
	return []Tool{
		newTool(client.ToolGetBalance, "Check balance",
			"Reads the wallet's balance in UGX and the cost of one SMS unit. "+
				"Use it when your user asks, after a top-up, or after outcome_unknown. "+
				"Free. It shows no pending top-up.",
			getBalance),
		newTool(client.ToolTopUpWallet, "Top up by Mobile Money",
			"Asks a payer's phone for Mobile Money. Use it only when your user wants it and names payer and amount. "+
				"Real money: the wallet is credited once the payer approves on the phone. "+
				"Accepted is not paid; no call tells the state: compare get_balance. "+
				"Never repeat it unless the result says not_charged.",
			topUpWallet),
	}
}

// BalanceResult is the result of get_balance.
type BalanceResult struct {
	Result
	AffordableUnits int64 `json:"affordable_units,omitempty"` // SMS units that the balance pays for
}

func getBalance(ctx context.Context, inv *invocation, r client.BalanceRequest) (BalanceResult, error) {
	response, err := inv.guard.Balance(ctx, r)
	if err != nil {
		return BalanceResult{}, err
	}
	// The documents show this shape. Any other shape only loses the sentence.
	var parsed struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
	}
	if json.Unmarshal(response.Data, &parsed) != nil || parsed.Balance == nil || parsed.Cost <= 0 {
		return BalanceResult{Result: inv.newResult(response, "The wallet answered.")}, nil
	}
	units := int64(min(max(*parsed.Balance, 0)/parsed.Cost, 1<<53))
	summary := fmt.Sprintf("The wallet holds %s; at %s a unit that pays for %s SMS units.",
		formatUGX(*parsed.Balance), formatUGX(parsed.Cost), sanitize.FormatThousands(units))
	return BalanceResult{inv.newResult(response, summary), units}, nil
}

type topUpArgs struct {
	client.TopUpRequest
	SpendArgs
}

// TopUpResult is the result of topup_wallet.
type TopUpResult struct {
	Result
	BalanceBefore *int64          `json:"balance_before,omitempty"` // UGX; compare it with get_balance
	Confirmed     guard.Confirmed `json:"confirmed,omitempty"`
	Quote         *guard.Quote    `json:"quote,omitempty"` // of a dry run; the result has nothing else then
}

func topUpWallet(ctx context.Context, inv *invocation, r topUpArgs) (TopUpResult, error) {
	receipt, err := inv.guard.TopUp(ctx, r.TopUpRequest, inv.spendOptions(r.SpendArgs))
	switch {
	case err != nil:
		return TopUpResult{}, err
	case receipt.Response == nil:
		return TopUpResult{Result: inv.quoteResult(receipt.Quote), Quote: receipt.Quote}, nil
	}
	balance := receipt.Quote.BalanceUGX // always read before a top-up
	summary := fmt.Sprintf("The payer was asked for UGX %s. This is not paid yet: the wallet held UGX %s before.%s %s",
		sanitize.FormatThousands(r.Amount), sanitize.FormatThousands(balance), confirmedSentence(receipt.Confirmed),
		client.TopUpPending)
	return TopUpResult{
		Result: inv.newResult(receipt.Response, summary), BalanceBefore: &balance, Confirmed: receipt.Confirmed,
	}, nil
}
