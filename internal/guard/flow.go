package guard

import (
	"context"
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// The path of a spend. Send, SendGroup and TopUp (requests.go) count the numbers of a
// request, check with checkCaller that the caller may use the wallet and that the
// ledger can name the caller, and only then parse the numbers, which is the most
// expensive step. They describe the request as a spendCall. execute runs it, in these
// steps:
//
//  1. checkAnswer: if the user said no to an earlier elicitation, void its quote and end.
//  2. readCost: how many recipients it reaches and what that costs, now.
//  3. dryRun: with dry_run, make a quote and end.
//  4. reserve: the ledger decides. Reserved: go on. Refused: an error. Needs
//     confirmation: confirm makes a quote, asks the user and reads the cost again;
//     then step 4 runs once more.
//  5. spendCall.send: the request leaves. Its intent is stored by now.
//  6. recordOutcome: the outcome is stored, even if the caller has disconnected.

// spendCall is one spend as requested. Nothing changes it.
type spendCall struct {
	walletID    string
	intent      ledger.Intent // without caller, recipients of a group, and total
	groupID     string        // of a group send: its size must be read
	message     string        // of a send
	description string        // of a top-up
	quote       Quote         // what is known without the price
	audience    string        // the recipients in words, for a user
	send        func(ctx context.Context, targets []string) (*client.Response, error)
}

func (g *Guard) execute(ctx context.Context, c spendCall, o SpendOptions) (*Receipt, error) {
	if !o.DryRun {
		if err := g.checkAnswer(ctx, c, o); err != nil {
			return nil, err
		}
	}
	cost, err := g.readCost(ctx, c)
	if err != nil {
		return nil, err
	}
	if o.DryRun {
		return g.dryRun(ctx, c, cost, o)
	}
	policy := g.newPolicy(o)
	confirmed := confirmedBefore(policy, o)
	for {
		if cost.tooLarge != nil {
			return nil, cost.tooLarge
		}
		if cost, err = g.withOptOuts(c, cost); err != nil {
			return nil, err
		}
		if cost.optOuts.nobodyLeft() {
			return nil, nobodyLeftError(len(cost.optOuts.blocked))
		}
		reserved := cost.withoutOptOuts(c)
		d, err := g.reserve(ctx, g.newIntent(c, reserved, o), policy)
		if err != nil {
			return nil, err
		}
		if d.Verdict == ledger.Reserved {
			receipt, err := g.sendReserved(ctx, c, reserved, d)
			if receipt != nil {
				receipt.Confirmed = confirmed
			}
			return receipt, err
		}
		// At most once: the ledger needs no confirmation of a confirmed policy.
		quoteID, err := g.confirm(ctx, c, cost, o, d)
		if err != nil {
			return nil, err
		}
		policy.UseQuote, policy.SupersededQuote, policy.Confirmed = quoteID, o.QuoteID, true
		confirmed = ConfirmedByUser
		if cost, err = g.readCost(ctx, c); err != nil {
			return nil, err
		}
	}
}

// checkCaller checks that Wesendall gives this caller access to the wallet, before
// the ledger is read or written for it: otherwise a caller who guesses a wallet's
// id would learn what was sent from it, and could block its owner's sends. The
// ledger must know the caller by the name that every process gives it.
func (g *Guard) checkCaller(ctx context.Context, walletID string, o SpendOptions) error {
	if o.Answer == AnswerYes { // minutes may have passed
		g.invalidateWallet(walletID)
	}
	if err := g.checkWalletAccess(ctx, walletID); err != nil {
		return err
	}
	return g.requireStableID(ctx)
}

func (g *Guard) checkWalletAccess(ctx context.Context, walletID string) error {
	if g.callerID == "" {
		return nil
	}
	return g.verifyWalletAccess(ctx, walletID)
}

// newIntent returns the intent of a spend at a cost. The total comes from the cost.
func (g *Guard) newIntent(c spendCall, cost spendCost, o SpendOptions) ledger.Intent {
	in := c.intent
	in.Caller, in.Recipients, in.TotalUGX = g.callerID, cost.recipients, cost.totalUGX
	if cost.balanceRead {
		in.BalanceBeforeUGX = &cost.balanceUGX
	}
	if cost.targets != nil {
		in.QuotedTargets, in.QuotedUGX, in.Targets = in.Targets, cost.quotedUGX, cost.targets
	}
	if o.AllowDuplicate { // a quote without it does not cover a call with it
		in.Arguments = append(slices.Clip(in.Arguments), "allow_duplicate")
	}
	if g.options.WalletNotice != "" { // a quote that does not name the wallet and the file does not fit
		in.Arguments = append(slices.Clip(in.Arguments), "wallet_notice", g.options.WalletNotice)
	}
	return in
}

func (g *Guard) newPolicy(o SpendOptions) ledger.Policy {
	quoteConfirms := o.QuoteID != "" &&
		(g.options.Confirm == ConfirmByQuote || g.options.Confirm == ConfirmOff ||
			g.options.Confirm == ConfirmAuto && !o.canAsk())
	return ledger.Policy{
		UseQuote: o.QuoteID, SupersededQuote: o.ArgumentQuoteID,
		UserAnswered: o.Answer == AnswerYes, Confirmed: o.Answer == AnswerYes || quoteConfirms,
		ConfirmOff: g.options.Confirm == ConfirmOff, AlwaysConfirm: g.options.WalletNotice, AllowDuplicate: o.AllowDuplicate,
		Limits: g.options.Limits, CallerLimits: g.callerLimits, DuplicateWindow: g.effectiveDuplicateWindow(), QuoteTTL: quoteTTL,
	}
}

// reserve has the ledger decide, and turns a refusal into an error. It waits for
// the rate first, because the request must leave at once after it is stored.
func (g *Guard) reserve(ctx context.Context, in ledger.Intent, p ledger.Policy) (ledger.Decision, error) {
	l, err := g.openLedger(ctx)
	if err != nil {
		return ledger.Decision{}, err
	}
	if err := g.waitForRate(ctx); err != nil {
		return ledger.Decision{}, err
	}
	p.QuietHours = g.disturbsQuietHours(in)
	d, err := l.Reserve(ctx, in, p)
	if err != nil {
		return d, g.ledgerError(err)
	}
	if d.Verdict == ledger.Refused {
		return d, g.refusalError(in, d)
	}
	return d, nil
}

// defaultDepartureTimeout is how long after its intent was stored a request may leave. It
// is less than ledger.CallTimeout: a spend that can be settled by hand never leaves
// afterwards.
const defaultDepartureTimeout = 35 * time.Second

// sendReserved makes the request of a reserved spend, and records its outcome.
func (g *Guard) sendReserved(ctx context.Context, c spendCall, cost spendCost, d ledger.Decision) (*Receipt, error) {
	targets := c.intent.Targets
	if cost.targets != nil {
		targets = cost.targets
	}
	response, err := c.send(client.WithDepartBy(ctx, d.StoredAt.Add(g.departureTimeout)), targets)
	if err != nil {
		g.recordOutcome(ctx, d.Spend, c.intent.Kind, err)
		return nil, g.describeUnknown(g.describeShortfall(ctx, err, c, cost, d.TotalUGX), c, cost, d)
	}
	d, costNote := g.raiseToReported(ctx, c, cost, d, response)
	cost, d, corrected := g.correctSize(ctx, c, cost, d, response)
	if !corrected {
		g.recordOutcome(ctx, d.Spend, c.intent.Kind, nil)
	}
	cost.totalUGX = d.TotalUGX
	quote := newQuote(c, cost)
	return &Receipt{
		Response: response, Quote: &quote, BudgetRemaining: d.RemainingUGX, CostNote: costNote,
		ReportedBalanceUGX: reportedBalance(response.Data),
	}, nil
}

// recordOutcome stores the outcome of a call, even if its caller has disconnected. A row
// without an outcome counts as unknown once its deadline has passed.
func (g *Guard) recordOutcome(ctx context.Context, spend ledger.SpendRef, kind ledger.Kind, err error) {
	state, code := kind.AcceptedState(), ""
	if err != nil {
		e := toError(err)
		state, code = ledger.StateFailed, e.Code
		if e.Money == client.MoneyUnknown {
			state = ledger.StateUnknown
		}
	}
	if err := g.opened().RecordOutcome(context.WithoutCancel(ctx), spend, state, code); err != nil {
		g.options.Logger.Error("the outcome of a spend could not be recorded at once; trying again",
			"id", spend.ID, "state", state, "error", err)
	}
}

// dryRun makes a quote. With numbers that nothing can be sent to, it has no id.
func (g *Guard) dryRun(ctx context.Context, c spendCall, cost spendCost, o SpendOptions) (*Receipt, error) {
	cost, err := g.withBalance(ctx, c, cost)
	if err != nil {
		return nil, err
	}
	if cost, err = g.withOptOuts(c, cost); err != nil {
		return nil, err
	}
	if len(c.quote.Rejected) > 0 {
		quote := newQuote(c, cost)
		return &Receipt{Quote: &quote}, nil
	}
	// The quote tells what a call without an earlier quote would meet.
	o.QuoteID, o.ArgumentQuoteID, o.Answer = "", "", AnswerNone
	quote, err := g.storeQuote(ctx, c, cost, o, false)
	if err != nil {
		return nil, err
	}
	return &Receipt{Quote: &quote.Quote}, nil
}

// judgedQuote is a stored quote, with what the ledger would decide now about the intent
// of its call.
type judgedQuote struct {
	Quote
	intent   ledger.Intent // for those who would be reached
	decision ledger.Decision
}

// storeQuote stores a quote for all recipients that the call names. It is judged by
// those who would be reached.
func (g *Guard) storeQuote(ctx context.Context, c spendCall, cost spendCost, o SpendOptions, asked bool) (judgedQuote, error) {
	q := judgedQuote{Quote: newQuote(c, cost), intent: g.newIntent(c, cost.withoutOptOuts(c), o)}
	l, err := g.openLedger(ctx)
	if err != nil {
		return q, err
	}
	policy := g.newPolicy(o)
	policy.QuietHours = g.disturbsQuietHours(q.intent)
	stored, d, err := l.Quote(ctx, q.intent, policy, asked)
	if err != nil {
		return q, g.ledgerError(err)
	}
	q.decision = d
	expiresAt := stored.ExpiresAt.In(ledger.KampalaZone).Truncate(time.Second)
	q.ID, q.ExpiresAt = stored.ID, &expiresAt
	if o.AllowDuplicate && d.Duplicates != nil {
		q.Notes = append(q.Notes, describeDuplicates(d.Duplicates.Spends))
	}
	if len(d.Unsettled) > 0 {
		q.Notes = append(q.Notes, describeUnsettled(d.Unsettled))
	}
	if cost.optOuts.nobodyLeft() {
		q.LeftTodayUGX = &d.RemainingUGX
		q.WouldRefuse = expectRefusal(nobodyLeftError(len(cost.optOuts.blocked)))
		return q, nil
	}
	if cost.tooLarge != nil {
		q.LeftTodayUGX, q.WouldRefuse = &d.RemainingUGX, expectRefusal(cost.tooLarge)
		return q, nil
	}
	g.addVerdict(&q.Quote, q.intent, o, d)
	return q, nil
}
