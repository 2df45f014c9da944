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
			t.Errorf("%s: the balance was read %d times, want %d", caller.id, got, want)
		}
	}
	a.wallet = walletB // A's key has no access to it
	env.expectError("wallet_forbidden")(a.send("Hi", SpendOptions{}, phone1))
	env.advance(priceTTL)
	env.expectOK(b.send("Ho", SpendOptions{}, phone1))
	if got := balances.Load(); got != 5 {
		t.Errorf("the balance was read %d times: a price was cached for too long", got)
	}
}

func TestRateLimit_PerCaller(t *testing.T) {
	t.Parallel()
	var delays atomic.Int64
	env := newTestEnv(t, 5000, func(o *Options) {
		o.Rate = 1 // in bursts of five
		o.SleepFunc = func(context.Context, time.Duration) error { delays.Add(1); return nil }
	})
	a, b, _ := env.newCallers()
	read := func(caller testCaller) {
		request := client.BalanceRequest{WalletID: caller.wallet}
		if _, err := caller.boundGuard().Balance(t.Context(), request); err != nil {
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
		t.Error("A's rate was reset between two requests")
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
	state := func(id string) *callerState { return c.state(id, now.now(), 1) }
	for _, id := range []string{"a", "b", "c"} {
		state(id).rate.ReserveN(now.now(), 1)
		state(id).prices.put("w", cachedPrice{unitCost: 1, fetchedAt: now.now()})
	}
	if state("d") != nil || len(c.states) != 3 {
		t.Fatal("a state with a used rate was evicted")
	}
	now.advance(time.Second) // all token buckets are full again
	a := state("a")
	if state("d") == nil || state("a") != a || len(c.states) != 3 {
		t.Error("the most recently used state was evicted")
	}
	if p, ok := state("c").prices.get("w"); !ok || p.unitCost != 1 {
		t.Error("C was evicted, but B was idle for longer")
	}
	a.rate.ReserveN(now.now(), 5) // full again before its proof expires
	now.advance(accessTTL - time.Nanosecond)
	state("c").lastUsed = now.now()
	now.advance(time.Nanosecond)
	for range 1000 { // used up for longer than a proof is cached
		a.rate.ReserveN(now.now(), 1)
	}
	c.max = 10
	if state("e"); len(c.states) != 3 || state("a") != a || c.states["d"] != nil {
		t.Errorf("%d states: only idle ones with an unused rate are evicted", len(c.states))
	}
}

func TestCallerCache_Bounded(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for i := range maxCallers + 10 {
		env.guard.ForCaller(nil, fmt.Sprint(i), nil).invalidatePrice("w")
	}
	if n := len(env.guard.callerStates.states); n != maxCallers || env.guard.callerStates.lru.Len() != n {
		t.Errorf("%d callers are cached", n)
	}
	var p priceCache
	p.byWallet = map[string]cachedPrice{}
	for i := range 10 * maxCachedWallets {
		p.put(fmt.Sprint(i), cachedPrice{unitCost: 1})
	}
	last, ok := p.get(fmt.Sprint(10*maxCachedWallets - 1))
	if len(p.byWallet) > maxCachedWallets || !ok || last.unitCost != 1 {
		t.Errorf("%d wallets are cached", len(p.byWallet))
	}
	env.guard.callerStates.max = 0
	a, _, _ := env.newCallers()
	env.expectError(CodeRateLimited)(a.send("Hi", SpendOptions{}, phone1))
}
