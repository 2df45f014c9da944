package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// Quote is one spend, priced and described. A row of the ledger stands for it
// under its id, which can be used once.
type Quote struct {
	ID        string     `json:"id,omitempty"` // none where nothing could be sent as it is
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Recipients after duplicates went out, and the first 50 of them.
	Recipients       int              `json:"recipients,omitempty"`
	RecipientNumbers []string         `json:"numbers,omitempty"`
	Rejected         []RejectedNumber `json:"refused,omitempty"`
	Notes            []string         `json:"notes,omitempty"`
	// Length in UTF-16 code units, and the units billed for each recipient.
	Length     int     `json:"length,omitempty"`
	Units      int     `json:"units,omitempty"`
	CostPerSMS float64 `json:"cost_per_sms,omitempty"` // UGX
	// Total in UGX: an estimate for a send, the amount for a top-up.
	TotalUGX        int64    `json:"total"`
	BalanceUGX      int64    `json:"balance"`
	BalanceAfterUGX int64    `json:"balance_after"`
	Carrier         *GSMInfo `json:"carrier,omitempty"`

	audience string // whom it reaches, for a person
}

// maxListed is how many numbers of a list are shown.
const maxListed = 50

// balanceInfo is what the balance call answers, as far as it is documented.
type balanceInfo struct {
	balanceUGX int64
	unitCost   float64
	walletID   string // the vendor's spelling, where the caller's is another
}

// priceTTL is for how long a price is taken to hold. A balance is never kept.
const priceTTL = 10 * time.Minute

// priceCache remembers what a unit costs.
type priceCache struct {
	mu       sync.Mutex
	byWallet map[string]cachedPrice // by wallet
}

// cachedPrice is what a unit costs; 0 is not known.
type cachedPrice struct {
	unitCost  float64
	fetchedAt time.Time
}

// maxCachedWallets bounds what one caller can have remembered.
const maxCachedWallets = 100

func (p *priceCache) get(wallet string) cachedPrice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byWallet[wallet]
}

func (p *priceCache) put(wallet string, entry cachedPrice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.byWallet, wallet); entry.unitCost <= 0 {
		return
	}
	if len(p.byWallet) >= maxCachedWallets {
		clear(p.byWallet)
	}
	p.byWallet[wallet] = entry
}

// fetchBalance asks for the balance and the price.
func (g *Guard) fetchBalance(ctx context.Context, wallet string) (balanceInfo, error) {
	response, err := callRateLimited(ctx, g, g.api.Balance, client.BalanceRequest{WalletID: wallet})
	if err != nil {
		failure := *toError(err)
		failure.Message = "Nothing was sent: the price could not be read. " + failure.Message
		return balanceInfo{}, &failure
	}
	info, ok := g.cacheBalance(wallet, response)
	if info.walletID != "" {
		return balanceInfo{}, NewError(CodeInvalidArguments, fmt.Sprintf("Nothing was sent: the wallet is spelled %q, and not %q.", truncate(info.walletID), truncate(wallet)))
	}
	if !ok {
		return balanceInfo{}, NewError(CodeBadResponse, "Nothing was sent: the balance call does not say what a unit costs, so the price cannot be known.")
	}
	return info, nil
}

// cacheBalance reads the answer of a balance call, and remembers the price.
func (g *Guard) cacheBalance(wallet string, response *client.Response) (balanceInfo, bool) {
	var data struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
		Wallet  any      `json:"wallet_id"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil || !(data.Cost > 0 && data.Cost < 1e9) || math.Abs(*data.Balance) > 1<<52 {
		g.invalidatePrice(wallet)
		return balanceInfo{}, false
	}
	// A caller's wallet under another spelling would have a budget of its own.
	if spelling, _ := data.Wallet.(string); g.callerID != "" && spelling != wallet && strings.EqualFold(strings.TrimSpace(spelling), strings.TrimSpace(wallet)) {
		g.invalidatePrice(wallet)
		return balanceInfo{walletID: spelling}, false
	}
	if state := g.state(); state != nil {
		state.prices.put(wallet, cachedPrice{data.Cost, g.now()})
	}
	return balanceInfo{balanceUGX: int64(math.Floor(*data.Balance)), unitCost: data.Cost}, true
}

// invalidatePrice has the price be read anew.
func (g *Guard) invalidatePrice(wallet string) {
	if state := g.state(); state != nil {
		state.prices.put(wallet, cachedPrice{})
	}
}

// unitCost is what a unit costs, as last told.
func (g *Guard) unitCost(ctx context.Context, wallet string) (float64, error) {
	if state := g.state(); state != nil {
		if cached := state.prices.get(wallet); cached.unitCost > 0 && g.now().Sub(cached.fetchedAt) < priceTTL {
			return cached.unitCost, nil
		}
	}
	info, err := g.fetchBalance(ctx, wallet)
	return info.unitCost, err
}

// estimateTotal is an estimate in whole UGX, rounded up.
func estimateTotal(units, recipients int, unitCost float64) int64 {
	return int64(math.Ceil(float64(units)*float64(recipients)*unitCost - 1e-6))
}

// groupSize reads how many contacts a group has from the list of groups. No
// document shows that list: only what cannot be mistaken counts, and where
// there is none the size is not known.
func groupSize(groups json.RawMessage, id string) (size int, title string, known bool) {
	var value any
	if json.Unmarshal(groups, &value) != nil {
		return 0, "", false
	}
	var matches []map[string]any
	walkObjects(value, func(object map[string]any) {
		if slices.ContainsFunc([]string{"id", "_id", "groupId", "group_id"}, func(name string) bool { return object[name] == id }) {
			matches = append(matches, object)
		}
	})
	if len(matches) != 1 {
		return 0, "", false
	}
	title, _ = matches[0]["title"].(string)
	counts := []any{matches[0]["contact_count"], matches[0]["contacts_count"], matches[0]["contactCount"], matches[0]["contactsCount"], matches[0]["contacts"]}
	if nested, ok := matches[0]["_count"].(map[string]any); ok {
		counts = append(counts, nested["contacts"])
	}
	for _, count := range counts {
		// A list of contacts is no count: it may be a part of them.
		if n, ok := count.(float64); ok && n >= 0 && n == math.Trunc(n) && n < 1<<31 {
			return int(n), title, true
		}
	}
	return 0, title, false
}

// walkObjects visits every object in a JSON value.
func walkObjects(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			walkObjects(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walkObjects(inner, visit)
		}
	}
}
