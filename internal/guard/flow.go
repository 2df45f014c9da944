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

// allowDuplicateMarker marks an intent that may repeat another.
const allowDuplicateMarker = "allow_duplicate"

// SpendOptions says how a spend is to be made.
type SpendOptions struct {
	DryRun           bool     // make a quote, and nothing else
	QuoteID          string   // the id of the quote that is used
	PresentedQuoteID string   // another that the call came with, before a person was asked about Quote
	AllowDuplicate   bool     // where a person agrees
	Elicit           Elicitor // nil: nobody can be asked
	// Answer is what a person said when asked about the quote, where the
	// question was put outside this call.
	Answer Answer
}

// Elicitor puts a question to a person. ErrAnswerPending says that the answer comes with
// another call.
type Elicitor func(ctx context.Context, question string) (Answer, error)

// ErrAnswerPending is for an Elicitor that cannot wait for the answer.
var ErrAnswerPending = errors.New("the answer comes with another call")

// Answer is what a person said. Whatever is not a clean yes is a no.
type Answer int

// The answers.
const (
	AnswerNone Answer = iota
	AnswerYes
	AnswerNo
)

// ConfirmMode is how a spend is confirmed.
type ConfirmMode string

// The modes.
const (
	ConfirmAuto    ConfirmMode = "auto"   // ask the person if the client can, else by quote
	ConfirmElicit  ConfirmMode = "elicit" // ask the person, or do not spend
	ConfirmByQuote ConfirmMode = "quote"  // a second call with the quote's id confirms
	ConfirmOff     ConfirmMode = "off"    // never
)

// Receipt is a spend that was accepted, or a quote.
type Receipt struct {
	*client.Response        // nil for a quote
	Quote            *Quote // of a dry run; otherwise what is known without one
	BudgetRemaining  int64  // of the day's budget
}

// spendCall is one call that spends.
type spendCall struct {
	walletID    string
	intent      Intent
	quote       Quote
	messageText string                      // for the question
	loadSize    func(context.Context) error // reads how many it reaches; nil where that is known
	sizeUnknown bool                        // it could not be read
	send        func(context.Context) (*client.Response, error)
}

// execute makes a spend: it is held against the limits and written down, agreed
// to where that is due, made, and its outcome written down.
func (g *Guard) execute(ctx context.Context, s *spendCall, opts SpendOptions) (*Receipt, error) {
	s.intent.Caller = g.callerID
	if opts.AllowDuplicate { // so that a quote without it does not stand for one with it
		s.intent.QuoteKey = append(s.intent.QuoteKey, allowDuplicateMarker)
	}
	if opts.Answer == AnswerYes { // a person may have thought for minutes
		g.invalidatePrice(s.walletID)
	}
	if err := g.checkWalletAccess(ctx, s.walletID); err != nil {
		return nil, err
	}
	if err := g.requireStableID(ctx); err != nil {
		return nil, err
	}
	if !opts.DryRun {
		l, err := g.openLedger(ctx)
		switch {
		case err != nil:
			return nil, err
		case opts.Answer == AnswerNo:
			return nil, g.decline(ctx, l, s, opts.QuoteID, opts.PresentedQuoteID)
		case opts.Answer == AnswerYes && opts.QuoteID == "":
			return nil, NewError(CodeConfirmationRequired, "Nothing was sent: the answer belongs to no question.")
		}
	}
	if err := g.loadCosts(ctx, s); err != nil {
		return nil, err
	}
	if opts.DryRun {
		q, err := g.createQuote(ctx, s)
		return &Receipt{Quote: q}, err
	}
	l, d, err := g.authorize(ctx, s, opts)
	if err != nil {
		return nil, err
	}
	response, err := s.send(ctx)
	g.recordOutcome(ctx, l, d, err)
	if err != nil {
		return nil, s.describeUnknown(err, d.SpendID, l)
	}
	return &Receipt{response, &s.quote, d.Remaining}, nil
}

// checkWalletAccess makes sure that a caller among many may look into the wallet: the vendor
// says so, by answering its balance within the time that a price holds. Before
// that nothing of the wallet is read from the ledger or written to it, or whoever
// guesses a wallet's name would learn what was sent from it, and could hold up
// what its owner sends.
func (g *Guard) checkWalletAccess(ctx context.Context, wallet string) error {
	if g.callerID == "" {
		return nil
	}
	_, err := g.unitCost(ctx, wallet)
	return err
}

// loadCosts reads what the cost depends on, as it is now.
func (g *Guard) loadCosts(ctx context.Context, s *spendCall) error {
	if s.intent.TopUp {
		return nil
	}
	if s.loadSize != nil {
		if err := s.loadSize(ctx); err != nil {
			return err
		}
	}
	if s.sizeUnknown {
		info, err := g.fetchBalance(ctx, s.walletID)
		if err != nil {
			return err
		}
		return g.applyPrice(s, info)
	}
	cost, err := g.unitCost(ctx, s.walletID)
	if err != nil {
		return err
	}
	return g.applyPrice(s, balanceInfo{unitCost: cost})
}

// applyPrice fills in what a spend costs: where nobody knows how many it reaches,
// all that the wallet holds.
func (g *Guard) applyPrice(s *spendCall, info balanceInfo) error {
	if s.intent.TopUp {
		return nil
	}
	s.intent.TotalUGX = estimateTotal(s.intent.Units, s.intent.Recipients, info.unitCost)
	if s.sizeUnknown {
		s.intent.TotalUGX = max(info.balanceUGX, 0)
		if maxCount, limitName := g.maxRecipients(); s.intent.TotalUGX > estimateTotal(s.intent.Units, maxCount, info.unitCost) {
			return NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: the group's size cannot be read, and the wallet could pay for more than the %d recipients that one call may reach (%s). Only the operator can change it.", maxCount, limitName))
		}
	}
	s.quote.CostPerSMS, s.quote.TotalUGX = info.unitCost, s.intent.TotalUGX
	return nil
}

// authorize holds a spend against the limits, has a person agree where that is
// due, and writes it down.
func (g *Guard) authorize(ctx context.Context, s *spendCall, opts SpendOptions) (*Ledger, Decision, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return nil, Decision{}, err
	}
	policy := Policy{
		UseQuote: opts.QuoteID, AlsoVoid: opts.PresentedQuoteID, UserAnswered: opts.Answer == AnswerYes, AllowDuplicate: opts.AllowDuplicate,
		Limits: g.options.Limits, CallerLimits: g.callerLimits, DuplicateWindow: g.effectiveDuplicateWindow(),
		Confirmed: opts.Answer == AnswerYes || opts.QuoteID != "" && g.quoteConfirms(opts), ConfirmOff: g.options.Confirm == ConfirmOff,
	}
	d, err := g.reserve(ctx, l, s, policy)
	if err != nil || d.ConfirmReason == "" {
		return l, d, err
	}
	if opts.Elicit == nil && g.options.Confirm == ConfirmElicit {
		failure := NewError(CodeConfirmationRequired, "Nothing was sent: a person must agree ("+d.ConfirmReason+"), this host cannot ask one, and the operator allows nothing else (WESENDALL_CONFIRM=elicit).")
		failure.Retry = client.RetryNever
		return l, d, failure
	}
	q, err := g.createQuote(ctx, s)
	if err != nil {
		return l, d, err
	}
	// By now the price may be another one, or the same was sent by somebody else:
	// the question must say so.
	if d, err = g.reserve(ctx, l, s, policy); err != nil || d.ConfirmReason == "" {
		return l, d, err
	}
	if err := g.confirm(ctx, l, s, opts, d, q); err != nil {
		return l, d, err
	}
	// And a person may have thought for minutes.
	g.invalidatePrice(s.walletID)
	if err := g.checkWalletAccess(ctx, s.walletID); err != nil {
		return l, d, err
	}
	if err := g.loadCosts(ctx, s); err != nil {
		return l, d, err
	}
	policy.UseQuote, policy.AlsoVoid, policy.Confirmed = q.ID, opts.QuoteID, true
	d, err = g.reserve(ctx, l, s, policy)
	return l, d, err
}

// quoteConfirms tells whether a quote's id is agreement enough.
func (g *Guard) quoteConfirms(opts SpendOptions) bool {
	return g.options.Confirm == ConfirmByQuote || g.options.Confirm == ConfirmAuto && opts.Elicit == nil
}

// reserve asks the ledger, and makes errors of its refusals. What is left to do
// is in the verdict's why.
func (g *Guard) reserve(ctx context.Context, l *Ledger, s *spendCall, policy Policy) (Decision, error) {
	if err := g.waitForRate(ctx); err != nil { // for the request, which must leave at once when it is written down
		return Decision{}, err
	}
	d, err := l.Reserve(ctx, &s.intent, policy)
	if d.SpendID == "" {
		g.refundRate()
	}
	s.quote.TotalUGX = s.intent.TotalUGX
	switch {
	case err != nil:
		return d, g.ledgerError(err)
	case d.QuoteVoidReason != "":
		return d, NewError(CodeConfirmationRequired, "Nothing was sent: "+d.QuoteVoidReason+". Make a new quote with dry_run, show it to your user, and use that one.")
	case d.Duplicates != nil:
		return d, duplicateError(&s.intent, d.Duplicates)
	case d.ExceededLimit != "":
		remaining := fmt.Sprintf("UGX %s are left of today's limit", formatThousands(d.Remaining))
		if s.intent.TotalUGX > d.CallLimit {
			remaining = "one call may take UGX " + formatThousands(d.CallLimit)
		}
		return d, NewError(CodeLimitExceeded, fmt.Sprintf("Nothing was sent: it takes UGX %s, and %s (%s). Only the operator can change it.", formatThousands(s.intent.TotalUGX), remaining, d.ExceededLimit))
	}
	return d, nil
}

// confirm has a person agree to a quote, or says what is needed for that.
func (g *Guard) confirm(ctx context.Context, l *Ledger, s *spendCall, opts SpendOptions, d Decision, q *Quote) error {
	required := NewError(CodeConfirmationRequired, "Nothing was sent yet, because "+d.ConfirmReason+". Show your user the quote; if they agree, call again with the same arguments and quote: \""+q.ID+"\".")
	required.Quote = q
	if opts.Elicit == nil || g.options.Confirm == ConfirmByQuote {
		return required
	}
	required.ConfirmationPrompt = q.confirmationPrompt(s.intent.Tool, s.messageText, d.ConfirmReason)
	reportProgress(ctx, "Waiting for your user's answer.", false)
	answer, err := opts.Elicit(ctx, required.ConfirmationPrompt)
	reportProgress(ctx, ProgressUpstream, false)
	switch {
	case errors.Is(err, ErrAnswerPending):
		if err := l.MarkAsked(ctx, q.ID); err != nil {
			return g.ledgerError(err)
		}
		return required
	case err != nil:
		failure := g.decline(ctx, l, s, q.ID, opts.QuoteID)
		failure.Message = strings.Replace(failure.Message, declinedText, "nobody answered the question", 1)
		return failure
	case answer != AnswerYes:
		return g.decline(ctx, l, s, q.ID, opts.QuoteID)
	}
	return nil
}

const declinedText = "your user did not agree"

func (g *Guard) decline(ctx context.Context, l *Ledger, s *spendCall, quoteIDs ...string) *Error {
	var voidErr error
	for _, quoteID := range quoteIDs {
		voidErr = errors.Join(voidErr, l.Void(context.WithoutCancel(ctx), &s.intent, quoteID))
	}
	if voidErr != nil {
		return g.ledgerError(voidErr)
	}
	return NewError(CodeDeclined, "Nothing was sent: "+declinedText+". Do not try again unless they ask for it.")
}

// createQuote completes the quote of a spend by what the wallet holds and a unit costs
// now, and writes it down unless something in it cannot be sent.
func (g *Guard) createQuote(ctx context.Context, s *spendCall) (*Quote, error) {
	info, err := g.fetchBalance(ctx, s.walletID)
	if err != nil {
		return nil, err
	}
	if err := g.applyPrice(s, info); err != nil {
		return nil, err
	}
	q := s.quote
	q.Notes = slices.Clone(q.Notes)
	q.BalanceUGX = info.balanceUGX
	q.BalanceAfterUGX = info.balanceUGX - s.intent.TotalUGX
	if s.intent.TopUp {
		q.BalanceAfterUGX = info.balanceUGX + s.intent.TotalUGX
	} else if q.BalanceAfterUGX < 0 {
		q.Notes = append(q.Notes, "The balance does not cover it.")
	}
	if len(q.Rejected) > 0 {
		return &q, nil
	}
	l, err := g.openLedger(ctx)
	if err != nil {
		return nil, err
	}
	var dups *Duplicates
	if slices.Contains(s.intent.QuoteKey, allowDuplicateMarker) {
		if dups, err = l.FindDuplicates(ctx, &s.intent, g.effectiveDuplicateWindow()); err != nil {
			return nil, g.ledgerError(err)
		}
		if dups != nil {
			q.Notes = append(q.Notes, dups.Describe())
		}
	}
	id, expiresAt, err := l.InsertQuote(ctx, &s.intent, dups.IDs())
	if err != nil {
		return nil, g.ledgerError(err)
	}
	expiresAt = expiresAt.UTC().Truncate(time.Second)
	q.ID, q.ExpiresAt = id, &expiresAt
	return &q, nil
}

// recordOutcome writes down what came of a call. It does so whatever became of the
// caller; a row without an outcome is unknown once its time is over.
func (g *Guard) recordOutcome(ctx context.Context, l *Ledger, d Decision, err error) {
	state, code := StateSent, ""
	if err != nil {
		state, code = StateFailed, toError(err).Code
		if toError(err).Money == client.MoneyUnknown {
			state = StateUnknown
		}
	}
	if err := l.RecordOutcome(context.WithoutCancel(ctx), d, state, code); err != nil && g.options.Logger != nil {
		g.options.Logger.Error("the outcome of a spend could not be written down at once; it is tried again", "id", d.SpendID, "state", state, "error", err)
	}
}
