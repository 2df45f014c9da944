package ledger

import "time"

// Kind is which daily budget a spend counts towards.
type Kind string

// The kinds of spend.
const (
	KindSend  Kind = "send"
	KindTopUp Kind = "topup"
)

// AcceptedState is the state of a spend of this kind that Wesendall accepted. A top-up
// is only requested: nobody knows yet whether the payer will pay.
func (k Kind) AcceptedState() State {
	if k == KindTopUp {
		return StateRequested
	}
	return StateSent
}

// AccountKey is the Account of a wallet at the API with a base URL.
func AccountKey(baseURL, walletID string) string { return baseURL + " " + walletID }

// Intent is one spend that is about to be made.
type Intent struct {
	Account string // what budgets and duplicates are counted for: base URL and wallet
	Caller  string // "" for the only caller of a server over stdio
	Tool    string
	Kind    Kind
	// Content and Targets make a duplicate: the same content to any same target.
	// Content is the folded text: messages that read the same have the same.
	Content []string
	Targets []string // phone numbers, a group's id, or the payer
	// QuotedTargets are the targets that the call names, if it reaches fewer, and
	// QuotedUGX is what all of them cost. A quote is for all of them, and is judged by
	// those that are reached; nil for Targets.
	QuotedTargets []string
	QuotedUGX     int64
	// Arguments are the call's other arguments. A quote is bound to all three.
	Arguments  []string
	Recipients int // 0 where their number is unknown
	Units      int // SMS units for each recipient
	TotalUGX   int64
	// BalanceBeforeUGX is what the wallet held just before; nil where it was not read.
	BalanceBeforeUGX *int64
}

// quoted returns the intent to reach all targets that the call names.
func (in Intent) quoted() Intent {
	if in.QuotedTargets != nil {
		in.Targets, in.Recipients, in.TotalUGX = in.QuotedTargets, len(in.QuotedTargets), in.QuotedUGX
	}
	return in
}

func (l *Ledger) dedupHash(in Intent) []byte {
	return l.Hash(append([]string{"content", in.Account, in.Tool}, in.Content...)...)
}

func (l *Ledger) targetHash(target string) []byte { return l.Hash("target", target) }

func (l *Ledger) argumentsHash(in Intent) []byte {
	parts := append([]string{"arguments", in.Account, in.Caller, in.Tool}, in.Content...)
	targets := in.Targets
	if in.QuotedTargets != nil {
		targets = in.QuotedTargets
	}
	parts = append(append(append(parts, "targets"), targets...), "rest")
	return l.Hash(append(parts, in.Arguments...)...)
}

// Policy is how an intent may be reserved.
type Policy struct {
	UseQuote        string // id of the quote to use, if any
	SupersededQuote string // id of another quote, void once this intent is reserved
	UserAnswered    bool   // the user was asked about UseQuote and said yes
	Confirmed       bool   // the user agreed, or UseQuote counts as agreement
	ConfirmOff      bool   // only duplicates and spends near an unknown outcome need a confirmation
	AlwaysConfirm   string // why every spend needs one, even with ConfirmOff; "" if it does not
	QuietHours      bool   // these are quiet hours, and the intent reaches many
	AllowDuplicate  bool
	Limits          Limits
	CallerLimits    *Limits // the caller's own, checked in addition; nil for none
	DuplicateWindow time.Duration
	QuoteTTL        time.Duration // how long a new quote can be used
}

// Verdict is the ledger's decision on an intent.
type Verdict int

// The verdicts. A decision with an error has none.
const (
	_ Verdict = iota
	Reserved
	Refused
	NeedsConfirmation
)

// SpendRef names one attempt to make a spend. A quote that is used twice keeps its
// id; the attempt tells the uses apart.
type SpendRef struct{ ID, AttemptID string }

// Decision is what Reserve decided.
type Decision struct {
	Verdict      Verdict
	Spend        SpendRef  // of Reserved
	StoredAt     time.Time // of Reserved: by this machine's clock, not later than the row's creation
	TotalUGX     int64     // reserved, or to be reserved: a quote may know a higher price than the intent
	RemainingUGX int64     // of today's budget: after a reservation, otherwise before it
	CallLimitUGX int64     // what one call may cost
	Refusal      Refusal   // of Refused
	Confirm      Confirmation
	Duplicates   *Duplicates    // that were refused, or need a confirmation
	Unsettled    []EarlierSpend // spends with an unknown outcome that reached some of the same targets

	countedAt time.Time // by which the day and the hour are counted; see accountTime
}

// RefusalReason says why an intent is refused.
type RefusalReason int

// The reasons.
const (
	_ RefusalReason = iota
	RefusedDuplicate
	RefusedPerCallLimit
	RefusedPerDayLimit
	RefusedQuoteNotFound
	RefusedQuoteMismatch       // the quote is for other arguments
	RefusedQuoteMoreRecipients // than QuotedRecipients
	RefusedQuoteHigherPrice    // than QuotedUGX
	RefusedQuoteVoid
	RefusedQuoteExpired
	RefusedQuoteNotAsked   // the user was not asked about this quote
	RefusedQuoteDuplicates // the quote does not name all Duplicates
	RefusedQuoteUnsettled  // the quote does not name all of Near
	RefusedQuoteQuietHours // the quote is from before the quiet hours
)

// Refusal is why an intent is refused, with the figures for a sentence about it.
type Refusal struct {
	Reason           RefusalReason
	CallerLimit      bool // the limit is the caller's own, not the operator's
	QuotedRecipients int
	QuotedUGX        int64
	LimitUGX         int64     // the limit that was passed
	SpentUGX         int64     // of a day's limit: spent or reserved today
	DayEnds          time.Time // of a day's limit: midnight in Kampala
}

// ConfirmReason says why a user must agree.
type ConfirmReason int

// The reasons.
const (
	_ ConfirmReason = iota
	ConfirmTopUp
	ConfirmDuplicate       // see Decision.Duplicates
	ConfirmUnsettled       // see Decision.Near
	ConfirmThreshold       // the total is above ThresholdUGX
	ConfirmHourlyThreshold // the total with UnconfirmedUGX of the last hour is
	ConfirmAlways          // only for what Confirmation.Always says
	ConfirmQuietHours      // see Policy.QuietHours
)

// Confirmation is why a user must agree, with the figures for a sentence about it.
type Confirmation struct {
	Reason         ConfirmReason
	ThresholdUGX   int64
	UnconfirmedUGX int64
	Always         string // Policy.AlwaysConfirm, beside the reason
}
