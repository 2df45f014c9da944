package client

import "context"

// BalanceRequest asks for a wallet's balance.
type BalanceRequest struct {
	WalletID string `json:"walletId"`
}

// Balance reads the wallet's balance, its currency and the cost of one SMS unit.
// The documents show its data: {"wallet_id", "balance", "currency",
// "cost_per_sms"}, money in UGX.
func (c *Client) Balance(ctx context.Context, r BalanceRequest) (*Response, error) {
	return c.do(ctx, endpointGetBalance, r, false)
}

// TopUpRequest asks a payer for money by Mobile Money.
type TopUpRequest struct {
	WalletID string `json:"walletId"`
	// Amount in UGX, 500 to 10,000,000.
	Amount int64 `json:"amount"`
	// PhoneNumber of the payer: +256…, 256… or 0….
	PhoneNumber string `json:"phone_number"`
	Description string `json:"description,omitempty"`
}

// TopUp sends a Mobile Money charge to the payer's phone. The wallet is credited
// when the payer approves it there. No endpoint tells when.
func (c *Client) TopUp(ctx context.Context, r TopUpRequest) (*Response, error) {
	return c.do(ctx, endpointTopUpWallet, r, false)
}
