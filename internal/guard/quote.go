package guard

import (
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// Quote is one spend, priced and described. The ledger has a row for it under its
// id, which can be used once. Money is in UGX.
type Quote struct {
	ID        string     `json:"id,omitempty"` // "" if some numbers were refused
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Recipients after duplicates were removed, and the first 50 of them.
	Recipients       int              `json:"recipients,omitempty"`
	RecipientNumbers []string         `json:"numbers,omitempty"`
	NumbersListed    int              `json:"numbers_listed,omitempty"` // of Recipients
	Group            *QuotedGroup     `json:"group,omitempty"`
	PhoneNumber      string           `json:"phone_number,omitempty"` // the payer of a top-up
	Description      string           `json:"description,omitempty"`  // of a top-up
	Wallet           string           `json:"wallet,omitempty"`       // that is charged or topped up
	Rejected         []RejectedNumber `json:"refused,omitempty"`
	Notes            []string         `json:"notes,omitempty"`
	Message          string           `json:"message,omitempty"`        // its first 200 UTF-16 code units
	MessageLength    int              `json:"message_length,omitempty"` // in UTF-16 code units
	Length           int              `json:"length,omitempty"`         // the same
	Units            int              `json:"units,omitempty"`          // billed for each recipient
	CostPerSMS       float64          `json:"cost_per_sms,omitempty"`
	TotalUGX         int64            `json:"total,omitempty"` // an estimate for a send, the amount for a top-up
	// ReservedUGX is what the call reserves where a group's size is unknown. It is
	// no price, so there is no total.
	ReservedUGX     int64           `json:"reserved,omitempty"`
	BalanceUGX      int64           `json:"balance"`
	BalanceAfterUGX *int64          `json:"balance_after,omitempty"` // nil where it is not known, or only those reached can be paid
	Carrier         *client.GSMInfo `json:"carrier,omitempty"`

	// What the real call would meet now.
	NeedsConfirmation *ConfirmationNeed `json:"needs_confirmation,omitempty"`
	WouldRefuse       *ExpectedRefusal  `json:"would_refuse,omitempty"`
	LeftTodayUGX      *int64            `json:"left_today,omitempty"` // of the day's budget, before this spend

	optOutNote string // one of Notes
}

// QuotedGroup is the group that a quote is for.
type QuotedGroup struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
}

// quoteTTL is how long a quote can be used.
const quoteTTL = 10 * time.Minute

// maxListed is how many numbers of a list are shown.
const maxListed = 50

// newQuote describes a spend at a cost. It has no id until it is stored.
func newQuote(c spendCall, cost spendCost) Quote {
	q := c.quote
	q.Recipients, q.CostPerSMS, q.TotalUGX = cost.recipients, cost.unitUGX, cost.totalUGX
	q.Wallet, q.Description = c.walletID, c.description
	q.Notes = slices.Concat(q.Notes, cost.notes)
	if c.intent.Kind == ledger.KindTopUp {
		q.Notes = append(q.Notes, networkFeeNote)
	}
	if c.groupID != "" {
		q.Group = &QuotedGroup{c.groupID, cost.groupTitle}
	}
	if cost.optOutNote != "" {
		q.Notes, q.optOutNote = append(q.Notes, cost.optOutNote), cost.optOutNote
	}
	if cost.sizeUnknown {
		q.TotalUGX, q.ReservedUGX = 0, cost.totalUGX
		q.Notes = append(q.Notes, "The group's size cannot be read, so its price is not known. "+reservationNote(cost))
	}
	if !cost.balanceRead {
		return q
	}
	q.BalanceUGX = cost.balanceUGX
	if cost.sizeUnknown {
		return q
	}
	balanceAfterUGX := cost.balanceUGX - cost.totalUGX
	if c.intent.Kind == ledger.KindTopUp {
		balanceAfterUGX = cost.balanceUGX + cost.totalUGX
	}
	switch {
	case balanceAfterUGX >= 0:
		q.BalanceAfterUGX = &balanceAfterUGX
	case cost.withoutOptOuts(c).totalUGX > cost.balanceUGX:
		q.BalanceAfterUGX = &balanceAfterUGX
		q.Notes = append(q.Notes, "The balance does not cover it.")
	}
	return q
}

// reservationNote says what a call reserves where a group's size is unknown.
func reservationNote(cost spendCost) string {
	if cost.totalUGX > cost.balanceUGX {
		return "The wallet holds less than the price for one contact, which the call reserves."
	}
	return "The call reserves all that the wallet holds."
}
