package guard

import (
	"context"
	"sync"
	"time"
)

const (
	// priceTTL is how long a price is kept. A balance is never kept.
	priceTTL = time.Minute
	// accessTTL is how long it is remembered that Wesendall gave a caller access to a
	// wallet.
	accessTTL = 10 * time.Minute
)

// maxCachedWallets limits the cached wallets of one caller.
const maxCachedWallets = 100

// walletCache keeps a value for each wallet.
type walletCache[V any] struct {
	mu       sync.Mutex
	byWallet map[string]V
}

func newWalletCache[V any]() *walletCache[V] { return &walletCache[V]{byWallet: map[string]V{}} }

func (c *walletCache[V]) get(walletID string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.byWallet[walletID]
	return value, ok
}

func (c *walletCache[V]) put(walletID string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byWallet, walletID)
	if len(c.byWallet) >= maxCachedWallets {
		clear(c.byWallet)
	}
	c.byWallet[walletID] = value
}

func (c *walletCache[V]) remove(walletID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byWallet, walletID)
}

// priceCache keeps the last price by wallet.
type priceCache = walletCache[cachedPrice]

type cachedPrice struct {
	unitCost  float64
	fetchedAt time.Time
}

// isFresh reports whether a value that was read then is still valid. If the clock was set
// back, it is not.
func (g *Guard) isFresh(then time.Time, ttl time.Duration) bool {
	age := g.options.Clock().Sub(then)
	return age >= 0 && age < ttl
}

// cachePriceAndAccess caches the price, and that the caller has access to the wallet.
func (g *Guard) cachePriceAndAccess(walletID string, unitCost float64) {
	if s := g.state(); s != nil {
		now := g.options.Clock()
		s.prices.put(walletID, cachedPrice{unitCost, now})
		s.access.put(walletID, now)
	}
}

// invalidatePrice makes the next spend read the price again.
func (g *Guard) invalidatePrice(walletID string) {
	if s := g.state(); s != nil {
		s.prices.remove(walletID)
	}
}

// invalidateWallet makes the next spend ask Wesendall again for the price, and whether
// the caller may use the wallet.
func (g *Guard) invalidateWallet(walletID string) {
	if s := g.state(); s != nil {
		s.prices.remove(walletID)
		s.access.remove(walletID)
	}
}

// keptPrice returns the cached price of an SMS unit, if it is not older than priceTTL.
func (g *Guard) keptPrice(walletID string) (float64, bool) {
	s := g.state()
	if s == nil {
		return 0, false
	}
	p, ok := s.prices.get(walletID)
	return p.unitCost, ok && g.isFresh(p.fetchedAt, priceTTL)
}

// verifyWalletAccess returns an error unless Wesendall gives the caller access to the wallet.
func (g *Guard) verifyWalletAccess(ctx context.Context, walletID string) error {
	if s := g.state(); s != nil {
		if provedAt, ok := s.access.get(walletID); ok && g.isFresh(provedAt, accessTTL) {
			return nil
		}
	}
	_, err := g.fetchBalance(ctx, walletID)
	return err
}
