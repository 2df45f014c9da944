package client

import (
	"net/http"
	"slices"
)

// MoneyState is what a call that failed did to the wallet, or to a payer.
type MoneyState string

// The three things that can be said of the money.
const (
	MoneyNotCharged MoneyState = "not_charged"
	MoneyRefunded   MoneyState = "refunded"
	MoneyUnknown    MoneyState = "unknown"
)

// RetryAdvice is what to do after a failure.
type RetryAdvice string

// The five pieces of advice.
const (
	RetryNever      RetryAdvice = "no"
	RetryAfterFix   RetryAdvice = "after_fix"
	RetryAfterTopUp RetryAdvice = "after_topup"
	RetryLater      RetryAdvice = "later"
	RetryCheckFirst RetryAdvice = "check_first" // the history and the balance tell what happened
)

// ErrorCode is one of the error codes that the vendor documents.
type ErrorCode struct {
	Name            string
	Status          int // HTTP
	Description     string
	DocumentedRetry string      // the documents' retry column, as it is
	Money           MoneyState  // what became of the money of a spend
	Advice          RetryAdvice // our reading of the retry column
}

// ErrorCodes are the vendor's seven. internal_error is called transient and "once
// with backoff", but nothing says that the message did not go out first.
func ErrorCodes() []ErrorCode {
	return []ErrorCode{
		{"invalid_credentials", http.StatusUnauthorized, "Bad API key or secret", "No", MoneyNotCharged, RetryNever},
		{"key_revoked", http.StatusUnauthorized, "Key has been revoked", "No", MoneyNotCharged, RetryNever},
		{"wallet_forbidden", http.StatusForbidden, "Wallet does not belong to this key", "No", MoneyNotCharged, RetryNever},
		{"insufficient_balance", http.StatusPaymentRequired, "Wallet holds less than the total cost", "After top-up", MoneyNotCharged, RetryAfterTopUp},
		{"validation_failed", http.StatusUnprocessableEntity, "Body or query failed validation", "After fix", MoneyNotCharged, RetryAfterFix},
		{"send_failed", http.StatusBadGateway, "Provider rejected; wallet refunded", "Once with backoff", MoneyRefunded, RetryLater},
		{"internal_error", http.StatusInternalServerError, "Transient server error", "Once with backoff", MoneyUnknown, RetryCheckFirst},
	}
}

// lookupErrorCode finds the code of an answer. A code under another status than its
// own is not what the documents describe, and so nothing is known of it.
func lookupErrorCode(status int, code string) (ErrorCode, bool) {
	codes := ErrorCodes()
	i := slices.IndexFunc(codes, func(c ErrorCode) bool { return c.Status == status && c.Name == code })
	if i < 0 {
		return ErrorCode{}, false
	}
	return codes[i], true
}
