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
	AllowDuplicate bool   // where a person agrees
	Caller         string // whose quotes these are
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
	intent  intent
	quote   Quote
	message string // for the question
	act     func(context.Context) (*client.Response, error)
}

// spend makes a spend: it is held against the limits and written down, agreed
// to where that is due, made, and its outcome written down.
func (g *Guard) spend(ctx context.Context, wallet string, s *spending, how How) (*Receipt, error) {
	s.intent.caller = how.Caller
	if how.AllowDuplicate { // so that a quote without it does not stand for one with it
		s.intent.rest = append(s.intent.rest, allowDuplicate)
	}
	if how.DryRun {
		q, err := g.price(ctx, wallet, s)
		return &Receipt{Quote: q}, err
	}
	if len(s.quote.Refused) > 0 {
		return nil, Fail(InvalidArguments, "Nothing was sent. "+strings.Join(numbers{refused: s.quote.Refused}.faults(s.intent.rest[0]), "; "))
	}
	ledger, err := g.ledger(ctx)
	if err != nil {
		return nil, err
	}
	if how.Answer == No {
		return nil, g.declined(ctx, ledger, how.Quote)
	}
	if how.Answer == Yes && how.Quote == "" {
		return nil, Fail(ConfirmationRequired, "Nothing was sent: the answer belongs to no question.")
	}
	t := terms{
		quote: how.Quote, allowDuplicate: how.AllowDuplicate, limits: g.options.Limits,
		agreed: how.Answer == Yes || g.options.Confirm == Off || how.Quote != "" && g.standsFor(how),
	}
	v, err := g.admit(ctx, ledger, s, t)
	if err != nil {
		return nil, err
	}
	if v.why != "" {
		if t.quote, err = g.agree(ctx, ledger, wallet, s, how, v); err != nil {
			return nil, err
		}
		t.agreed = true
		if v, err = g.admit(ctx, ledger, s, t); err != nil {
			return nil, err
		}
	}
	response, err := s.act(ctx)
	g.settle(ctx, ledger, v.id, err)
	if err != nil {
		return nil, err
	}
	return &Receipt{response, &s.quote, v.left}, nil
}

// standsFor tells whether a quote's id is agreement enough.
func (g *Guard) standsFor(how How) bool {
	return g.options.Confirm == ByQuote || g.options.Confirm == Auto && how.Ask == nil
}

// admit asks the ledger, and makes errors of its refusals. What is left to do
// is in the verdict's why.
func (g *Guard) admit(ctx context.Context, l *Ledger, s *spending, t terms) (verdict, error) {
	v, err := l.admit(ctx, &s.intent, t)
	limits := g.options.Limits
	switch {
	case err != nil:
		return v, g.broken(err)
	case v.burnt != "":
		return v, Fail(ConfirmationRequired, "Nothing was sent: "+v.burnt+". Make a new quote with dry_run, show it to your user, and use that one.")
	case v.duplicate != nil && (v.why == "" || t.agreed):
		return v, duplicate(&s.intent, v.duplicate)
	case v.over == "WESENDALL_MAX_PER_DAY", v.over == "WESENDALL_MAX_TOPUP" && s.intent.total <= limits.TopUp:
		return v, Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: it takes UGX %s, and UGX %s are left of today's limit (%s). Only the operator can change it.", thousands(s.intent.total), thousands(v.left), v.over))
	case v.over != "":
		most := limits.PerCall
		if s.intent.topUp {
			most = limits.TopUp
		}
		return v, Fail(LimitExceeded, fmt.Sprintf("Nothing was sent: it takes UGX %s, and one call may take UGX %s (%s). Only the operator can change it.", thousands(s.intent.total), thousands(most), v.over))
	}
	return v, nil
}

// agree has a person agree, and returns the id of the quote that stands for it.
func (g *Guard) agree(ctx context.Context, l *Ledger, wallet string, s *spending, how How, v verdict) (string, error) {
	if how.Ask == nil && g.options.Confirm == Elicit {
		return "", Fail(ConfirmationRequired, "Nothing was sent: a person must agree ("+v.why+"), this host cannot ask one, and the operator allows nothing else (WESENDALL_CONFIRM=elicit).")
	}
	q, err := g.price(ctx, wallet, s)
	if err != nil {
		return "", err
	}
	required := Fail(ConfirmationRequired, "Nothing was sent yet, because "+v.why+". Show your user the quote; if they agree, call again with the same arguments and quote: \""+q.ID+"\".")
	required.Quote = q
	if how.Ask == nil || g.options.Confirm == ByQuote {
		return "", required
	}
	required.Question = q.question(s.intent.tool, s.message, v.why)
	answer, err := how.Ask(ctx, required.Question)
	switch {
	case errors.Is(err, ErrLater):
		return "", required
	case err != nil || answer != Yes:
		return "", g.declined(ctx, l, q.ID)
	}
	return q.ID, nil
}

func (g *Guard) declined(ctx context.Context, l *Ledger, quote string) error {
	if err := l.burn(context.WithoutCancel(ctx), quote); err != nil {
		return g.broken(err)
	}
	return Fail(Declined, "Nothing was sent: your user did not agree. Do not try again unless they ask for it.")
}

// price completes the quote of a spend, and writes it down unless something in
// it cannot be sent.
func (g *Guard) price(ctx context.Context, wallet string, s *spending) (*Quote, error) {
	a, err := g.account(ctx, wallet)
	if err != nil {
		return nil, err
	}
	q := s.quote
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
	if slices.Contains(s.intent.rest, allowDuplicate) {
		found, err := ledger.repeats(ctx, &s.intent, g.options.Limits.DuplicateWindow)
		if err != nil {
			return nil, g.broken(err)
		}
		if found != nil {
			q.Notes = append(q.Notes, found.named())
		}
	}
	id, expires, err := ledger.quote(ctx, &s.intent)
	if err != nil {
		return nil, g.broken(err)
	}
	expires = expires.UTC().Truncate(time.Second)
	q.ID, q.ExpiresAt = id, &expires
	return &q, nil
}

// settle writes down what came of a call. It does so whatever became of the
// caller; a row without an outcome is unknown once its time is over.
func (g *Guard) settle(ctx context.Context, l *Ledger, id string, err error) {
	state, code := sent, ""
	if err != nil {
		state, code = failed, asError(err).Code
		if asError(err).Money == client.Unknown {
			state = unknown
		}
	}
	if err := l.outcome(context.WithoutCancel(ctx), id, state, code); err != nil && g.options.Log != nil {
		g.options.Log.Error("the outcome of a spend could not be written down; it will count as unknown", "id", id, "state", state, "error", err)
	}
}

// duplicate is the refusal of what was already done, or may have been.
func duplicate(in *intent, e *earlier) *Error {
	what := "sent"
	if in.topUp {
		what = "asked for"
	}
	outcome := map[string]string{sent: "was accepted", inProgress: "is still running, or was cut off", unknown: "has an outcome that nobody knows"}[e.state]
	if outcome == "" {
		outcome = "ended (" + e.state + ")"
	}
	failure := Fail(DuplicateSend, fmt.Sprintf(
		"Nothing was %s: the same was %s at %s (UGX %s), and that %s.", what, what, e.created.In(kampala).Format("15:04:05 on 2 January"), thousands(e.total), outcome))
	if len(e.overlap) > 0 && !in.topUp && in.tool != "send_group_sms" {
		failure.Overlap = e.overlap[:min(len(e.overlap), shown)]
		failure.Message += fmt.Sprintf(" It covers %s.", count(len(e.overlap), "of these recipients"))
	}
	failure.Message += " Look at list_sms_history. Only if your user wants it twice, call again with allow_duplicate: true."
	if in.topUp {
		failure.Next = "get_balance"
	}
	return failure
}

// broken is the error of a ledger that does not work.
func (*Guard) broken(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return Fail(Unreachable, "The call was cancelled before it began. Nothing was sent.")
	}
	return Fail(NotConfigured, "Nothing was sent: the ledger of spends cannot be used ("+err.Error()+"). The operator must make its file writable, free space, or choose another (WESENDALL_LEDGER=PATH). Reading works.")
}

// asError is an error as all of this package's are.
func asError(err error) *Error {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure
	}
	return Fail(OutcomeUnknown, err.Error())
}
