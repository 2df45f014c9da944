package guard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// Error is a tool call that failed, as the agent is told of it. It is written
// as it stands into the tool's result.
type Error struct {
	Code       string       `json:"code"`
	Message    string       `json:"message"`
	HTTPStatus int          `json:"http_status,omitempty"`
	VendorCode string       `json:"vendor_code,omitempty"`
	Details    string       `json:"details,omitempty"` // what else the vendor said
	Money      client.Money `json:"money"`             // what this call did
	Retry      client.Retry `json:"retry"`
	RetryAfter int          `json:"retry_after,omitempty"` // seconds, as the server asked
	Next       string       `json:"next,omitempty"`        // the tool to call
	RequestID  string       `json:"request_id,omitempty"`
	Quote      *Quote       `json:"quote,omitempty"`   // of a spend that a person must agree to
	Overlap    []string     `json:"overlap,omitempty"` // the numbers that were covered before
	Spend      string       `json:"spend,omitempty"`   // the ledger's name of one whose outcome is unknown
	Question   string       `json:"-"`                 // to put to a person about the quote
	Attempts   int          `json:"attempts,omitempty"`
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Our own codes. The vendor's seven keep their names beside them.
const (
	NotConfigured         = "not_configured"
	InvalidArguments      = "invalid_arguments"
	Declined              = "declined"
	ConfirmationRequired  = "confirmation_required"
	LimitExceeded         = "limit_exceeded"
	DuplicateSend         = "duplicate_send"
	DestinationNotAllowed = "destination_not_allowed"
	OutcomeUnknown        = "outcome_unknown"
	RateLimited           = "rate_limited"
	Unreachable           = "unreachable"
	BadResponse           = "bad_response"
	ReadOnly              = "read_only"
)

// Meaning is one code of the table: what it says, and what it usually means for
// the money and for trying again.
type Meaning struct {
	Code    string
	Meaning string
	Money   client.Money
	Retry   client.Retry
	Next    string
}

// Codes is the table of every code that a tool may answer.
func Codes() []Meaning {
	var all []Meaning
	for _, c := range client.Codes() {
		m := Meaning{Code: c.Name, Meaning: c.Meaning, Money: c.Money, Retry: c.Retry}
		switch {
		case c.Retry == client.RetryAfterTopUp:
			m.Next = "topup_wallet"
		case c.Money == client.Unknown: // a spend answers outcome_unknown instead, so this is a read's
			m.Money, m.Retry = client.NotCharged, client.RetryLater
		}
		all = append(all, m)
	}
	return append(all, []Meaning{
		{NotConfigured, "Credentials or the wallet are not set, or unusable", client.NotCharged, client.RetryNo, ""},
		{InvalidArguments, "An argument is wrong; the message names each", client.NotCharged, client.RetryAfterFix, ""},
		{Declined, "The person said no", client.NotCharged, client.RetryNo, ""},
		{ConfirmationRequired, "A person must agree first", client.NotCharged, client.RetryAfterFix, ""},
		{LimitExceeded, "The operator's limit forbids it", client.NotCharged, client.RetryNo, ""},
		{DuplicateSend, "The same was already sent, or may have been", client.NotCharged, client.CheckFirst, "list_sms_history"},
		{DestinationNotAllowed, "The operator does not allow this country", client.NotCharged, client.RetryNo, ""},
		{OutcomeUnknown, "It may have happened, and may not; do not repeat it before looking", client.Unknown, client.CheckFirst, ""},
		{RateLimited, "Too many calls at once", client.NotCharged, client.RetryLater, ""},
		{Unreachable, "No connection to the API, or no answer to a call that is free", client.NotCharged, client.RetryLater, ""},
		{BadResponse, "The API answered what its documents do not describe", client.NotCharged, client.RetryNo, ""},
		{ReadOnly, "The operator allows reading alone", client.NotCharged, client.RetryNo, ""},
	}...)
}

// Fail is an error with what the table says of its code.
func Fail(code, message string) *Error {
	table := Codes()
	m := table[slices.IndexFunc(table, func(m Meaning) bool { return m.Code == code })]
	return &Error{Code: code, Message: message, Money: m.Money, Retry: m.Retry, Next: m.Next}
}

// Lost is the error of a call that may have taken effect: a spend's money is
// unknown, and next names the tool that shows what happened.
func Lost(e client.Endpoint, what string) *Error {
	lost := Fail(OutcomeUnknown, what)
	advice := "Messages may have gone out and been charged; the cost stays in the day's budget, and the same is refused until a person has settled it. Do not send again: look at list_sms_history and get_balance, and tell your user."
	lost.Next = "list_sms_history"
	switch {
	case e.Effect != client.Spends:
		advice = "The group may exist already: look at list_groups before creating it again."
		lost.Next, lost.Money = "list_groups", client.NotCharged
	case e.Name == "topup_wallet":
		advice = "The payer may have been asked to pay; the amount stays in the day's limit, and the same is refused until a person has settled it. Do not ask again: look at get_balance and list_sms_history, and have your user ask the payer what the phone shows."
		lost.Next = "get_balance"
	}
	lost.Message = "The outcome is unknown: " + strings.TrimSuffix(what, ".") + ". " + advice
	return lost
}

// explain makes the agent's error of the client's.
func explain(f *client.Error) *Error {
	e := name(f)
	e.HTTPStatus, e.VendorCode, e.Details = f.Status, f.Code, f.Details
	e.RequestID, e.Attempts = f.RequestID, f.Attempts
	e.RetryAfter = int(f.RetryAfter.Seconds())
	return e
}

// name finds the code of a failure and its sentence.
func name(f *client.Error) *Error {
	endpoints := client.Endpoints()
	endpoint := endpoints[slices.IndexFunc(endpoints, func(e client.Endpoint) bool { return e.Name == f.Endpoint })]
	changes := endpoint.Effect != client.Reads
	known := slices.ContainsFunc(client.Codes(), func(c client.Code) bool { return c.Name == f.Code && c.Status == f.Status })
	switch {
	case !f.Sent && f.Retry == client.RetryAfterFix:
		return Fail(InvalidArguments, f.Message)
	case !f.Sent:
		return Fail(Unreachable, "The request never left: "+f.Message+". Nothing was sent and nothing was charged.")
	case f.OutcomeUnknown():
		return Lost(endpoint, what(f))
	case known:
		e := Fail(f.Code, fmt.Sprintf("Wesendall refused the call (%s): %s", f.Code, f.Message))
		e.Money, e.Retry = f.Money, f.Retry
		if f.Money == client.Refunded {
			e.Message = "The provider refused the message and Wesendall refunded it: " + f.Message
			if f.Retry == client.CheckFirst {
				e.Message += ". Some of the recipients may have got it all the same: look at list_sms_history before sending again."
				e.Next = "list_sms_history"
			}
		}
		return e
	case f.Status == http.StatusTooManyRequests:
		return Fail(RateLimited, "Wesendall answered that there are too many calls: "+f.Message)
	case f.Retry == client.RetryLater && f.Status < 500:
		e := Fail(Unreachable, "No answer came: "+f.Message)
		if changes {
			e.Message += ". The contacts may have been added; calling again is safe, since those that are there are skipped."
		}
		return e
	default:
		e := Fail(BadResponse, "Wesendall answered what its documents do not describe: "+what(f))
		e.Retry = f.Retry
		return e
	}
}

// what is what came, in a few words.
func what(f *client.Error) string {
	if f.Status == 0 {
		return f.Message
	}
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", f.Status, f.Code)) + ": " + f.Message
}
