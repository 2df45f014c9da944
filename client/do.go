package client

import (
	"context"
	"errors"
	"net/http/httptrace"
	"net/url"
	"time"
)

// do makes one call to an endpoint, and a second one where that is safe. The
// params are a struct whose JSON names are the endpoint's parameters.
func (c *Client) do(ctx context.Context, e Endpoint, params any, singleRecipient bool) (*Response, error) {
	r, err := c.newRequest(e, params)
	if err != nil {
		return nil, &Error{Endpoint: e.Name, Message: err.Error(), Money: MoneyNotCharged, Advice: RetryAfterFix}
	}
	r.singleRecipient = singleRecipient
	timeout := c.writeTimeout
	if e.Effect == EffectRead {
		timeout = c.readTimeout
	}
	deadline := time.Now().Add(timeout)

	resp, firstErr := c.doOnce(ctx, r, deadline)
	if firstErr == nil {
		return resp, nil
	}
	if !firstErr.retryable(r) || missesDeparture(ctx, minRetryMargin) || c.sleepBeforeRetry(ctx, firstErr.RetryAfter, deadline) != nil {
		return nil, firstErr
	}
	resp, secondErr := c.doOnce(ctx, r, deadline)
	switch {
	case secondErr == nil:
		resp.Attempts = 2
		return resp, nil
	case e.Effect != EffectRead && !secondErr.Sent:
		return nil, firstErr // the first request is still all that happened
	}
	secondErr.Attempts = 2
	return nil, secondErr
}

// doOnce sends the request once and tells the hook.
func (c *Client) doOnce(ctx context.Context, r request, deadline time.Time) (resp *Response, apiErr *Error) {
	finish := startRequest(ctx, r.endpoint)
	defer func() { finish(resp, apiErr) }()
	if r.endpoint.Effect == EffectRead {
		return c.doRead(ctx, r, deadline)
	}
	return c.doWrite(ctx, r, deadline)
}

// doRead sends a request that changes nothing. It ends with its caller.
func (c *Client) doRead(ctx context.Context, r request, deadline time.Time) (*Response, *Error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	httpReq, err := c.newHTTPRequest(ctx, r)
	if err != nil {
		return nil, c.transportError(r, false, err)
	}
	httpResp, err := c.readHTTP.Do(httpReq)
	if err != nil {
		return nil, c.transportError(r, true, err)
	}
	defer func() { _ = httpResp.Body.Close() }()
	return c.decodeResponse(r, httpResp)
}

// doWrite sends a request that changes something. Until it leaves, the caller can
// cancel it. After that it ends with its response or its deadline, so that the caller
// learns the outcome.
func (c *Client) doWrite(callerCtx context.Context, r request, deadline time.Time) (*Response, *Error) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(callerCtx), deadline)
	defer cancel()
	barrier := &sendBarrier{callerCtx: callerCtx}
	stop := context.AfterFunc(callerCtx, func() {
		if !barrier.isCommitted() {
			cancel() // stops waiting for a connection
		}
	})
	defer stop()
	httpReq, err := c.newHTTPRequest(httptrace.WithClientTrace(ctx, barrier.clientTrace()), r)
	if err != nil {
		return nil, c.transportError(r, false, err)
	}
	httpResp, err := c.writeHTTP.Do(httpReq)
	if err != nil {
		if reason := barrier.notSentReason(); reason != nil {
			return nil, c.transportError(r, false, reason)
		}
		return nil, c.transportError(r, barrier.isCommitted(), err)
	}
	defer func() { _ = httpResp.Body.Close() }()
	return c.decodeResponse(r, httpResp)
}

// transportError is the error of a request without a response.
func (c *Client) transportError(r request, sent bool, err error) *Error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // the outer one repeats the URL
	}
	e := &Error{
		Endpoint: r.endpoint.Name, Sent: sent, Attempts: 1,
		Err: redactedError{err, c.redactor.redactText(err.Error())},
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	case errors.Is(err, errDepartureMissed):
		e.Message = errDepartureMissed.Error()
	default:
		e.connFailed, e.Message = true, "the connection failed: "+e.Err.Error()
	}
	e.classify(r)
	return e
}

// redactedError replaces the text of an error.
type redactedError struct {
	error
	message string
}

func (e redactedError) Error() string { return e.message }
func (e redactedError) Unwrap() error { return e.error }
