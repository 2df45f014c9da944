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
	Recipients int       `json:"recipients,omitempty"`
	Numbers    []string  `json:"numbers,omitempty"`
	Refused    []Refused `json:"refused,omitempty"`
	Notes      []string  `json:"notes,omitempty"`
	// Length in UTF-16 code units, and the units billed for each recipient.
	Length     int     `json:"length,omitempty"`
	Units      int     `json:"units,omitempty"`
	CostPerSMS float64 `json:"cost_per_sms,omitempty"` // UGX
	// Total in UGX: an estimate for a send, the amount for a top-up.
	Total        int64    `json:"total"`
	Balance      int64    `json:"balance"`
	BalanceAfter int64    `json:"balance_after"`
	Carrier      *Carrier `json:"carrier,omitempty"`

	to string // whom it reaches, for a person
}

// shown is how many numbers of a list are shown.
const shown = 50

// account is what the balance call answers, as far as it is documented.
type account struct {
	balance int64
	cost    float64
	wallet  string // the vendor's spelling, where the caller's is another
}

// priceTime is for how long a price is taken to hold. A balance is never kept.
const priceTime = 10 * time.Minute

// prices remembers what a unit costs.
type prices struct {
	mu   sync.Mutex
	last map[string]price // by wallet
}

// price is what a unit costs; 0 is not known.
type price struct {
	cost float64
	at   time.Time
}

// walletsKept bounds what one caller can have remembered.
const walletsKept = 100

func (p *prices) of(wallet string) price {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[wallet]
}

func (p *prices) keep(wallet string, known price) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.last, wallet); known.cost <= 0 {
		return
	}
	if len(p.last) >= walletsKept {
		clear(p.last)
	}
	p.last[wallet] = known
}

// account asks for the balance and the price.
func (g *Guard) account(ctx context.Context, wallet string) (account, error) {
	response, err := slowly(ctx, g, g.api.Balance, client.BalanceRequest{WalletID: wallet})
	if err != nil {
		failure := *asError(err)
		failure.Message = "Nothing was sent: the price could not be read. " + failure.Message
		return account{}, &failure
	}
	a, ok := g.learn(wallet, response)
	if a.wallet != "" {
		return account{}, Fail(InvalidArguments, fmt.Sprintf("Nothing was sent: the wallet is spelled %q, and not %q.", shorten(a.wallet), shorten(wallet)))
	}
	if !ok {
		return account{}, Fail(BadResponse, "Nothing was sent: the balance call does not say what a unit costs, so the price cannot be known.")
	}
	return a, nil
}

// learn reads the answer of a balance call, and remembers the price.
func (g *Guard) learn(wallet string, response *client.Response) (account, bool) {
	var data struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
		Wallet  any      `json:"wallet_id"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil || !(data.Cost > 0 && data.Cost < 1e9) || math.Abs(*data.Balance) > 1<<52 {
		g.forget(wallet)
		return account{}, false
	}
	// A caller's wallet under another spelling would have a budget of its own.
	if known, _ := data.Wallet.(string); g.caller != "" && known != wallet && strings.EqualFold(strings.TrimSpace(known), strings.TrimSpace(wallet)) {
		g.forget(wallet)
		return account{wallet: known}, false
	}
	if s := g.seat(); s != nil {
		s.prices.keep(wallet, price{data.Cost, g.now()})
	}
	return account{balance: int64(math.Floor(*data.Balance)), cost: data.Cost}, true
}

// forget has the price be read anew.
func (g *Guard) forget(wallet string) {
	if s := g.seat(); s != nil {
		s.prices.keep(wallet, price{})
	}
}

// cost is what a unit costs, as last told.
func (g *Guard) cost(ctx context.Context, wallet string) (float64, error) {
	if s := g.seat(); s != nil {
		if last := s.prices.of(wallet); last.cost > 0 && g.now().Sub(last.at) < priceTime {
			return last.cost, nil
		}
	}
	a, err := g.account(ctx, wallet)
	return a.cost, err
}

// total is an estimate in whole UGX, rounded up.
func total(units, recipients int, cost float64) int64 {
	return int64(math.Ceil(float64(units)*float64(recipients)*cost - 1e-6))
}

// sizeOf reads how many contacts a group has from the list of groups. No
// document shows that list: only what cannot be mistaken counts, and where
// there is none the size is not known.
func sizeOf(groups json.RawMessage, id string) (size int, title string, known bool) {
	var value any
	if json.Unmarshal(groups, &value) != nil {
		return 0, "", false
	}
	var found []map[string]any
	collect(value, func(object map[string]any) {
		if slices.ContainsFunc([]string{"id", "_id", "groupId", "group_id"}, func(name string) bool { return object[name] == id }) {
			found = append(found, object)
		}
	})
	if len(found) != 1 {
		return 0, "", false
	}
	title, _ = found[0]["title"].(string)
	counts := []any{found[0]["contact_count"], found[0]["contacts_count"], found[0]["contactCount"], found[0]["contactsCount"], found[0]["contacts"]}
	if inner, ok := found[0]["_count"].(map[string]any); ok {
		counts = append(counts, inner["contacts"])
	}
	for _, count := range counts {
		// A list of contacts is no count: it may be a part of them.
		if n, ok := count.(float64); ok && n >= 0 && n == math.Trunc(n) && n < 1<<31 {
			return int(n), title, true
		}
	}
	return 0, title, false
}

// collect visits every object in a JSON value.
func collect(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			collect(inner, visit)
		}
	case []any:
		for _, inner := range v {
			collect(inner, visit)
		}
	}
}
