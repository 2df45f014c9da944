package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// openSpend is a spend with an unknown outcome, as the model knows it.
type openSpend struct {
	tool, folded string
	targets      []string
	at           time.Time
	charged      bool // by the sandbox's records
	named        bool // one yes has named it
}

// randomSpend is one spend of a random history.
type randomSpend struct {
	tool, message string
	reached       []string // numbers that a charge is recorded for
	targets       []string
	opts          SpendOptions
	run           func(*Guard, SpendOptions) (*Receipt, error)
}

func (r randomSpend) content() string { return r.tool + " " + fold.Message(r.message) }

// key is what a quote is for.
func (r randomSpend) key() string {
	return fmt.Sprint(r.content(), slices.Sorted(slices.Values(r.targets)), r.opts.AllowDuplicate)
}

// rewrites are ways to write a message that read the same.
var rewrites = []func(string) string{
	func(s string) string { return s },
	func(s string) string { return s + "\n" },
	func(s string) string { return strings.ReplaceAll(s, " ", "  ") },
	func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	func(s string) string { return strings.ReplaceAll(s, "'", "’") },
	func(s string) string { return strings.ReplaceAll(s, "-", "–") },
	func(s string) string { return s + "\u200b" },
	norm.NFD.String,
	upperWords,
}

// upperWords writes the words without a digit in capitals.
func upperWords(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		if !strings.ContainsFunc(word, unicode.IsDigit) {
			words[i] = strings.ToUpper(word)
		}
	}
	return strings.Join(words, " ")
}

// drawMessage draws one of six texts, in one of the ways to write it.
func drawMessage(p *rapid.T, prefix string) string {
	message := fmt.Sprint("It's the café - code ", prefix, rapid.IntRange(0, 5).Draw(p, "message"))
	return rewrites[rapid.IntRange(0, len(rewrites)-1).Draw(p, "written")](message)
}

func (h *randomHistory) newSend(message string, to ...string) randomSpend {
	r := randomSpend{tool: client.ToolSendSMS, message: message, reached: to, targets: to}
	r.run = func(g *Guard, o SpendOptions) (*Receipt, error) {
		return g.Send(context.Background(), sendRequest(message, to...), o)
	}
	return r
}

func (h *randomHistory) drawSend(p *rapid.T) randomSpend {
	numbers := rapid.SampledFrom([]string{phone1, phone2, phone3})
	to := rapid.SliceOfNDistinct(numbers, 1, 3, rapid.ID[string]).Draw(p, "to")
	r := h.newSend(drawMessage(p, "m"), to...)
	r.opts = h.drawOptions(p, r)
	return r
}

// drawOptions draws the options of a spend.
func (h *randomHistory) drawOptions(p *rapid.T, r randomSpend) SpendOptions {
	ask := rapid.SampledFrom([]string{"cannot ask", "yes", "no", "no answer"}).Draw(p, "ask")
	r.opts = SpendOptions{
		DryRun:         rapid.IntRange(0, 4).Draw(p, "dry run") == 0,
		AllowDuplicate: rapid.IntRange(0, 2).Draw(p, "allow duplicate") == 0,
		Elicit:         map[string]Elicitor{"yes": elicitYes, "no": elicitNo, "no answer": elicitError}[ask],
	}
	switch rapid.SampledFrom([]string{"none", "none", "its own", "any"}).Draw(p, "quote") {
	case "its own":
		r.opts.QuoteID = h.lastQuote[r.key()]
	case "any":
		r.opts.QuoteID = rapid.SampledFrom(h.quotes).Draw(p, "id of the quote")
	}
	return r.opts
}

// isConsent reports whether a spend that is made with these options was agreed to.
func (h *randomHistory) isConsent(o SpendOptions) bool {
	if o.Elicit == nil || h.options.Confirm != ConfirmAuto {
		return o.QuoteID != ""
	}
	answer, _ := o.Elicit(context.Background(), "")
	return answer == AnswerYes
}

// modelStep is one spend of the model, from before its calls until after them.
type modelStep struct {
	*randomHistory
	randomSpend
	requests int
	charges  map[string]int
	balance  int64
	consent  bool
	near     []*openSpend // that nobody has agreed to yet
	repeated []*openSpend // with the same content
	unknown  []string     // ids
}

func (h *randomHistory) begin(r randomSpend) *modelStep {
	s := &modelStep{randomHistory: h, randomSpend: r, requests: h.requestCount(), consent: h.isConsent(r.opts)}
	s.balance, s.charges = h.balance, h.charged
	for _, o := range h.open {
		if (o.tool == client.ToolTopUpWallet) != (r.tool == client.ToolTopUpWallet) || !overlap(o.targets, r.targets) {
			continue
		}
		if !o.named && h.now().Sub(o.at) < 24*time.Hour {
			s.near = append(s.near, o)
		}
		if o.folded == r.content() {
			s.repeated = append(s.repeated, o)
		}
	}
	return s
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func (s *modelStep) noteUnknown(failure *Error) {
	if codeOf(failure) == CodeOutcomeUnknown {
		s.unknown = append(s.unknown, failure.SpendID)
	}
}

// finish checks the step, and brings the model up to date.
func (s *modelStep) finish(p *rapid.T) {
	if s.requestCount() > s.requests {
		s.checkSent(p)
		s.allowCharges()
		s.acknowledge()
	}
	if len(s.unknown) == 0 {
		return
	}
	balance, charges := s.testEnv.charges(s.TB)
	for _, id := range s.unknown {
		s.events["unknown outcomes"]++
		s.open[id] = &openSpend{
			tool: s.tool, folded: s.content(), targets: s.targets, at: s.now(),
			charged: !maps.Equal(foldKeys(charges), s.charges) || balance != s.balance,
		}
	}
}

// checkSent checks that what was sent was allowed to be sent.
func (s *modelStep) checkSent(p *rapid.T) {
	switch {
	case s.opts.DryRun:
		p.Fatalf("a dry run sent a request")
	case len(s.near) > 0 && !s.consent:
		p.Fatalf("%s was sent near an unknown outcome, and nobody agreed", s.key())
	case len(s.repeated) > 0 && (!s.consent || !s.opts.AllowDuplicate):
		p.Fatalf("%s repeats an unknown outcome, and nobody agreed", s.key())
	}
	if len(s.near) > 0 {
		s.events["sent near an unknown outcome, with a yes"]++
	}
	if len(s.repeated) > 0 {
		s.events["repeated an unknown outcome, with a yes"]++
	}
}

// allowCharges raises maxCharges: a request was sent.
func (s *modelStep) allowCharges() {
	for _, number := range s.reached {
		key := fold.Message(s.message) + " " + number
		again := s.consent && s.opts.AllowDuplicate
		if s.maxCharges[key] == 0 || again || s.now().Sub(s.lastSent[key]) >= s.options.Limits.DuplicateWindow {
			s.maxCharges[key]++
		}
		s.lastSent[key] = s.now()
	}
}

// acknowledge notes that a confirmation has named the open spends.
func (s *modelStep) acknowledge() {
	if !s.consent {
		return
	}
	for _, o := range slices.Concat(s.near, s.repeated) {
		o.named = true
	}
}

// attempt makes a spend in one process, and checks its result.
func (h *randomHistory) attempt(p *rapid.T, r randomSpend, g *Guard) {
	step := h.begin(r)
	receipt, err := r.run(g, r.opts)
	failure := h.asGuardError(err)
	h.keepQuote(r, receipt, failure)
	refused := slices.Contains([]string{
		CodeDuplicateSend, CodeLimitExceeded, CodeDeclined, CodeConfirmationRequired, CodeInvalidArguments,
	}, codeOf(failure))
	if refused && h.requestCount() != step.requests {
		p.Fatalf("%v, but a request was sent", failure)
	}
	if h.options.Confirm == ConfirmOff && codeOf(failure) == CodeConfirmationRequired {
		h.events["a quote was needed with confirmations off"]++
	}
	step.noteUnknown(failure)
	step.finish(p)
}

// keepQuote keeps the id of a quote for later spends.
func (h *randomHistory) keepQuote(r randomSpend, receipt *Receipt, failure *Error) {
	quote := (*Quote)(nil)
	if receipt != nil && receipt.Response == nil {
		quote = receipt.Quote
	} else if failure != nil {
		quote = failure.Quote
	}
	if quote != nil && quote.ID != "" {
		h.quotes = append(h.quotes, quote.ID)
		h.lastQuote[r.key()] = quote.ID
	}
}

// settle settles one of the open spends by what the sandbox has charged.
func (h *randomHistory) settle(p *rapid.T) {
	if len(h.open) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(h.open))).Draw(p, "spend")
	state := ledger.StateFailed
	if h.open[id].charged {
		state = ledger.StateSent
	}
	l, err := h.guard.openLedger(context.Background())
	if err == nil {
		err = l.Resolve(context.Background(), id, state)
	}
	if err != nil {
		p.Fatalf("%s could not be settled: %v", id, err)
	}
	h.events["settled as "+string(state)]++
	delete(h.open, id)
}

// pausingAPI calls pause before a send, when its intent is stored.
type pausingAPI struct {
	API
	pause func()
}

func (a pausingAPI) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	a.pause()
	return a.API.Send(ctx, r)
}

// suspendedSend suspends a process after its intent is stored, until the row counts
// as unknown. The user may settle it, and another process sends the same. What the
// suspended process then does sends nothing.
func (h *randomHistory) suspendedSend(p *rapid.T) {
	h.drawFault(p)
	current := h.guard
	h.restart()
	suspended := h.guard
	h.guard = current
	r := h.drawSend(p)
	near := h.begin(r)
	requests := h.requestCount()
	suspended.departureTimeout = -1 // it is late whenever it continues
	suspended.api = pausingAPI{suspended.api, func() {
		near.acknowledge()
		h.advance(ledger.CallTimeout)
		h.events["suspended after the intent"]++
		if rapid.Bool().Draw(p, "settled") {
			h.settleUntracked(p)
		}
		again := r
		again.opts = h.drawOptions(p, again)
		before := h.requestCount()
		h.attempt(p, again, h.drawGuard(p))
		requests += h.requestCount() - before
		if h.requestCount() > before {
			h.events["sent while another process was suspended"]++
		}
	}}
	receipt, err := r.run(suspended, r.opts)
	h.keepQuote(r, receipt, h.asGuardError(err))
	if h.requestCount() != requests {
		p.Fatalf("%s was sent late", r.key())
	}
	_ = suspended.Close()
}

// settleUntracked settles the spend of a suspended process as failed.
func (h *randomHistory) settleUntracked(p *rapid.T) {
	for _, s := range h.spends() {
		if _, tracked := h.open[s.ID]; tracked || s.State != ledger.StateUnknown {
			continue
		}
		if err := h.guard.opened().Resolve(context.Background(), s.ID, ledger.StateFailed); err != nil {
			p.Fatalf("%s could not be settled: %v", s.ID, err)
		}
	}
}
