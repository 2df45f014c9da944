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

// randomHistory is a random sequence of spends, faults, duplicates, restarts and
// processes, which is compared with the sandbox's records.
type randomHistory struct {
	*testEnv
	guards []*Guard
	fault  atomic.Value // string: the fault of the next POSTs
	quotes []string
	// How often each "message number" may have been charged: once, and once more for
	// each duplicate that the user agreed to or that came after the window.
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

// randomOptions draws the options of a spend, and tells whether they agree to a duplicate.
func (h *randomHistory) randomOptions(p *rapid.T) (how SpendOptions, agrees bool) {
	ask := rapid.SampledFrom([]string{"cannot ask", "yes", "no", "no answer"}).Draw(p, "ask")
	how = SpendOptions{
		QuoteID:        rapid.SampledFrom(h.quotes).Draw(p, "quote"),
		DryRun:         rapid.IntRange(0, 4).Draw(p, "dry run") == 0,
		AllowDuplicate: rapid.IntRange(0, 3).Draw(p, "allow duplicate") == 0,
		Elicit:         map[string]Elicitor{"yes": elicitYes, "no": elicitNo, "no answer": elicitError}[ask],
	}
	return how, how.AllowDuplicate && !how.DryRun && (ask == "yes" || ask == "cannot ask" && how.QuoteID != "")
}

// trackIntent raises maxCharges for a message to numbers. The caller calls finish after
// the spend: a duplicate window begins only if a request was sent.
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
			h.maxCharges = previous // no request was sent, so nothing more may be charged
			return
		}
		for _, number := range to {
			h.lastSent[message+" "+number] = h.now()
		}
	}
}

// checkResult checks the result of a call. before is the request count before it.
func (h *randomHistory) checkResult(p *rapid.T, opts SpendOptions, before int, receipt *Receipt, err error) {
	if receipt != nil && receipt.Response == nil && receipt.Quote != nil && receipt.Quote.ID != "" {
		h.quotes = append(h.quotes, receipt.Quote.ID)
	}
	failure := h.asGuardError(err)
	rejected := slices.Contains([]string{
		CodeDuplicateSend, CodeLimitExceeded, CodeDeclined, CodeConfirmationRequired, CodeInvalidArguments,
	}, codeOf(failure))
	if (opts.DryRun || rejected) && h.requestCount() != before {
		p.Fatalf("%v, but a request was sent", failure)
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

// concurrentSends makes the same send in several processes at once.
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
	sampleGroup := []string{"+256700000012", "+256700000013"} // the sandbox's
	defer h.trackIntent(message, sampleGroup, opts, agrees)()
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
	request := client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: phone1}
	receipt, err := rapid.SampledFrom(h.guards).Draw(p, "process").TopUp(context.Background(), request, opts)
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
	steps := 0
	rapid.Check(t, func(p *rapid.T) {
		cleanup := &cleanupScope{TB: t}
		defer cleanup.end()
		h := newRandomHistory(cleanup, rapid.SampledFrom([]int64{0, 70, 100_000}).Draw(p, "confirm above"))
		step := func(do func(*rapid.T)) func(*rapid.T) { return func(p *rapid.T) { steps++; do(p) } }
		p.Repeat(map[string]func(*rapid.T){
			"send": step(h.send), "send again": step(h.send), "concurrent sends": step(h.concurrentSends),
			"group": step(h.sendGroup), "top-up": step(h.topUp),
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
				durations := []time.Duration{time.Second, time.Minute, 9 * time.Minute, 11 * time.Minute, 5 * time.Hour}
				h.advance(rapid.SampledFrom(durations).Draw(p, "time"))
			}),
			"": func(*rapid.T) { h.checkAllInvariants() },
		})
	})
	t.Logf("%d steps", steps)
	if flag.Lookup("rapid.checks").Value.String() == manyChecks && steps < manySteps {
		t.Errorf("%d steps are fewer than %d", steps, manySteps)
	}
}
