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
	Code                string             `json:"code"`
	Message             string             `json:"message"`
	HTTPStatus          int                `json:"http_status,omitempty"`
	VendorCode          string             `json:"vendor_code,omitempty"`
	Details             string             `json:"details,omitempty"` // what else the vendor said
	Money               client.MoneyState  `json:"money"`             // what this call did
	Retry               client.RetryAdvice `json:"retry"`
	RetryAfter          int                `json:"retry_after,omitempty"` // seconds, as the server asked
	NextTool            string             `json:"next,omitempty"`        // the tool to call
	RequestID           string             `json:"request_id,omitempty"`
	Quote               *Quote             `json:"quote,omitempty"`   // of a spend that a person must agree to
	DuplicateRecipients []string           `json:"overlap,omitempty"` // the numbers that were covered before
	SpendID             string             `json:"spend,omitempty"`   // the ledger's name of one whose outcome is unknown
	ConfirmationPrompt  string             `json:"-"`                 // to put to a person about the quote
	Attempts            int                `json:"attempts,omitempty"`
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Our own codes. The vendor's seven keep their names beside them.
const (
	CodeNotConfigured         = "not_configured"
	CodeInvalidArguments      = "invalid_arguments"
	CodeDeclined              = "declined"
	CodeConfirmationRequired  = "confirmation_required"
	CodeLimitExceeded         = "limit_exceeded"
	CodeDuplicateSend         = "duplicate_send"
	CodeDestinationNotAllowed = "destination_not_allowed"
	CodeOutcomeUnknown        = "outcome_unknown"
	CodeRateLimited           = "rate_limited"
	CodeUnreachable           = "unreachable"
	CodeBadResponse           = "bad_response"
	CodeReadOnly              = "read_only"
)

// CodeInfo is one code of the table: what it says, and what it usually means for
// the money and for trying again.
type CodeInfo struct {
	Code        string
	Description string
	Money       client.MoneyState
	Retry       client.RetryAdvice
	NextTool    string
}

// Codes is the table of every code that a tool may answer.
func Codes() []CodeInfo {
	var infos []CodeInfo
	for _, c := range client.ErrorCodes() {
		m := CodeInfo{Code: c.Name, Description: c.Description, Money: c.Money, Retry: c.Advice}
		switch {
		case c.Advice == client.RetryAfterTopUp:
			m.NextTool = "topup_wallet"
		case c.Money == client.MoneyUnknown: // a spend answers outcome_unknown instead, so this is a read's
			m.Money, m.Retry = client.MoneyNotCharged, client.RetryLater
		}
		infos = append(infos, m)
	}
	return append(infos, []CodeInfo{
		{CodeNotConfigured, "Credentials or the wallet are not set, or unusable", client.MoneyNotCharged, client.RetryNever, ""},
		{CodeInvalidArguments, "An argument is wrong; the message names each", client.MoneyNotCharged, client.RetryAfterFix, ""},
		{CodeDeclined, "The person said no", client.MoneyNotCharged, client.RetryNever, ""},
		{CodeConfirmationRequired, "A person must agree first", client.MoneyNotCharged, client.RetryAfterFix, ""},
		{CodeLimitExceeded, "The operator's limit forbids it", client.MoneyNotCharged, client.RetryNever, ""},
		{CodeDuplicateSend, "The same was already sent, or may have been", client.MoneyNotCharged, client.RetryCheckFirst, "list_sms_history"},
		{CodeDestinationNotAllowed, "The operator does not allow this country", client.MoneyNotCharged, client.RetryNever, ""},
		{CodeOutcomeUnknown, "It may have happened, and may not; do not repeat it before looking", client.MoneyUnknown, client.RetryCheckFirst, ""},
		{CodeRateLimited, "Too many calls at once", client.MoneyNotCharged, client.RetryLater, ""},
		{CodeUnreachable, "No connection to the API, or no answer to a call that is free", client.MoneyNotCharged, client.RetryLater, ""},
		{CodeBadResponse, "The API answered what its documents do not describe", client.MoneyNotCharged, client.RetryNever, ""},
		{CodeReadOnly, "The operator allows reading alone", client.MoneyNotCharged, client.RetryNever, ""},
	}...)
}

// NewError is an error with what the table says of its code.
func NewError(code, message string) *Error {
	table := Codes()
	m := table[slices.IndexFunc(table, func(m CodeInfo) bool { return m.Code == code })]
	return &Error{Code: code, Message: message, Money: m.Money, Retry: m.Retry, NextTool: m.NextTool}
}

// NewOutcomeUnknown is the error of a call that may have taken effect: a spend's money is
// unknown, and next names the tool that shows what happened.
func NewOutcomeUnknown(e client.Endpoint, description string) *Error {
	unknownErr := NewError(CodeOutcomeUnknown, description)
	advice := "Messages may have gone out and been charged; the cost stays in the day's budget, and the same is refused until a person has settled it. Do not send again: look at list_sms_history and get_balance, and tell your user."
	unknownErr.NextTool = "list_sms_history"
	switch {
	case e.Effect != client.EffectSpend:
		advice = "The group may exist already: look at list_groups before creating it again."
		unknownErr.NextTool, unknownErr.Money = "list_groups", client.MoneyNotCharged
	case e.Name == "topup_wallet":
		advice = "The payer may have been asked to pay; the amount stays in the day's limit, and the same is refused until a person has settled it. Do not ask again: look at get_balance and list_sms_history, and have your user ask the payer what the phone shows."
		unknownErr.NextTool = "get_balance"
	}
	unknownErr.Message = "The outcome is unknown: " + strings.TrimSuffix(description, ".") + ". " + advice
	return unknownErr
}

// fromClientError makes the agent's error of the client's.
func fromClientError(clientErr *client.Error) *Error {
	e := classify(clientErr)
	e.HTTPStatus, e.VendorCode, e.Details = clientErr.Status, clientErr.Code, clientErr.Details
	e.RequestID, e.Attempts = clientErr.RequestID, clientErr.Attempts
	e.RetryAfter = int(clientErr.RetryAfter.Seconds())
	return e
}

// classify finds the code of a failure and its sentence.
func classify(clientErr *client.Error) *Error {
	endpoints := client.Endpoints()
	endpoint := endpoints[slices.IndexFunc(endpoints, func(e client.Endpoint) bool { return e.Name == clientErr.Endpoint })]
	mutates := endpoint.Effect != client.EffectRead
	documented := slices.ContainsFunc(client.ErrorCodes(), func(c client.ErrorCode) bool { return c.Name == clientErr.Code && c.Status == clientErr.Status })
	switch {
	case !clientErr.Sent && clientErr.Advice == client.RetryAfterFix:
		return NewError(CodeInvalidArguments, clientErr.Message)
	case !clientErr.Sent:
		return NewError(CodeUnreachable, "The request never left: "+clientErr.Message+". Nothing was sent and nothing was charged.")
	case clientErr.OutcomeUnknown():
		return NewOutcomeUnknown(endpoint, describe(clientErr))
	case documented:
		e := NewError(clientErr.Code, fmt.Sprintf("Wesendall refused the call (%s): %s", clientErr.Code, clientErr.Message))
		e.Money, e.Retry = clientErr.Money, clientErr.Advice
		if clientErr.Money == client.MoneyRefunded {
			e.Message = "The provider refused the message and Wesendall refunded it: " + clientErr.Message
			if clientErr.Advice == client.RetryCheckFirst {
				e.Message += ". Some of the recipients may have got it all the same: look at list_sms_history before sending again."
				e.NextTool = "list_sms_history"
			}
		}
		return e
	case clientErr.Status == http.StatusTooManyRequests:
		return NewError(CodeRateLimited, "Wesendall answered that there are too many calls: "+clientErr.Message)
	case clientErr.Advice == client.RetryLater && clientErr.Status < 500:
		e := NewError(CodeUnreachable, "No answer came: "+clientErr.Message)
		if mutates {
			e.Message += ". The contacts may have been added; calling again is safe, since those that are there are skipped."
		}
		return e
	default:
		e := NewError(CodeBadResponse, "Wesendall answered what its documents do not describe: "+describe(clientErr))
		e.Retry = clientErr.Advice
		return e
	}
}

// describe is what came, in a few words.
func describe(clientErr *client.Error) string {
	if clientErr.Status == 0 {
		return clientErr.Message
	}
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", clientErr.Status, clientErr.Code)) + ": " + clientErr.Message
}
