package guard

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wesendall/wesendall-mcp/client"
)

// describeUnknown adds to the error of an unknown outcome what it is about.
func (s *spendCall) describeUnknown(err error, spendID string, l *Ledger) error {
	failure := *toError(err)
	if failure.Money != client.MoneyUnknown {
		return &failure
	}
	description := fmt.Sprintf("a message to %s, about UGX %s", s.quote.audience, formatThousands(s.intent.TotalUGX))
	if s.intent.TopUp {
		description = fmt.Sprintf("a request to %s for UGX %s", s.quote.audience, formatThousands(s.intent.TotalUGX))
	}
	failure.SpendID = spendID
	failure.Message += fmt.Sprintf(" It was %s; in the ledger it is %s.", description, spendID)
	if l.Persistent {
		failure.Message += " A person settles it with: wesendall-mcp ledger resolve " + spendID + " sent|failed."
	}
	return &failure
}

// duplicateError is the refusal of what was already done, or may have been.
func duplicateError(intent *Intent, dups *Duplicates) *Error {
	first := dups.Spends[0]
	if first.State == StateFailed { // and this is its quote
		return NewError(CodeDuplicateSend, fmt.Sprintf("Nothing was sent: the quote was used at %s, and that call failed without a charge. Make a new quote with dry_run.", first.TimeString()))
	}
	verb, nextTool := "sent", "list_sms_history"
	if intent.TopUp {
		verb, nextTool = "asked for", "get_balance"
	}
	outcome := map[string]string{StateSent: "was accepted", StateInProgress: "is still running, or was cut off", StateUnknown: "has an outcome that nobody knows"}[first.State]
	message := fmt.Sprintf("Nothing was %s: the same was %s at %s (UGX %s), and that %s.", verb, verb, first.TimeString(), formatThousands(first.TotalUGX), outcome)
	if more := len(dups.Spends) - 1; more > 0 {
		message += fmt.Sprintf(" So it was with %s.", pluralize(more, "other call"))
	}
	failure := NewError(CodeDuplicateSend, "")
	failure.NextTool = nextTool
	if len(dups.Recipients) > 0 && intent.Tool == sendTool {
		failure.DuplicateRecipients = dups.Recipients[:min(len(dups.Recipients), maxListed)]
		message += fmt.Sprintf(" %d of these recipients are covered.", len(dups.Recipients))
	}
	failure.Message = message + " Look at " + nextTool + ". Only if your user wants it twice, call again with allow_duplicate: true."
	return failure
}

// ledgerError is the error of a ledger that does not work. What a database says may
// tell of the network that it is in: that is for the log.
func (g *Guard) ledgerError(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return NewError(CodeUnreachable, "The call was cancelled before it began. Nothing was sent.")
	}
	if _, isPostgres := errors.AsType[*PostgresError](err); isPostgres || g.callerID != "" { // nor are the operator's paths for whoever calls
		if g.options.Logger != nil {
			g.options.Logger.Error("the ledger cannot be used", "error", err)
		}
		problem := "the ledger of spends cannot be used"
		if isPostgres {
			problem = "the database with the ledger of spends cannot be used or reached"
		}
		return NewError(CodeNotConfigured, "Nothing was sent: "+problem+". Spending goes on by itself when it works again; the operator must see to it (the log and wesendall-mcp doctor say more). Reading works.")
	}
	return NewError(CodeNotConfigured, "Nothing was sent: the ledger of spends cannot be used ("+err.Error()+"). The operator must mend it: "+LedgerFix(err)+". Reading works.")
}

// LedgerFix says what an operator can do about a ledger that does not work.
func LedgerFix(err error) string {
	if _, ok := errors.AsType[*PostgresError](err); ok {
		return "see that the database runs, that this machine may connect to it, and that its user may make and change tables there (WESENDALL_LEDGER=postgres://USER@HOST/DATABASE?sslmode=verify-full, the password in PGPASSWORD or PGPASSFILE)"
	}
	code := 0
	if sqliteErr, ok := errors.AsType[*sqlite.Error](err); ok {
		code = sqliteErr.Code() & 0xff
	}
	switch code {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "it is damaged, or no ledger: move the file away once you know from the dashboard what was sent, for its budgets and duplicates are forgotten with it, or choose another (WESENDALL_LEDGER=PATH)"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "end the other program that has it open, or wait for that"
	case sqlite3.SQLITE_FULL:
		return "free space on its disk"
	}
	return "make the file writable, or choose another (WESENDALL_LEDGER=PATH)"
}

// toError is an error as all of this package's are.
func toError(err error) *Error {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure
	}
	return NewError(CodeOutcomeUnknown, err.Error())
}
