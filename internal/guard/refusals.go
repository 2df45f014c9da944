package guard

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"context"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// refusalError is the error of a spend that the ledger refused.
func (g *Guard) refusalError(in ledger.Intent, d ledger.Decision) *Error {
	var problem string
	switch r := d.Refusal; r.Reason {
	case ledger.RefusedDuplicate:
		return g.duplicateError(in, d.Duplicates)
	case ledger.RefusedPerCallLimit, ledger.RefusedPerDayLimit:
		return limitError(in, d)
	case ledger.RefusedQuoteNotFound:
		problem = "there is no such quote"
	case ledger.RefusedQuoteMismatch:
		problem = "the quote was for something else"
	case ledger.RefusedQuoteMoreRecipients:
		problem = fmt.Sprintf("it would now reach %d recipients, not the %d of the quote", in.Recipients, r.QuotedRecipients)
	case ledger.RefusedQuoteHigherPrice:
		problem = fmt.Sprintf("it would now cost UGX %s, not the UGX %s of the quote",
			sanitize.FormatThousands(in.TotalUGX), sanitize.FormatThousands(r.QuotedUGX))
	case ledger.RefusedQuoteVoid:
		problem = "the quote is void"
	case ledger.RefusedQuoteExpired:
		problem = "the quote has expired"
	case ledger.RefusedQuoteNotAsked:
		problem = "nobody was asked about this quote"
	case ledger.RefusedQuoteDuplicates:
		problem = "the quote does not say that " + describeDuplicates(d.Duplicates.Spends)
	case ledger.RefusedQuoteUnsettled:
		problem = "the quote does not say that " + describeUnsettled(d.Unsettled)
	case ledger.RefusedQuoteQuietHours:
		problem = "the quote does not say that " + g.describeQuietHours()
	}
	return NewError(CodeConfirmationRequired, "Nothing was sent: "+problem+
		". Make a new quote with dry_run, show it to your user, and use that one.")
}

// describeDuplicates says which spends are repeated, as part of a sentence.
func describeDuplicates(spends []ledger.EarlierSpend) string {
	return "it repeats " + listSpends(spends, maxNamedDuplicates)
}

// maxNamedDuplicates is how many repeated spends a sentence names.
const maxNamedDuplicates = 3

// describeUnsettled says which open spends went to the same target, as part of a
// sentence.
func describeUnsettled(spends []ledger.EarlierSpend) string {
	if spends[0].Tool == client.ToolTopUpWallet {
		return "the same payer was asked before: " + listSpends(spends, ledger.MaxUnsettled)
	}
	return "an earlier send to the same number or group may or may not have arrived: " + listSpends(spends, ledger.MaxUnsettled)
}

// listSpends names spends by time and amount, and open ones by id: at most maxNamed,
// and how many more.
func listSpends(spends []ledger.EarlierSpend, maxNamed int) string {
	var names []string
	for _, s := range spends[:min(len(spends), maxNamed)] {
		arrival := "arrive"
		if s.Tool == client.ToolTopUpWallet {
			arrival = "be paid"
		}
		name := fmt.Sprintf("one of %s (UGX %s)",
			kampalaTime(s.Created), sanitize.FormatThousands(s.TotalUGX))
		if s.State == ledger.StateUnknown || s.State == ledger.StateInProgress {
			name += ", with an unknown outcome (id " + s.ID + "), which may still " + arrival + ","
		}
		names = append(names, name)
	}
	if more := len(spends) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.TrimSuffix(strings.Join(names, " and "), ",")
}

func kampalaTime(t time.Time) string { return t.In(ledger.KampalaZone).Format(time.RFC3339) }

// describeUnknown adds the spend and its id to the error of an unknown outcome.
func (g *Guard) describeUnknown(err error, c spendCall, cost spendCost, d ledger.Decision) error {
	e := *toError(err)
	if e.Money != client.MoneyUnknown {
		return &e
	}
	what := fmt.Sprintf("a message to %s, about UGX %s", cost.audience, sanitize.FormatThousands(d.TotalUGX))
	if cost.sizeUnknown {
		what = fmt.Sprintf("a message to %s; its price is not known, and UGX %s stay reserved",
			cost.audience, sanitize.FormatThousands(d.TotalUGX))
	}
	if c.intent.Kind == ledger.KindTopUp {
		what = fmt.Sprintf("a request to %s for UGX %s", cost.audience, sanitize.FormatThousands(d.TotalUGX))
	}
	e.SpendID = d.Spend.ID
	e.Message += fmt.Sprintf(" It was %s; in the ledger it is %s. ", what, e.SpendID) + g.unknownOutcomeAdvice(c.intent.Tool, e.SpendID)
	return &e
}

// ledgerError is the error of a ledger that does not work. A database's error may
// describe the operator's network, and a file's its paths: those are only logged.
func (g *Guard) ledgerError(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return NewError(CodeUnreachable, "The call was cancelled before it began. Nothing was sent.")
	}
	_, isDatabase := errors.AsType[*ledger.PostgresError](err)
	if !isDatabase && g.callerID == "" {
		return NewError(CodeNotConfigured, "Nothing was sent: the ledger of spends cannot be used ("+err.Error()+"). "+
			"The operator must fix it: "+ledger.FixFor(err)+". Reading works.")
	}
	g.options.Logger.Error("the ledger cannot be used", "error", err)
	what := "the ledger of spends cannot be used"
	if isDatabase {
		what = "the database with the ledger of spends cannot be used or reached"
	}
	return NewError(CodeNotConfigured, "Nothing was sent: "+what+". Spending continues when it works again; "+
		"the operator must look at it (the log and wesendall-mcp doctor say more). Reading works.")
}

// toError returns err as an *Error. Any other error counts as an unknown outcome.
func toError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError(CodeOutcomeUnknown, err.Error())
}

// untrustedWalletError refuses a top-up: a repository that brings credentials would
// take the payer's money into its own wallet.
func untrustedWalletError(notice string) *Error {
	return NewError(CodeNotConfigured, "Nobody was asked for money, because "+notice+": the payer's money would go to "+
		"the one who wrote that file. If the wallet is yours, put the credentials into a file that only this program reads: "+
		"wesendall-mcp config HOST creates it, and tells the host to use it (--env-file).")
}
