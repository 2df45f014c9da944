package guard

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// cleanupScope cleans up after one random history, before the test ends.
type cleanupScope struct {
	testing.TB
	cleanups []func()
}

func (s *cleanupScope) Cleanup(end func()) { s.cleanups = append(s.cleanups, end) }

func (s *cleanupScope) end() {
	for _, end := range slices.Backward(s.cleanups) {
		end()
	}
}

// randomHistory is a random sequence of spends, faults, duplicates, settlements,
// restarts and processes, which is compared with the sandbox's records.
type randomHistory struct {
	*testEnv
	guards []*Guard
	fault  atomic.Value // string: the fault of the next POSTs
	quotes []string
	// How often each "message number" may have been charged: once, and once more for
	// each duplicate that the user agreed to or that came after the window.
	maxCharges map[string]int
	lastSent   map[string]time.Time
	open       map[string]*openSpend // those with an unknown outcome, by id
	lastQuote  map[string]string     // ids, by what they are for
	events     map[string]int        // how often something happened that the model is about
	balance    int64                 // after the last step
	charged    map[string]int        // after the last step
}

const (
	perDay, perDayTopUps = 1400, 4000
	startBalance         = 10_000_000
)

func newRandomHistory(t testing.TB, mode ConfirmMode, confirmAbove int64, events map[string]int) *randomHistory {
	h := &randomHistory{
		quotes: []string{"", "made up"}, maxCharges: map[string]int{}, lastSent: map[string]time.Time{},
		open: map[string]*openSpend{}, lastQuote: map[string]string{}, events: events, balance: startBalance,
	}
	h.testEnv = newTestEnv(t, startBalance, func(o *Options) {
		o.Confirm = mode
		o.Limits.PerDay, o.Limits.TopUp, o.Limits.ConfirmAbove = perDay, perDayTopUps, confirmAbove
	})
	h.keptDB = h.db() // there are thousands of steps
	h.guards = []*Guard{h.guard}
	h.fault.Store(noFault)
	h.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet {
			pass(w)
			return
		}
		faultHandlers[h.fault.Load().(string)](w, r, pass)
	})
	return h
}

func (h *randomHistory) drawFault(p *rapid.T) {
	names := make([]string, 0, len(faultHandlers))
	for name := range faultHandlers {
		names = append(names, name)
	}
	slices.Sort(names)
	h.fault.Store(rapid.SampledFrom(names).Draw(p, "fault"))
}

func (h *randomHistory) drawGuard(p *rapid.T) *Guard {
	return rapid.SampledFrom(h.guards).Draw(p, "process")
}

func (h *randomHistory) send(p *rapid.T) {
	h.drawFault(p)
	h.attempt(p, h.drawSend(p), h.drawGuard(p))
}

// concurrentSends makes the same send in several processes at once.
func (h *randomHistory) concurrentSends(p *rapid.T) {
	h.drawFault(p)
	r := h.newSend(drawMessage(p, "m"), phone1)
	r.opts.Elicit = elicitYes
	step := h.begin(r)
	failures := make([]*Error, len(h.guards)+1)
	var wg sync.WaitGroup
	for i, g := range append(h.guards, h.guards[0]) {
		wg.Go(func() {
			_, err := r.run(g, r.opts)
			failures[i] = h.asGuardError(err)
		})
	}
	wg.Wait()
	for _, failure := range failures {
		step.noteUnknown(failure)
	}
	step.finish(p)
}

func (h *randomHistory) sendGroup(p *rapid.T) {
	h.drawFault(p)
	message := drawMessage(p, "g")
	sampleGroup := []string{"+256700000012", "+256700000013"} // the sandbox's
	r := randomSpend{tool: client.ToolSendGroupSMS, message: message, reached: sampleGroup, targets: []string{sandbox.GroupID}}
	r.run = func(g *Guard, o SpendOptions) (*Receipt, error) {
		return g.SendGroup(context.Background(), sendGroupRequest(message), o)
	}
	r.opts = h.drawOptions(p, r)
	h.attempt(p, r, h.drawGuard(p))
}

func (h *randomHistory) topUp(p *rapid.T) {
	h.drawFault(p)
	amount := int64(500 * rapid.IntRange(1, 3).Draw(p, "amount"))
	r := randomSpend{tool: client.ToolTopUpWallet, message: fmt.Sprint(amount), targets: []string{phone1}}
	r.run = func(g *Guard, o SpendOptions) (*Receipt, error) {
		request := client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: phone1}
		return g.TopUp(context.Background(), request, o)
	}
	r.opts = h.drawOptions(p, r)
	h.attempt(p, r, h.drawGuard(p))
}

// checkAllInvariants checks what must be true after every step.
func (h *randomHistory) checkAllInvariants() {
	balance, charged := h.checkCharges(h.maxCharges)
	h.balance, h.charged = balance, charged
	for _, times := range charged {
		balance += int64(times) * sandbox.CostPerSMS
	}
	var paid, open int64
	for _, s := range h.spends() {
		switch {
		case s.Tool != client.ToolTopUpWallet || s.State == ledger.StateFailed:
		case s.State == ledger.StateRequested:
			paid += s.TotalUGX
		default:
			open += s.TotalUGX
		}
	}
	if credited := balance - startBalance; credited < paid || credited > paid+open {
		h.Errorf("UGX %d were credited, the ledger has %d and %d with an open outcome", credited, paid, open)
	}
	var sends, topUps int64
	err := h.db().QueryRow(`SELECT coalesce(max(total) FILTER (WHERE kind = 'send'), 0),
		coalesce(max(total) FILTER (WHERE kind = 'topup'), 0) FROM daily_totals`).Scan(&sends, &topUps)
	if err != nil || sends > perDay || topUps > perDayTopUps {
		h.Errorf("UGX %d of sends and %d of top-ups in a day: %v", sends, topUps, err)
	}
}

// After every step of every random history the invariants hold.
func TestProperty_Invariants(t *testing.T) {
	t.Parallel()
	steps, events := 0, map[string]int{}
	rapid.Check(t, func(p *rapid.T) {
		cleanup := &cleanupScope{TB: t}
		defer cleanup.end()
		mode := rapid.SampledFrom([]ConfirmMode{ConfirmAuto, ConfirmAuto, ConfirmOff, ConfirmByQuote}).Draw(p, "confirm")
		h := newRandomHistory(cleanup, mode, rapid.SampledFrom([]int64{0, 70, 100_000}).Draw(p, "confirm above"), events)
		step := func(do func(*rapid.T)) func(*rapid.T) { return func(p *rapid.T) { steps++; do(p) } }
		p.Repeat(map[string]func(*rapid.T){
			"send": step(h.send), "send again": step(h.send), "concurrent sends": step(h.concurrentSends),
			"group": step(h.sendGroup), "top-up": step(h.topUp),
			"suspended send": step(h.suspendedSend), "settle": step(h.settle), "settle another": step(h.settle),
			"restart": step(func(*rapid.T) {
				h.restart()
				h.guards = []*Guard{h.guard}
			}),
			"another process": step(func(*rapid.T) {
				if len(h.guards) < 3 {
					h.restart()
					h.guards = append(h.guards, h.guard)
				}
			}),
			"time passes": step(func(p *rapid.T) {
				durations := []time.Duration{time.Second, time.Minute, 9 * time.Minute, 11 * time.Minute, 5 * time.Hour, 23 * time.Hour}
				h.advance(rapid.SampledFrom(durations).Draw(p, "time"))
			}),
			"": func(*rapid.T) { h.checkAllInvariants() },
		})
	})
	t.Logf("%d steps: %v", steps, events)
	if flag.Lookup("rapid.checks").Value.String() == manyChecks && steps < manySteps {
		t.Errorf("%d steps are fewer than %d", steps, manySteps)
	}
}
