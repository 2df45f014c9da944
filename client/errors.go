package client

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is a call that did not succeed. Callers find it with errors.As and
// switch on Code, Money and Retry.
type Error struct {
	Endpoint string // the name of its tool
	Status   int    // HTTP; 0 without a response
	// Code, Message and Details are Wesendall's own text. Details is JSON, or the
	// beginning of it, with everything else in the error body. Without a response,
	// Message says what went wrong.
	Code, Message, Details string
	RequestID              string
	RetryAfter             time.Duration // as the server asked; 0 if it did not
	ServerTime             time.Time     // from the Date header; zero without one
	Advice                 RetryAdvice
	Money                  MoneyState
	// Sent is false only if it is certain that no byte of the request left.
	Sent     bool
	Attempts int   // how often the request was sent or tried
	Err      error // the underlying error, if any

	connFailed bool // the connection failed, before or during the response
}

// Error names the endpoint, the status, the code and the message. It never contains
// the secret.
func (e *Error) Error() string {
	parts := []string{e.Endpoint}
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("%d %s", e.Status, e.Code))
	}
	message := strings.TrimSpace(strings.Join(parts, ": ")) + ": " + e.Message
	if e.RequestID != "" {
		message += " (request " + e.RequestID + ")"
	}
	return message
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeUnknown reports whether the call may have changed something although it
// failed. It must not be repeated before someone has checked.
func (e *Error) OutcomeUnknown() bool {
	return e.Sent && e.Advice == RetryCheckFirst && e.Money != MoneyRefunded
}

// classify sets what the failure means for the money, and what to do. No other
// place decides this. Any answer that the documents do not describe leaves the
// outcome of a spend unknown.
func (e *Error) classify(r request) {
	code, known := LookupErrorCode(e.Status, e.Code)
	e.Money, e.Advice = MoneyNotCharged, RetryLater
	switch effect := r.endpoint.Effect; {
	case !e.Sent:
	case effect == EffectRead, effect == EffectIdempotentWrite: // free, and safe to repeat
		switch {
		case known && code.Money == MoneyNotCharged:
			e.Advice = code.Advice
		case e.Status != 0 && !e.connFailed && e.Status != http.StatusTooManyRequests && e.Status < 500:
			e.Advice = RetryNever
		}
	case known && code.Money == MoneyNotCharged:
		e.Advice = code.Advice
	case known && code.Money == MoneyRefunded && effect == EffectSpend && r.endpoint.Name != ToolTopUpWallet:
		e.Money, e.Advice = code.Money, code.Advice
		if !r.singleRecipient {
			e.Advice = RetryCheckFirst // part of a refused batch may have been accepted
		}
	default:
		e.Advice = RetryCheckFirst
		if effect == EffectSpend {
			e.Money = MoneyUnknown
		}
	}
}
