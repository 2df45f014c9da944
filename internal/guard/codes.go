package guard

import (
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
)

// Our own codes, beside Wesendall's seven (client.ErrorCodes).
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

// CodeInfo says what a code means, and what it usually means for the money and for
// a retry.
type CodeInfo struct {
	Code        string
	Description string
	Money       client.MoneyState
	Retry       client.RetryAdvice
	NextTool    string
}

// ownCodes is the only place where the meaning of a code of ours is written. The
// documents print it.
func ownCodes() []CodeInfo {
	free := func(code, description string, retry client.RetryAdvice) CodeInfo {
		return CodeInfo{Code: code, Description: description, Money: client.MoneyNotCharged, Retry: retry}
	}
	duplicate := free(CodeDuplicateSend, "The same was already sent, or may have been", client.RetryCheckFirst)
	duplicate.NextTool = client.ToolListSMSHistory
	return []CodeInfo{
		free(CodeNotConfigured, "Credentials or the wallet are not set, or unusable", client.RetryNever),
		free(CodeInvalidArguments, "An argument is wrong; the message names each", client.RetryAfterFix),
		free(CodeDeclined, "The user said no", client.RetryNever),
		free(CodeConfirmationRequired, "The user must agree first", client.RetryAfterUserAgrees),
		free(CodeLimitExceeded, "A limit of the operator forbids it", client.RetryNever),
		duplicate,
		free(CodeDestinationNotAllowed, "The operator does not allow this country, or everyone is on the do-not-text list", client.RetryNever),
		{
			Code: CodeOutcomeUnknown, Description: "It may have happened; a user must settle it before it is repeated",
			Money: client.MoneyUnknown, Retry: client.RetryAfterSettled,
		},
		free(CodeRateLimited, "Too many calls at once", client.RetryLater),
		free(CodeUnreachable, "No connection to the API, or no answer to a call that is free", client.RetryLater),
		free(CodeBadResponse, "The API answered something that its documents do not describe", client.RetryNever),
		free(CodeReadOnly, "The operator only allows reading", client.RetryNever),
	}
}

// Codes is the table of every code that a tool may answer.
func Codes() []CodeInfo {
	var infos []CodeInfo
	for _, c := range client.ErrorCodes() {
		info := CodeInfo{Code: c.Name, Description: c.Description, Money: c.Money, Retry: c.Advice}
		switch {
		case c.Advice == client.RetryAfterTopUp:
			info.NextTool = client.ToolTopUpWallet
		case c.Money == client.MoneyUnknown: // only of a read: a spend answers outcome_unknown instead
			info.Money, info.Retry = client.MoneyNotCharged, client.RetryLater
		}
		infos = append(infos, info)
	}
	return append(infos, ownCodes()...)
}

// NewError returns an error with what the table says of its code.
func NewError(code, message string) *Error {
	table := Codes()
	info := table[slices.IndexFunc(table, func(info CodeInfo) bool { return info.Code == code })]
	return &Error{Code: code, Message: message, Money: info.Money, Retry: info.Retry, NextTool: info.NextTool}
}
