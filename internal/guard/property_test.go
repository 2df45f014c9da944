package guard

import (
	"context"
	"flag"
	"fmt"
	"maps"
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

// cleanupScope ends what one run of many has opened.
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

// randomHistory is a random one: spends, faults, repetitions, restarts and other
// processes, against what the vendor recorded.
type randomHistory struct {
	*testEnv
	guards []*Guard
	fault  atomic.Value // string; the vendor's handlers look at it
	quotes []string
	// most is how often each message may have been charged for each number: once,
	// and once more for each repetition that a person agreed to or that came after
	// the window.
	maxCharges map[string]int
	lastSent   map[string]time.Time
}

const (
	perDay, perDayTopUps = 700, 2000
	startBalance         = 10_000_000
)

func newRandomHistory(t testing.TB, confirmAbove int64) *randomHistory {
	h := &randomHistory{quotes: []string{"", "made up"}, maxCharges: map[string]int{}, lastSent: map[string]time.Time{}}
	h.testEnv = newTestEnv(t, startBalance, func(o *Options) {
		o.Limits.PerDay, o.Limits.TopUp, o.Limits.ConfirmAbove = perDay, perDayTopUps, confirmAbove
	})
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

// randomOptions draws how a spend is made, and whether that is agreement to a repetition.
func (h *randomHistory) randomOptions(p *rapid.T) (how SpendOptions, agrees bool) {
	ask := rapid.SampledFrom([]string{"nobody", "yes", "no", "silence"}).Draw(p, "ask")
	how = SpendOptions{
		QuoteID:        rapid.SampledFrom(h.quotes).Draw(p, "quote"),
		DryRun:         rapid.IntRange(0, 4).Draw(p, "dry run") == 0,
		AllowDuplicate: rapid.IntRange(0, 3).Draw(p, "allow duplicate") == 0,
		Elicit:         map[string]Elicitor{"yes": elicitYes, "no": elicitNo, "silence": elicitError}[ask],
	}
	return how, how.AllowDuplicate && !how.DryRun && (ask == "yes" || ask == "nobody" && how.QuoteID != "")
}

// trackIntent counts what may be charged for a message to numbers. It returns what is
// to be called once that is over: the window begins with what left, and not with
// what was refused.
func (h *randomHistory) trackIntent(message string, to []string, opts SpendOptions, again bool) (finish func()) {
	if opts.DryRun {
		return func() {}
	}
	before, previous := h.requestCount(), maps.Clone(h.maxCharges)
	for _, number := range to {
		key := message + " " + number
		if h.maxCharges[key] == 0 || again || h.now().Sub(h.lastSent[key]) >= h.options.Limits.DuplicateWindow {
			h.maxCharges[key]++
		}
	}
	return func() {
		if h.requestCount() == before {
			h.maxCharges = previous // nothing left, so nothing more may be charged
			return
		}
		for _, number := range to {
			h.lastSent[message+" "+number] = h.now()
		}
	}
}

// checkResult looks at what came of a call, given what the vendor was asked before.
func (h *randomHistory) checkResult(p *rapid.T, opts SpendOptions, before int, receipt *Receipt, err error) {
	if receipt != nil && receipt.Response == nil && receipt.Quote != nil && receipt.Quote.ID != "" {
		h.quotes = append(h.quotes, receipt.Quote.ID)
	}
	failure := h.asGuardError(err)
	rejected := failure != nil && slices.Contains([]string{CodeDuplicateSend, CodeLimitExceeded, CodeDeclined, CodeConfirmationRequired, CodeInvalidArguments}, failure.Code)
	if (opts.DryRun || rejected) && h.requestCount() != before {
		p.Fatalf("%v, and yet a request left", failure)
	}
}

func (h *randomHistory) drawFault(p *rapid.T) {
	names := make([]string, 0, len(faultHandlers))
	for name := range faultHandlers {
		names = append(names, name)
	}
	slices.Sort(names)
	h.fault.Store(rapid.SampledFrom(names).Draw(p, "fault"))
}

func (h *randomHistory) send(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("m", rapid.IntRange(0, 5).Draw(p, "message"))
	to := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{phone1, phone2, phone3}), 1, 3, rapid.ID[string]).Draw(p, "to")
	opts, agrees := h.randomOptions(p)
	g := rapid.SampledFrom(h.guards).Draw(p, "process")
	defer h.trackIntent(message, to, opts, agrees)()
	before := h.requestCount()
	receipt, err := g.Send(context.Background(), sendRequest(message, to...), opts)
	h.checkResult(p, opts, before, receipt, err)
}

// concurrentSends are the same send in several processes at the same instant.
func (h *randomHistory) concurrentSends(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("m", rapid.IntRange(0, 5).Draw(p, "message"))
	defer h.trackIntent(message, []string{phone1}, SpendOptions{}, false)()
	var wg sync.WaitGroup
	for _, g := range append(h.guards, h.guards[0]) {
		wg.Go(func() {
			_, err := g.Send(context.Background(), sendRequest(message, phone1), SpendOptions{Elicit: elicitYes})
			_ = h.asGuardError(err)
		})
	}
	wg.Wait()
}

func (h *randomHistory) sendGroup(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("g", rapid.IntRange(0, 3).Draw(p, "message"))
	opts, agrees := h.randomOptions(p)
	defer h.trackIntent(message, []string{"+256700000012", "+256700000013"}, opts, agrees)() // who are in the sandbox's group
	before := h.requestCount()
	receipt, err := rapid.SampledFrom(h.guards).Draw(p, "process").
		SendGroup(context.Background(), sendGroupRequest(message), opts)
	h.checkResult(p, opts, before, receipt, err)
}

func (h *randomHistory) topUp(p *rapid.T) {
	h.drawFault(p)
	amount := int64(500 * rapid.IntRange(1, 3).Draw(p, "amount"))
	opts, _ := h.randomOptions(p)
	before := h.requestCount()
	receipt, err := rapid.SampledFrom(h.guards).Draw(p, "process").
		TopUp(context.Background(), client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: phone1}, opts)
	h.checkResult(p, opts, before, receipt, err)
}

// checkAllInvariants checks what must be true after every step.
func (h *randomHistory) checkAllInvariants() {
	balance, charged := h.checkCharges(h.maxCharges)
	for _, times := range charged {
		balance += int64(times) * sandbox.CostPerSMS
	}
	var paid, open int64
	for _, s := range h.spends() {
		switch {
		case s.Tool != client.ToolTopUpWallet || s.State == ledger.StateFailed:
		case s.State == ledger.StateSent:
			paid += s.TotalUGX
		default:
			open += s.TotalUGX
		}
	}
	if credited := balance - startBalance; credited < paid || credited > paid+open {
		h.Errorf("UGX %d were credited, the ledger has %d and %d open", credited, paid, open)
	}
	var sends, topUps int64
	if err := h.db().QueryRow(`SELECT coalesce(max(total) FILTER (WHERE kind = 'send'), 0), coalesce(max(total) FILTER (WHERE kind = 'topup'), 0) FROM daily_totals`).Scan(&sends, &topUps); err != nil ||
		sends > perDay || topUps > perDayTopUps {
		h.Errorf("UGX %d of sends and %d of top-ups in a day: %v", sends, topUps, err)
	}
}

func TestProperty_Invariants(t *testing.T) {
	t.Parallel()
	steps := 0
	rapid.Check(t, func(p *rapid.T) {
		cleanup := &cleanupScope{TB: t}
		defer cleanup.end()
		h := newRandomHistory(cleanup, rapid.SampledFrom([]int64{0, 70, 100_000}).Draw(p, "confirm above"))
		step := func(do func(*rapid.T)) func(*rapid.T) { return func(p *rapid.T) { steps++; do(p) } }
		p.Repeat(map[string]func(*rapid.T){
			"send": step(h.send), "send again": step(h.send), "twins": step(h.concurrentSends), "group": step(h.sendGroup), "top-up": step(h.topUp),
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
				h.advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 9 * time.Minute, 11 * time.Minute, 5 * time.Hour}).Draw(p, "time"))
			}),
			"": func(*rapid.T) { h.checkAllInvariants() },
		})
	})
	t.Logf("%d steps", steps)
	if flag.Lookup("rapid.checks").Value.String() == manyChecks && steps < manySteps {
		t.Errorf("%d steps are fewer than %d", steps, manySteps)
	}
}
