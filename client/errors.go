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
	Date                   time.Time     // by the server's clock; zero when it did not say
	Retry                  Retry
	Money                  Money
	// Sent is false only where it is certain that no request left.
	Sent     bool
	Attempts int
	Err      error // what lies beneath, if anything

	lost bool // the connection failed, before or during the answer
}

// Error names the endpoint, what came and the message, and never a secret.
func (e *Error) Error() string {
	parts := []string{e.Endpoint}
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("%d %s", e.Status, e.Code))
	}
	text := strings.TrimSpace(strings.Join(parts, ": ")) + ": " + e.Message
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Unwrap is the error beneath.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeUnknown tells whether the call may have changed something although it
// failed, so that it must not be repeated before somebody has looked.
func (e *Error) OutcomeUnknown() bool {
	return e.Sent && e.Retry == CheckFirst && e.Money != Refunded
}

// judge says what the failure means for the money, and what to do. It is the
// one place that decides it, from the catalogue's codes: whatever the documents
// do not describe leaves a spend unknown.
func (e *Error) judge(r request) {
	code, known := documented(e.Status, e.Code)
	e.Money, e.Retry = NotCharged, RetryLater
	switch effect := r.endpoint.Effect; {
	case !e.Sent:
	case effect == Reads, effect == Adds: // free, and safe to repeat
		switch {
		case known && code.Money == NotCharged:
			e.Retry = code.Retry
		case e.Status != 0 && !e.lost && e.Status != http.StatusTooManyRequests && e.Status < 500:
			e.Retry = RetryNo
		}
	case known && code.Money == NotCharged:
		e.Retry = code.Retry
	case known && code.Money == Refunded && effect == Spends && r.endpoint.Name != topUp.Name:
		e.Money, e.Retry = code.Money, code.Retry
		if !r.single {
			e.Retry = CheckFirst // part of a refused batch may have been accepted
		}
	default:
		e.Retry = CheckFirst
		if effect == Spends {
			e.Money = Unknown
		}
	}
}
