package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// spendCost is how many recipients a spend reaches and what it costs, as read at
// one moment. Money is in UGX.
type spendCost struct {
	audience    string // whom it reaches, for a user
	recipients  int
	sizeUnknown bool     // the group's size could not be read
	notes       []string // about the group
	unitUGX     float64
	totalUGX    int64
	balanceRead bool
	balanceUGX  int64
}

// readCost reads the group's size, if it is a group, and the price as it was last
// told.
func (g *Guard) readCost(ctx context.Context, c spendCall) (spendCost, error) {
	cost := spendCost{audience: c.audience, recipients: c.intent.Recipients}
	if c.groupID != "" {
		var err error
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

// withPrice computes the total. Where nobody knows how many it reaches, that is
// all that the wallet holds.
func (g *Guard) withPrice(c spendCall, cost spendCost, unitUGX float64) (spendCost, error) {
	if c.intent.Kind == ledger.KindTopUp {
		cost.totalUGX = c.intent.TotalUGX
		return cost, nil
	}
	cost.unitUGX = unitUGX
	cost.totalUGX = estimateTotal(c.intent.Units, cost.recipients, unitUGX)
	if cost.sizeUnknown {
		cost.totalUGX = max(cost.balanceUGX, 0)
		if maxCount, limitName := g.maxRecipients(); cost.totalUGX > estimateTotal(c.intent.Units, maxCount, unitUGX) {
			return spendCost{}, NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: the group's size cannot be read, "+
				"and the wallet could pay for more than the %d recipients that one call may reach (%s). "+
				"Only the operator can change it.", maxCount, limitName))
		}
	}
	return cost, nil
}

// estimateTotal is whole UGX, rounded up.
func estimateTotal(units, recipients int, unitUGX float64) int64 {
	return int64(math.Ceil(float64(units)*float64(recipients)*unitUGX - 1e-6))
}

// balanceInfo is what the balance call answers, as far as it is documented.
type balanceInfo struct {
	balanceUGX int64
	unitCost   float64 // UGX for an SMS unit
	walletID   string  // Wesendall's spelling, if the caller's differs
}

// priceTTL is how long a price is kept. A balance is never kept.
const priceTTL = 10 * time.Minute

// priceCache keeps the last price by wallet.
type priceCache struct {
	mu       sync.Mutex
	byWallet map[string]cachedPrice
}

type cachedPrice struct {
	unitCost  float64
	fetchedAt time.Time
}

// maxCachedWallets bounds what one caller can have kept.
const maxCachedWallets = 100

func (c *priceCache) get(walletID string) (cachedPrice, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.byWallet[walletID]
	return p, ok
}

func (c *priceCache) put(walletID string, p cachedPrice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byWallet, walletID)
	if len(c.byWallet) >= maxCachedWallets {
		clear(c.byWallet)
	}
	c.byWallet[walletID] = p
}

func (c *priceCache) remove(walletID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byWallet, walletID)
}

// fetchBalance reads the balance and the price.
func (g *Guard) fetchBalance(ctx context.Context, walletID string) (balanceInfo, error) {
	response, err := callRateLimited(ctx, g, g.api.Balance, client.BalanceRequest{WalletID: walletID})
	if err != nil {
		e := *toError(err)
		e.Message = "Nothing was sent: the price could not be read. " + e.Message
		return balanceInfo{}, &e
	}
	info, ok := g.cacheBalance(walletID, response)
	if info.walletID != "" {
		return balanceInfo{}, NewError(CodeInvalidArguments, fmt.Sprintf("Nothing was sent: the wallet is spelled %q, not %q.",
			sanitize.Truncate(info.walletID, maxQuotedRunes), sanitize.Truncate(walletID, maxQuotedRunes)))
	}
	if !ok {
		return balanceInfo{}, NewError(CodeBadResponse,
			"Nothing was sent: the balance call does not say what a unit costs, so the price cannot be known.")
	}
	return info, nil
}

// cacheBalance reads the response of a balance call, and keeps its price.
func (g *Guard) cacheBalance(walletID string, response *client.Response) (balanceInfo, bool) {
	var data struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
		Wallet  any      `json:"wallet_id"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil ||
		!(data.Cost > 0 && data.Cost < 1e9) || math.Abs(*data.Balance) > 1<<52 {
		g.invalidatePrice(walletID)
		return balanceInfo{}, false
	}
	// A caller's wallet under another spelling would have a budget of its own.
	if spelling, _ := data.Wallet.(string); g.callerID != "" && spelling != walletID &&
		strings.EqualFold(strings.TrimSpace(spelling), strings.TrimSpace(walletID)) {
		g.invalidatePrice(walletID)
		return balanceInfo{walletID: spelling}, false
	}
	if s := g.state(); s != nil {
		s.prices.put(walletID, cachedPrice{data.Cost, g.options.Clock()})
	}
	return balanceInfo{balanceUGX: int64(math.Floor(*data.Balance)), unitCost: data.Cost}, true
}

// invalidatePrice makes the next spend read the price again.
func (g *Guard) invalidatePrice(walletID string) {
	if s := g.state(); s != nil {
		s.prices.remove(walletID)
	}
}

// keptPrice is what an SMS unit costs, if that was told a short while ago.
func (g *Guard) keptPrice(walletID string) (float64, bool) {
	s := g.state()
	if s == nil {
		return 0, false
	}
	p, ok := s.prices.get(walletID)
	return p.unitCost, ok && g.options.Clock().Sub(p.fetchedAt) < priceTTL
}

// unitCost is what an SMS unit costs, as last told.
func (g *Guard) unitCost(ctx context.Context, walletID string) (float64, error) {
	if unitUGX, ok := g.keptPrice(walletID); ok {
		return unitUGX, nil
	}
	info, err := g.fetchBalance(ctx, walletID)
	return info.unitCost, err
}
