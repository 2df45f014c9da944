package tools

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

// Balance is the result of get_balance.
type Balance struct {
	Result
	AffordableUnits int64 `json:"affordable_units,omitempty"` // SMS units that the balance pays for
}

func balance() Tool {
	return define("get_balance", "Check balance",
		"The wallet's balance in UGX and the cost of one SMS unit. Free. Use it before a send, to know the price, and after one whose outcome is unknown.",
		func(ctx context.Context, c *call, r client.BalanceRequest) (Balance, error) {
			response, err := c.guard.Balance(ctx, r)
			if err != nil {
				return Balance{}, err
			}
			// The one answer that the vendor shows; another shape only loses the sentence.
			var known struct {
				Balance *float64 `json:"balance"`
				Cost    float64  `json:"cost_per_sms"`
			}
			if json.Unmarshal(response.Data, &known) != nil || known.Balance == nil || known.Cost <= 0 {
				return Balance{Result: c.result(response, "The wallet answered.")}, nil
			}
			units := int64(min(max(*known.Balance, 0)/known.Cost, 1<<53))
			summary := fmt.Sprintf("The wallet holds UGX %.10g; at UGX %.10g a unit that pays for %d SMS units.", *known.Balance, known.Cost, units)
			return Balance{c.result(response, summary), units}, nil
		})
}

// TopUp is the result of topup_wallet.
type TopUp struct {
	Result
	Quote *guard.Quote `json:"quote,omitempty"` // of a dry run, instead of all else
}

func topUp() Tool {
	return define("topup_wallet", "Top up by Mobile Money",
		"Asks a payer's phone for real money (Mobile Money). The wallet is credited only once the payer approves on the phone: accepted is not paid. No call tells when; compare get_balance after a minute. Ask your user first. Never repeat it unless the result says nothing was charged.",
		func(ctx context.Context, c *call, r struct {
			client.TopUpRequest
			Spend
		}) (TopUp, error) {
			receipt, err := c.guard.TopUp(ctx, r.TopUpRequest, c.how(r.Spend))
			switch {
			case err != nil:
				return TopUp{}, err
			case receipt.Response == nil:
				result, quote := c.quoted(receipt.Quote)
				return TopUp{result, quote}, nil
			}
			summary := fmt.Sprintf("The payer was asked for UGX %d. The wallet is credited once the payer approves on the phone.", r.Amount)
			return TopUp{Result: c.result(receipt.Response, summary)}, nil
		})
}
