package guard

import (
	"encoding/json"
	"math"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// Receipt is a spend that was accepted, or a quote. Money is in UGX.
type Receipt struct {
	*client.Response           // nil for a quote
	Quote            *Quote    // of a dry run; otherwise what is known without one
	BudgetRemaining  int64     // of the day's budget, which is not the balance
	CostNote         string    // a sentence, if Wesendall reports a higher cost than expected
	Confirmed        Confirmed // how, if it is no quote

	// ReportedBalanceUGX is what the answer calls the balance; nil if it does not. No
	// document describes such a field, so it is only shown.
	ReportedBalanceUGX *int64
}

// Confirmed is how a spend that left was confirmed.
type Confirmed string

// The ways.
const (
	ConfirmedByUser  Confirmed = "by_user"    // the host or the program asked the user, who agreed
	ConfirmedByQuote Confirmed = "by_quote"   // the call came with the id of a quote
	ConfirmedNotDue  Confirmed = "not_needed" // the settings ask for no confirmation of it
)

// confirmedBefore is how a call is confirmed that asks nobody any more.
func confirmedBefore(p ledger.Policy, o SpendOptions) Confirmed {
	switch {
	case o.Answer == AnswerYes:
		return ConfirmedByUser
	case p.Confirmed:
		return ConfirmedByQuote
	default:
		return ConfirmedNotDue
	}
}

// reportedBalance reads the member balance of an answer's data, rounded down.
func reportedBalance(data json.RawMessage) *int64 {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return nil
	}
	balance, ok := jsonNumber(fields["balance"])
	if !ok || balance < 0 || balance > 1<<52 {
		return nil
	}
	balanceUGX := int64(math.Floor(balance))
	return &balanceUGX
}
