package guard

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestPriceCache_PerCaller(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, b, c := env.newCallers()
	balances := env.countGets("/balance")
	for i, want := range []int64{1, 1, 2, 2, 3, 3} {
		caller := []testCaller{a, a, c, c, b, b}[i]
		env.expectOK(caller.send(fmt.Sprint("Hi ", i), SpendOptions{}, phone1))
		if got := balances.Load(); got != want {
			t.Errorf("%s asked for the balance %d times, not %d", caller.id, got, want)
		}
	}
	a.wallet = walletB // which A's key does not open, though the price of A's own wallet is known
	env.expectError("wallet_forbidden")(a.send("Hi", SpendOptions{}, phone1))
	env.advance(priceTTL)
	env.expectOK(b.send("Ho", SpendOptions{}, phone1))
	if got := balances.Load(); got != 5 {
		t.Errorf("%d balances: a price is kept for too long", got)
	}
}

func TestRateLimit_PerCaller(t *testing.T) {
	t.Parallel()
	var delays atomic.Int64
	env := newTestEnv(t, 5000, func(o *Options) {
		o.Rate = 1 // and so five at once
		o.SleepFunc = func(context.Context, time.Duration) error { delays.Add(1); return nil }
	})
	a, b, _ := env.newCallers()
	read := func(caller testCaller) {
		if _, err := caller.boundGuard().Balance(t.Context(), client.BalanceRequest{WalletID: caller.wallet}); err != nil {
			t.Error(err)
		}
	}
	for range 5 {
		read(a)
	}
	if delays.Load() != 0 {
		t.Error("a burst had to wait")
	}
	read(a)
	if delays.Load() != 1 {
		t.Error("A's rate was forgotten between two requests")
	}
	read(b)
	if delays.Load() != 1 {
		t.Error("B waited for A's rate")
	}
}

func TestCallerCache_Eviction(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := newCallerCache()
	c.max = 3
	seat := func(id string) *callerState { return c.state(id, now.now(), 1) }
	for _, id := range []string{"a", "b", "c"} {
		seat(id).rate.ReserveN(now.now(), 1)
		seat(id).prices.put("w", cachedPrice{unitCost: 1, fetchedAt: now.now()})
	}
	if seat("d") != nil || len(c.states) != 3 {
		t.Fatal("a caller got a new rate limit")
	}
	now.advance(time.Second) // and all buckets are full again
	a := seat("a")
	if seat("d") == nil || seat("a") != a || len(c.states) != 3 {
		t.Error("A was here last, and lost the seat")
	}
	if p, ok := seat("c").prices.get("w"); !ok || p.unitCost != 1 {
		t.Error("C lost its price, and B was idle for longer")
	}
	a.rate.ReserveN(now.now(), 5) // owes nothing by the time that its price expires
	now.advance(priceTTL - time.Nanosecond)
	seat("c").lastUsed = now.now()
	now.advance(time.Nanosecond)
	for range 1000 { // owes for longer than a price is kept
		a.rate.ReserveN(now.now(), 1)
	}
	c.max = 10
	if seat("e"); len(c.states) != 3 || seat("a") != a || c.states["d"] != nil {
		t.Errorf("%d seats: only who was idle, and owes nothing, is forgotten", len(c.states))
	}
}

func TestCallerCache_Bounded(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for i := range maxCallers + 10 {
		env.guard.ForCaller(nil, fmt.Sprint(i), nil).invalidatePrice("w")
	}
	if n := len(env.guard.callerStates.states); n != maxCallers || env.guard.callerStates.lru.Len() != n {
		t.Errorf("%d callers are kept", n)
	}
	var p priceCache
	p.byWallet = map[string]cachedPrice{}
	for i := range 10 * maxCachedWallets {
		p.put(fmt.Sprint(i), cachedPrice{unitCost: 1})
	}
	if last, ok := p.get(fmt.Sprint(10*maxCachedWallets - 1)); len(p.byWallet) > maxCachedWallets || !ok || last.unitCost != 1 {
		t.Errorf("%d wallets are kept", len(p.byWallet))
	}
	env.guard.callerStates.max = 0
	a, _, _ := env.newCallers()
	env.expectError(CodeRateLimited)(a.send("Hi", SpendOptions{}, phone1))
}
