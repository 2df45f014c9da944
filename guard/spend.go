package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

// allowDuplicate marks an intent that may repeat another.
const allowDuplicate = "allow_duplicate"

// How says how a spend is to be made.
type How struct {
	DryRun         bool   // make a quote, and nothing else
	Quote          string // the id of the quote that is used
	Presented      string // another that the call came with, before a person was asked about Quote
	AllowDuplicate bool   // where a person agrees
	Ask            Asker  // nil: nobody can be asked
	// Answer is what a person said when asked about the quote, where the
	// question was put outside this call.
	Answer Answer
}

// Asker puts a question to a person. ErrLater says that the answer comes with
// another call.
type Asker func(ctx context.Context, question string) (Answer, error)

// ErrLater is for an Asker that cannot wait for the answer.
var ErrLater = errors.New("the answer comes with another call")

// Answer is what a person said. Whatever is not a clean yes is a no.
type Answer int

// The answers.
const (
	NotAsked Answer = iota
	Yes
	No
)

// Mode is how a spend is confirmed.
type Mode string

// The modes.
const (
	Auto    Mode = "auto"   // ask the person if the client can, else by quote
	Elicit  Mode = "elicit" // ask the person, or do not spend
	ByQuote Mode = "quote"  // a second call with the quote's id confirms
	Off     Mode = "off"    // never
)

// Receipt is a spend that was accepted, or a quote.
type Receipt struct {
	*client.Response        // nil for a quote
	Quote            *Quote // of a dry run; otherwise what is known without one
	Left             int64  // of the day's budget
}

// spending is one call that spends.
type spending struct {
	wallet  string
	intent  intent
	quote   Quote
	message string                      // for the question
	size    func(context.Context) error // reads how many it reaches; nil where that is known
	unsized bool                        // it could not be read
	act     func(context.Context) (*client.Response, error)
}

// spend makes a spend: it is held against the limits and written down, agreed
// to where that is due, made, and its outcome written down.
func (g *Guard) spend(ctx context.Context, s *spending, how How) (*Receipt, error) {
	s.intent.caller = g.caller
	if how.AllowDuplicate { // so that a quote without it does not stand for one with it
		s.intent.rest = append(s.intent.rest, allowDuplicate)
	}
	if how.Answer == Yes { // a person may have thought for minutes
		g.forget(s.wallet)
	}
	if err := g.owns(ctx, s.wallet); err != nil {
		return nil, err
	}
	if err := g.named(ctx); err != nil {
		return nil, err
	}
	if !how.DryRun {
		ledger, err := g.ledger(ctx)
		switch {
		case err != nil:
			return nil, err
		case how.Answer == No:
			return nil, g.declined(ctx, ledger, s, how.Quote, how.Presented)
		case how.Answer == Yes && how.Quote == "":
			return nil, Fail(ConfirmationRequired, "Nothing was sent: the answer belongs to no question.")
		}
	}
	if err := g.plan(ctx, s); err != nil {
		return nil, err
	}
	if how.DryRun {
		q, err := g.price(ctx, s)
		return &Receipt{Quote: q}, err
	}
	ledger, v, err := g.permitted(ctx, s, how)
	if err != nil {
		return nil, err
	}
	response, err := s.act(ctx)
	g.settle(ctx, ledger, v, err)
	if err != nil {
		return nil, s.explained(err, v.id, ledger)
	}
	return &Receipt{response, &s.quote, v.left}, nil
}

// owns makes sure that a caller among many may look into the wallet: the vendor
// says so, by answering its balance within the time that a price holds. Before
// that nothing of the wallet is read from the ledger or written to it, or whoever
// guesses a wallet's name would learn what was sent from it, and could hold up
// what its owner sends.
func (g *Guard) owns(ctx context.Context, wallet string) error {
	if g.caller == "" {
		return nil
	}
	_, err := g.cost(ctx, wallet)
	return err
}

// plan reads what the cost depends on, as it is now.
func (g *Guard) plan(ctx context.Context, s *spending) error {
	if s.intent.topUp {
		return nil
	}
	if s.size != nil {
		if err := s.size(ctx); err != nil {
			return err
		}
	}
	if s.unsized {
		a, err := g.account(ctx, s.wallet)
		if err != nil {
			return err
		}
		return g.priced(s, a)
	}
	cost, err := g.cost(ctx, s.wallet)
	if err != nil {
		return err
	}
	return g.priced(s, account{cost: cost})
}

// priced fills in what a spend costs: where nobody knows how many it reaches,
// all that the wallet holds.
func (g *Guard) priced(s *spending, a account) error {
	if s.intent.topUp {
		return nil
	}
	s.intent.total = total(s.intent.units, s.intent.recipients, a.cost)
	if s.unsized {
		s.intent.total = max(a.balance, 0)
		if most, limit := g.recipients(); s.intent.total > total(s.intent.units, most, a.cost) {
			return Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: the group's size cannot be read, and the wallet could pay for more than the %d recipients that one call may reach (%s). Only the operator can change it.", most, limit))
		}
	}
	s.quote.CostPerSMS, s.quote.Total = a.cost, s.intent.total
	return nil
}

// permitted holds a spend against the limits, has a person agree where that is
// due, and writes it down.
func (g *Guard) permitted(ctx context.Context, s *spending, how How) (*Ledger, verdict, error) {
	l, err := g.ledger(ctx)
	if err != nil {
		return nil, verdict{}, err
	}
	t := terms{
		quote: how.Quote, presented: how.Presented, answered: how.Answer == Yes, allowDuplicate: how.AllowDuplicate,
		limits: g.options.Limits, own: g.own, window: g.duplicateWindow(),
		confirmed: how.Answer == Yes || how.Quote != "" && g.standsFor(how), unasked: g.options.Confirm == Off,
	}
	v, err := g.admit(ctx, l, s, t)
	if err != nil || v.why == "" {
		return l, v, err
	}
	if how.Ask == nil && g.options.Confirm == Elicit {
		failure := Fail(ConfirmationRequired, "Nothing was sent: a person must agree ("+v.why+"), this host cannot ask one, and the operator allows nothing else (WESENDALL_CONFIRM=elicit).")
		failure.Retry = client.RetryNo
		return l, v, failure
	}
	q, err := g.price(ctx, s)
	if err != nil {
		return l, v, err
	}
	// By now the price may be another one, or the same was sent by somebody else:
	// the question must say so.
	if v, err = g.admit(ctx, l, s, t); err != nil || v.why == "" {
		return l, v, err
	}
	if err := g.agree(ctx, l, s, how, v, q); err != nil {
		return l, v, err
	}
	// And a person may have thought for minutes.
	g.forget(s.wallet)
	if err := g.owns(ctx, s.wallet); err != nil {
		return l, v, err
	}
	if err := g.plan(ctx, s); err != nil {
		return l, v, err
	}
	t.quote, t.presented, t.confirmed = q.ID, how.Quote, true
	v, err = g.admit(ctx, l, s, t)
	return l, v, err
}

// standsFor tells whether a quote's id is agreement enough.
func (g *Guard) standsFor(how How) bool {
	return g.options.Confirm == ByQuote || g.options.Confirm == Auto && how.Ask == nil
}

// admit asks the ledger, and makes errors of its refusals. What is left to do
// is in the verdict's why.
func (g *Guard) admit(ctx context.Context, l *Ledger, s *spending, t terms) (verdict, error) {
	if err := g.wait(ctx); err != nil { // for the request, which must leave at once when it is written down
		return verdict{}, err
	}
	v, err := l.admit(ctx, &s.intent, t)
	if v.id == "" {
		g.unused()
	}
	s.quote.Total = s.intent.total
	switch {
	case err != nil:
		return v, g.broken(err)
	case v.burnt != "":
		return v, Fail(ConfirmationRequired, "Nothing was sent: "+v.burnt+". Make a new quote with dry_run, show it to your user, and use that one.")
	case v.duplicate != nil:
		return v, duplicate(&s.intent, v.duplicate)
	case v.over != "":
		most := fmt.Sprintf("UGX %s are left of today's limit", thousands(v.left))
		if s.intent.total > v.most {
			most = "one call may take UGX " + thousands(v.most)
		}
		return v, Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: it takes UGX %s, and %s (%s). Only the operator can change it.", thousands(s.intent.total), most, v.over))
	}
	return v, nil
}

// agree has a person agree to a quote, or says what is needed for that.
func (g *Guard) agree(ctx context.Context, l *Ledger, s *spending, how How, v verdict, q *Quote) error {
	required := Fail(ConfirmationRequired, "Nothing was sent yet, because "+v.why+". Show your user the quote; if they agree, call again with the same arguments and quote: \""+q.ID+"\".")
	required.Quote = q
	if how.Ask == nil || g.options.Confirm == ByQuote {
		return required
	}
	required.Question = q.question(s.intent.tool, s.message, v.why)
	progress(ctx, "Waiting for your user's answer.", false)
	answer, err := how.Ask(ctx, required.Question)
	progress(ctx, AtVendor, false)
	switch {
	case errors.Is(err, ErrLater):
		if err := l.asked(ctx, q.ID); err != nil {
			return g.broken(err)
		}
		return required
	case err != nil:
		failure := g.declined(ctx, l, s, q.ID, how.Quote)
		failure.Message = strings.Replace(failure.Message, notAgreed, "nobody answered the question", 1)
		return failure
	case answer != Yes:
		return g.declined(ctx, l, s, q.ID, how.Quote)
	}
	return nil
}

const notAgreed = "your user did not agree"

func (g *Guard) declined(ctx context.Context, l *Ledger, s *spending, quotes ...string) *Error {
	var broken error
	for _, quote := range quotes {
		broken = errors.Join(broken, l.burn(context.WithoutCancel(ctx), &s.intent, quote))
	}
	if broken != nil {
		return g.broken(broken)
	}
	return Fail(Declined, "Nothing was sent: "+notAgreed+". Do not try again unless they ask for it.")
}

// price completes the quote of a spend by what the wallet holds and a unit costs
// now, and writes it down unless something in it cannot be sent.
func (g *Guard) price(ctx context.Context, s *spending) (*Quote, error) {
	a, err := g.account(ctx, s.wallet)
	if err != nil {
		return nil, err
	}
	if err := g.priced(s, a); err != nil {
		return nil, err
	}
	q := s.quote
	q.Notes = slices.Clone(q.Notes)
	q.Balance = a.balance
	q.BalanceAfter = a.balance - s.intent.total
	if s.intent.topUp {
		q.BalanceAfter = a.balance + s.intent.total
	} else if q.BalanceAfter < 0 {
		q.Notes = append(q.Notes, "The balance does not cover it.")
	}
	if len(q.Refused) > 0 {
		return &q, nil
	}
	ledger, err := g.ledger(ctx)
	if err != nil {
		return nil, err
	}
	var found *earlier
	if slices.Contains(s.intent.rest, allowDuplicate) {
		if found, err = ledger.repeats(ctx, &s.intent, g.duplicateWindow()); err != nil {
			return nil, g.broken(err)
		}
		if found != nil {
			q.Notes = append(q.Notes, found.named())
		}
	}
	id, expires, err := ledger.quote(ctx, &s.intent, found.ids())
	if err != nil {
		return nil, g.broken(err)
	}
	expires = expires.UTC().Truncate(time.Second)
	q.ID, q.ExpiresAt = id, &expires
	return &q, nil
}

// settle writes down what came of a call. It does so whatever became of the
// caller; a row without an outcome is unknown once its time is over.
func (g *Guard) settle(ctx context.Context, l *Ledger, v verdict, err error) {
	state, code := sent, ""
	if err != nil {
		state, code = failed, asError(err).Code
		if asError(err).Money == client.Unknown {
			state = unknown
		}
	}
	if err := l.outcome(context.WithoutCancel(ctx), v, state, code); err != nil && g.options.Log != nil {
		g.options.Log.Error("the outcome of a spend could not be written down at once; it is tried again", "id", v.id, "state", state, "error", err)
	}
}
