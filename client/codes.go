package client

import (
	"net/http"
	"slices"
)

// MoneyState is what a failed call did to the wallet, or to a payer.
type MoneyState string

// The states of the money after a failed call.
const (
	MoneyNotCharged MoneyState = "not_charged"
	MoneyRefunded   MoneyState = "refunded"
	MoneyUnknown    MoneyState = "unknown"
)

// RetryAdvice is what to do after a failed call.
type RetryAdvice string

// The kinds of advice.
const (
	RetryNever      RetryAdvice = "no"
	RetryAfterFix   RetryAdvice = "after_fix"
	RetryAfterTopUp RetryAdvice = "after_topup"
	RetryLater      RetryAdvice = "later"
	RetryCheckFirst RetryAdvice = "check_first" // look at the history and the balance first

	RetryAfterUserAgrees RetryAdvice = "after_user_agrees" // to the quote of the error
	RetryAfterSettled    RetryAdvice = "after_settled"     // once a user has decided what became of the first
)

// The seven codes that Wesendall documents.
const (
	CodeInvalidCredentials  = "invalid_credentials" //nolint:gosec // a name, not a value
	CodeKeyRevoked          = "key_revoked"
	CodeWalletForbidden     = "wallet_forbidden"
	CodeInsufficientBalance = "insufficient_balance"
	CodeValidationFailed    = "validation_failed"
	CodeSendFailed          = "send_failed"
	CodeInternalError       = "internal_error"
)

// ErrorCode is one of the error codes that Wesendall documents.
type ErrorCode struct {
	Name            string
	Status          int         // HTTP
	Description     string      // what it means, as documented
	DocumentedRetry string      // the documents' retry column
	Money           MoneyState  // after a spend
	Advice          RetryAdvice // our reading of DocumentedRetry
}

// ErrorCodes returns the seven codes that Wesendall documents. The documents advise
// to retry after internal_error, but do not say that nothing was sent.
func ErrorCodes() []ErrorCode {
	return []ErrorCode{
		{
			Name: CodeInvalidCredentials, Status: http.StatusUnauthorized,
			Description: "Bad API key or secret", DocumentedRetry: "No",
			Money: MoneyNotCharged, Advice: RetryNever,
		},
		{
			Name: CodeKeyRevoked, Status: http.StatusUnauthorized,
			Description: "Key has been revoked", DocumentedRetry: "No",
			Money: MoneyNotCharged, Advice: RetryNever,
		},
		{
			Name: CodeWalletForbidden, Status: http.StatusForbidden,
			Description: "Wallet does not belong to this key", DocumentedRetry: "No",
			Money: MoneyNotCharged, Advice: RetryNever,
		},
		{
			Name: CodeInsufficientBalance, Status: http.StatusPaymentRequired,
			Description: "Wallet holds less than the total cost", DocumentedRetry: "After top-up",
			Money: MoneyNotCharged, Advice: RetryAfterTopUp,
		},
		{
			Name: CodeValidationFailed, Status: http.StatusUnprocessableEntity,
			Description: "Body or query failed validation", DocumentedRetry: "After fix",
			Money: MoneyNotCharged, Advice: RetryAfterFix,
		},
		{
			Name: CodeSendFailed, Status: http.StatusBadGateway,
			Description: "Provider rejected; wallet refunded", DocumentedRetry: "Once with backoff",
			Money: MoneyRefunded, Advice: RetryLater,
		},
		{
			Name: CodeInternalError, Status: http.StatusInternalServerError,
			Description: "Transient server error", DocumentedRetry: "Once with backoff",
			Money: MoneyUnknown, Advice: RetryCheckFirst,
		},
	}
}

// LookupErrorCode finds the code of a response. A code under another status than
// the documented one is not known.
func LookupErrorCode(status int, code string) (ErrorCode, bool) {
	codes := ErrorCodes()
	i := slices.IndexFunc(codes, func(c ErrorCode) bool { return c.Status == status && c.Name == code })
	if i < 0 {
		return ErrorCode{}, false
	}
	return codes[i], true
}
