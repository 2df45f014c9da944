package client

import "context"

// BalanceRequest asks for a wallet's balance.
type BalanceRequest struct {
	WalletID string `json:"walletId"`
}

// Balance asks for the wallet's balance, its currency and the cost of one SMS
// unit. It is the one call whose answer the vendor shows: {"wallet_id",
// "balance", "currency", "cost_per_sms"}, money in UGX.
func (c *Client) Balance(ctx context.Context, r BalanceRequest) (*Response, error) {
	return c.do(ctx, endpointGetBalance, r, false)
}

// TopUpRequest asks a payer for money.
type TopUpRequest struct {
	WalletID string `json:"walletId"`
	// Amount in UGX, 500 to 10,000,000.
	Amount int64 `json:"amount"`
	// PhoneNumber of the payer: +256…, 256… or 0….
	PhoneNumber string `json:"phone_number"`
	Description string `json:"description,omitempty"`
}

// TopUp sends a Mobile Money charge to the payer's phone. The wallet is
// credited once the payer has approved it there; no endpoint tells when.
func (c *Client) TopUp(ctx context.Context, r TopUpRequest) (*Response, error) {
	return c.do(ctx, endpointTopUpWallet, r, false)
}
