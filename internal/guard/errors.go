package guard

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
)

// Error is a failed tool call, as the tool's result has it.
type Error struct {
	Code                string             `json:"code"`
	Message             string             `json:"message"`
	HTTPStatus          int                `json:"http_status,omitempty"`
	VendorCode          string             `json:"vendor_code,omitempty"` // Wesendall's
	Details             string             `json:"details,omitempty"`     // what else Wesendall said
	Money               client.MoneyState  `json:"money"`                 // what this call did
	Retry               client.RetryAdvice `json:"retry"`
	RetryAfter          int                `json:"retry_after,omitempty"` // seconds, as Wesendall asked
	NextTool            string             `json:"next,omitempty"`        // the tool to call
	NeededUGX           int64              `json:"needed,omitempty"`      // of insufficient_balance
	HeldUGX             *int64             `json:"held,omitempty"`        // the balance; nil where it is not known
	MissingUGX          int64              `json:"missing,omitempty"`
	RequestID           string             `json:"request_id,omitempty"`
	Quote               *Quote             `json:"quote,omitempty"`   // of a spend that the user must agree to
	DuplicateRecipients []string           `json:"overlap,omitempty"` // the numbers that were reached before
	SpendID             string             `json:"spend,omitempty"`   // in the ledger, of an unknown outcome
	ConfirmationPrompt  string             `json:"-"`                 // to ask the user about the quote
	Attempts            int                `json:"attempts,omitempty"`
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NewOutcomeUnknown returns the error of a call that may have taken effect. Its next
// tool shows what happened.
func NewOutcomeUnknown(e client.Endpoint, description string) *Error {
	unknownErr := NewError(CodeOutcomeUnknown, description)
	advice := "Messages may have gone out and been charged; the cost stays in the day's budget, and the same is refused " +
		"until your user has settled it."
	unknownErr.NextTool = client.ToolListSMSHistory
	switch {
	case e.Effect != client.EffectSpend:
		advice = "The group may exist already: look at list_groups before creating it again."
		unknownErr.NextTool, unknownErr.Money = client.ToolListGroups, client.MoneyNotCharged
		unknownErr.Retry = client.RetryCheckFirst
	case e.Name == client.ToolTopUpWallet:
		advice = "The payer may have been asked to pay; the amount stays in the day's limit, and the same is refused " +
			"until your user has settled it."
		unknownErr.NextTool = client.ToolGetBalance
	}
	unknownErr.Message = "The outcome is unknown: " + strings.TrimSuffix(description, ".") + ". " + advice
	return unknownErr
}

// fromClientError turns the client's error into one for an agent.
func fromClientError(clientErr *client.Error) *Error {
	e := classify(clientErr)
	e.HTTPStatus, e.VendorCode, e.Details = clientErr.Status, clientErr.Code, clientErr.Details
	e.RequestID, e.Attempts = clientErr.RequestID, clientErr.Attempts
	e.RetryAfter = int(clientErr.RetryAfter.Seconds())
	return e
}

// classify finds the code of a failure and its sentence.
func classify(clientErr *client.Error) *Error {
	endpoint, _ := client.FindEndpoint(clientErr.Endpoint)
	_, documented := client.LookupErrorCode(clientErr.Status, clientErr.Code)
	switch {
	case !clientErr.Sent && clientErr.Advice == client.RetryAfterFix:
		return NewError(CodeInvalidArguments, clientErr.Message)
	case !clientErr.Sent:
		return NewError(CodeUnreachable, "The request never left: "+clientErr.Message+". Nothing was sent and nothing was charged.")
	case clientErr.OutcomeUnknown():
		return NewOutcomeUnknown(endpoint, describeAnswer(clientErr))
	case documented:
		return documentedError(clientErr)
	case clientErr.Status == http.StatusTooManyRequests:
		return NewError(CodeRateLimited, "Wesendall answered that there are too many calls: "+clientErr.Message)
	case clientErr.Advice == client.RetryLater && clientErr.Status < 500:
		e := NewError(CodeUnreachable, "No answer came: "+clientErr.Message)
		if endpoint.Effect != client.EffectRead {
			e.Message += ". The contacts may have been added; calling again is safe, because those in the group are skipped."
		}
		return e
	}
	e := NewError(CodeBadResponse, "Wesendall answered something that its documents do not describe: "+describeAnswer(clientErr))
	e.Retry = clientErr.Advice
	return e
}

// describeAnswer returns the status, the code and the message of an answer in a few words.
func describeAnswer(clientErr *client.Error) string {
	if clientErr.Status == 0 {
		return clientErr.Message
	}
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", clientErr.Status, clientErr.Code)) + ": " + clientErr.Message
}
