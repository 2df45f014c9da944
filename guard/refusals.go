package guard

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/wesendall/wesendall-mcp/client"
)

// explained adds to the error of an unknown outcome what it is about.
func (s *spending) explained(err error, id string, l *Ledger) error {
	failure := *asError(err)
	if failure.Money != client.Unknown {
		return &failure
	}
	what := fmt.Sprintf("a message to %s, about UGX %s", s.quote.to, thousands(s.intent.total))
	if s.intent.topUp {
		what = fmt.Sprintf("a request to %s for UGX %s", s.quote.to, thousands(s.intent.total))
	}
	failure.Spend = id
	failure.Message += fmt.Sprintf(" It was %s; in the ledger it is %s.", what, id)
	if l.kept {
		failure.Message += " A person settles it with: wesendall-mcp ledger resolve " + id + " sent|failed."
	}
	return &failure
}

// duplicate is the refusal of what was already done, or may have been.
func duplicate(in *intent, e *earlier) *Error {
	first := e.spends[0]
	if first.state == failed { // and this is its quote
		return Fail(DuplicateSend, fmt.Sprintf("Nothing was sent: the quote was used at %s, and that call failed without a charge. Make a new quote with dry_run.", first.clock()))
	}
	done, next := "sent", "list_sms_history"
	if in.topUp {
		done, next = "asked for", "get_balance"
	}
	outcome := map[string]string{sent: "was accepted", inProgress: "is still running, or was cut off", unknown: "has an outcome that nobody knows"}[first.state]
	message := fmt.Sprintf("Nothing was %s: the same was %s at %s (UGX %s), and that %s.", done, done, first.clock(), thousands(first.total), outcome)
	if more := len(e.spends) - 1; more > 0 {
		message += fmt.Sprintf(" So it was with %s.", count(more, "other call"))
	}
	failure := Fail(DuplicateSend, "")
	failure.Next = next
	if len(e.overlap) > 0 && in.tool == sendTool {
		failure.Overlap = e.overlap[:min(len(e.overlap), shown)]
		message += fmt.Sprintf(" %d of these recipients are covered.", len(e.overlap))
	}
	failure.Message = message + " Look at " + next + ". Only if your user wants it twice, call again with allow_duplicate: true."
	return failure
}

// broken is the error of a ledger that does not work. What a database says may
// tell of the network that it is in: that is for the log.
func (g *Guard) broken(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return Fail(Unreachable, "The call was cancelled before it began. Nothing was sent.")
	}
	if _, database := errors.AsType[*databaseError](err); database || g.caller != "" { // nor are the operator's paths for whoever calls
		if g.options.Log != nil {
			g.options.Log.Error("the ledger cannot be used", "error", err)
		}
		what := "the ledger of spends cannot be used"
		if database {
			what = "the database with the ledger of spends cannot be used or reached"
		}
		return Fail(NotConfigured, "Nothing was sent: "+what+". Spending goes on by itself when it works again; the operator must see to it (the log and wesendall-mcp doctor say more). Reading works.")
	}
	return Fail(NotConfigured, "Nothing was sent: the ledger of spends cannot be used ("+err.Error()+"). The operator must mend it: "+Remedy(err)+". Reading works.")
}

// Remedy says what an operator can do about a ledger that does not work.
func Remedy(err error) string {
	if _, ok := errors.AsType[*databaseError](err); ok {
		return "see that the database runs, that this machine may connect to it, and that its user may make and change tables there (WESENDALL_LEDGER=postgres://USER@HOST/DATABASE?sslmode=verify-full, the password in PGPASSWORD or PGPASSFILE)"
	}
	code := 0
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		code = failure.Code() & 0xff
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

// asError is an error as all of this package's are.
func asError(err error) *Error {
	if failure, ok := errors.AsType[*Error](err); ok {
		return failure
	}
	return Fail(OutcomeUnknown, err.Error())
}
