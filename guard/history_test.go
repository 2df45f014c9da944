package guard

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// manySteps is how many steps are taken where the random histories are asked for
// with -rapid.checks=400, as before a change is taken in.
const manySteps, manyChecks = 10_000, "400"

// The random histories are fewer than usual, unless they are asked for.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		_ = flag.Set("rapid.checks", "5")
	}
	os.Exit(onBoth(m))
}

// scope ends what one run of many has opened.
type scope struct {
	testing.TB
	ends []func()
}

func (s *scope) Cleanup(end func()) { s.ends = append(s.ends, end) }

func (s *scope) end() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}

// history is a random one: spends, faults, repetitions, restarts and other
// processes, against what the vendor recorded.
type history struct {
	*rig
	guards []*Guard
	fault  atomic.Value // string; the vendor's handlers look at it
	quotes []string
	// most is how often each message may have been charged for each number: once,
	// and once more for each repetition that a person agreed to or that came after
	// the window.
	most map[string]int
	last map[string]time.Time
}

const (
	perDay, perDayTopUps = 700, 2000
	startBalance         = 10_000_000
)

func newHistory(t testing.TB, confirmAbove int64) *history {
	h := &history{quotes: []string{"", "made up"}, most: map[string]int{}, last: map[string]time.Time{}}
	h.rig = newRig(t, startBalance, func(o *Options) {
		o.Limits.PerDay, o.Limits.TopUp, o.Limits.ConfirmAbove = perDay, perDayTopUps, confirmAbove
	})
	h.guards = []*Guard{h.guard}
	h.fault.Store("none")
	h.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet {
			pass(w)
			return
		}
		faults[h.fault.Load().(string)](w, q, pass)
	})
	return h
}

// how draws how a spend is made, and whether that is agreement to a repetition.
func (h *history) how(p *rapid.T) (how How, agrees bool) {
	ask := rapid.SampledFrom([]string{"nobody", "yes", "no", "silence"}).Draw(p, "ask")
	how = How{
		Quote:          rapid.SampledFrom(h.quotes).Draw(p, "quote"),
		DryRun:         rapid.IntRange(0, 4).Draw(p, "dry run") == 0,
		AllowDuplicate: rapid.IntRange(0, 3).Draw(p, "allow duplicate") == 0,
		Ask:            map[string]Asker{"yes": yes, "no": no, "silence": lost}[ask],
	}
	return how, how.AllowDuplicate && !how.DryRun && (ask == "yes" || ask == "nobody" && how.Quote != "")
}

// intends counts what may be charged for a message to numbers. It returns what is
// to be called once that is over: the window begins with what left, and not with
// what was refused.
func (h *history) intends(message string, to []string, how How, again bool) (over func()) {
	if how.DryRun {
		return func() {}
	}
	before, were := h.asked(), maps.Clone(h.most)
	for _, number := range to {
		key := message + " " + number
		if h.most[key] == 0 || again || h.now().Sub(h.last[key]) >= h.options.Limits.DuplicateWindow {
			h.most[key]++
		}
	}
	return func() {
		if h.asked() == before {
			h.most = were // nothing left, so nothing more may be charged
			return
		}
		for _, number := range to {
			h.last[message+" "+number] = h.now()
		}
	}
}

// judges looks at what came of a call, given what the vendor was asked before.
func (h *history) judges(p *rapid.T, how How, before int, receipt *Receipt, err error) {
	if receipt != nil && receipt.Response == nil && receipt.Quote != nil && receipt.Quote.ID != "" {
		h.quotes = append(h.quotes, receipt.Quote.ID)
	}
	failure := h.ours(err)
	refused := failure != nil && slices.Contains([]string{DuplicateSend, LimitExceeded, Declined, ConfirmationRequired, InvalidArguments}, failure.Code)
	if (how.DryRun || refused) && h.asked() != before {
		p.Fatalf("%v, and yet a request left", failure)
	}
}

func (h *history) drawFault(p *rapid.T) {
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	h.fault.Store(rapid.SampledFrom(names).Draw(p, "fault"))
}

func (h *history) send(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("m", rapid.IntRange(0, 5).Draw(p, "message"))
	to := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{one, two, six}), 1, 3, rapid.ID[string]).Draw(p, "to")
	how, agrees := h.how(p)
	g := rapid.SampledFrom(h.guards).Draw(p, "process")
	defer h.intends(message, to, how, agrees)()
	before := h.asked()
	receipt, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}, how)
	h.judges(p, how, before, receipt, err)
}

// twins are the same send in several processes at the same instant.
func (h *history) twins(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("m", rapid.IntRange(0, 5).Draw(p, "message"))
	defer h.intends(message, []string{one}, How{}, false)()
	var wg sync.WaitGroup
	for _, g := range append(h.guards, h.guards[0]) {
		wg.Go(func() {
			_, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: client.Recipients{one}}, How{Ask: yes})
			_ = h.ours(err)
		})
	}
	wg.Wait()
}

func (h *history) group(p *rapid.T) {
	h.drawFault(p)
	message := fmt.Sprint("g", rapid.IntRange(0, 3).Draw(p, "message"))
	how, agrees := h.how(p)
	defer h.intends(message, []string{"+256700000012", "+256700000013"}, how, agrees)() // who are in the sandbox's group
	before := h.asked()
	receipt, err := rapid.SampledFrom(h.guards).Draw(p, "process").
		SendGroup(context.Background(), client.GroupSendRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}, how)
	h.judges(p, how, before, receipt, err)
}

func (h *history) pay(p *rapid.T) {
	h.drawFault(p)
	amount := int64(500 * rapid.IntRange(1, 3).Draw(p, "amount"))
	how, _ := h.how(p)
	before := h.asked()
	receipt, err := rapid.SampledFrom(h.guards).Draw(p, "process").
		TopUp(context.Background(), client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: one}, how)
	h.judges(p, how, before, receipt, err)
}

// keeps checks what must be true after every step.
func (h *history) keeps() {
	balance, charged := h.holdsUpTo(h.most)
	for _, times := range charged {
		balance += int64(times) * sandbox.CostPerSMS
	}
	var paid, open int64
	for _, s := range h.spends() {
		switch {
		case s.Tool != topUpTool || s.State == failed:
		case s.State == sent:
			paid += s.Total
		default:
			open += s.Total
		}
	}
	if credited := balance - startBalance; credited < paid || credited > paid+open {
		h.Errorf("UGX %d were credited, the ledger has %d and %d open", credited, paid, open)
	}
	var sends, topUps int64
	if err := h.guard.book.db.QueryRow(`SELECT coalesce(max(total) FILTER (WHERE kind = 'send'), 0), coalesce(max(total) FILTER (WHERE kind = 'topup'), 0) FROM days`).Scan(&sends, &topUps); err != nil ||
		sends > perDay || topUps > perDayTopUps {
		h.Errorf("UGX %d of sends and %d of top-ups in a day: %v", sends, topUps, err)
	}
}

func TestAnyHistoryKeepsThePromises(t *testing.T) {
	t.Parallel()
	steps := 0
	rapid.Check(t, func(p *rapid.T) {
		scope := &scope{TB: t}
		defer scope.end()
		h := newHistory(scope, rapid.SampledFrom([]int64{0, 70, 100_000}).Draw(p, "confirm above"))
		step := func(do func(*rapid.T)) func(*rapid.T) { return func(p *rapid.T) { steps++; do(p) } }
		p.Repeat(map[string]func(*rapid.T){
			"send": step(h.send), "send again": step(h.send), "twins": step(h.twins), "group": step(h.group), "top-up": step(h.pay),
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
				h.pass(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 9 * time.Minute, 11 * time.Minute, 5 * time.Hour}).Draw(p, "time"))
			}),
			"": func(*rapid.T) { h.keeps() },
		})
	})
	t.Logf("%d steps", steps)
	if flag.Lookup("rapid.checks").Value.String() == manyChecks && steps < manySteps {
		t.Errorf("%d steps are fewer than %d", steps, manySteps)
	}
}
