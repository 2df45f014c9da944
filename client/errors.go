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
	Endpoint string // its name in the catalogue
	Status   int    // HTTP; 0 when no answer came
	// Code, Message and Details are the vendor's own: Details is JSON, or the
	// beginning of it, with whatever else the answer said. They are other
	// people's text. Without an answer, Message says what went wrong.
	Code, Message, Details string
	RequestID              string
	RetryAfter             time.Duration // as the server asked; 0 when it did not
	ServerTime             time.Time     // by the server's clock; zero when it did not say
	Advice                 RetryAdvice
	Money                  MoneyState
	// Sent is false only where it is certain that no request left.
	Sent     bool
	Attempts int
	Err      error // what lies beneath, if anything

	connFailed bool // the connection failed, before or during the answer
}

// Error names the endpoint, what came and the message, and never a secret.
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

// Unwrap is the error beneath.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeUnknown tells whether the call may have changed something although it
// failed, so that it must not be repeated before somebody has looked.
func (e *Error) OutcomeUnknown() bool {
	return e.Sent && e.Advice == RetryCheckFirst && e.Money != MoneyRefunded
}

// classify says what the failure means for the money, and what to do. It is the
// one place that decides it, from the catalogue's codes: whatever the documents
// do not describe leaves a spend unknown.
func (e *Error) classify(r request) {
	code, known := lookupErrorCode(e.Status, e.Code)
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
	case known && code.Money == MoneyRefunded && effect == EffectSpend && r.endpoint.Name != endpointTopUpWallet.Name:
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
