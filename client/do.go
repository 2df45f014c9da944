package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// do makes one call to an endpoint, and a second one where that is safe. The
// params are the endpoint's parameters as a struct with the API's own names.
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
	if !firstErr.retryable(r) || c.sleepBeforeRetry(ctx, firstErr.RetryAfter, deadline) != nil {
		return nil, firstErr
	}
	resp, secondErr := c.doOnce(ctx, r, deadline)
	switch {
	case secondErr == nil:
		resp.Attempts = 2
		return resp, nil
	case e.Effect != EffectRead && !secondErr.Sent:
		return nil, firstErr // which is still all that happened
	}
	secondErr.Attempts = 2
	return nil, secondErr
}

// doOnce sends the request once.
func (c *Client) doOnce(callerCtx context.Context, r request, deadline time.Time) (resp *Response, apiErr *Error) {
	finish := startRequest(callerCtx, r.endpoint)
	defer func() { finish(resp, apiErr) }()
	ctx, cancel := context.WithDeadline(callerCtx, deadline)
	defer cancel()
	httpClient, isCommitted := c.readHTTP, func() bool { return true }
	var body io.ReadCloser
	if r.body != nil {
		barrier := &sendBarrier{callerCtx: callerCtx}
		ctx, cancel = context.WithDeadline(context.WithoutCancel(callerCtx), deadline)
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, barrier.clientTrace())
		// As a reader in memory the body is not flushed apart from the headers;
		// set below, it comes without the means to read it a second time.
		httpClient, body, isCommitted = c.writeHTTP, io.NopCloser(bytes.NewReader(r.body)), barrier.isCommitted
		defer context.AfterFunc(callerCtx, func() {
			if !barrier.isCommitted() {
				cancel() // it would wait for a connection that nobody needs
			}
		})()
	}
	httpReq, err := http.NewRequestWithContext(ctx, r.endpoint.Method, r.url, nil)
	if err != nil {
		return nil, c.transportError(r, false, err)
	}
	if body != nil {
		httpReq.Body, httpReq.ContentLength = body, int64(len(r.body))
		httpReq.Header.Set("Content-Type", "application/json")
	}
	httpReq.SetBasicAuth(c.apiKey, c.apiSecret.Reveal())
	httpReq.Header.Set("Accept", "application/json")
	httpReq.Header.Set("User-Agent", c.userAgent)
	httpResp, err := httpClient.Do(httpReq)
	if err != nil {
		sent := isCommitted()
		if !sent && callerCtx.Err() != nil {
			err = callerCtx.Err() // which is why it did not leave
		}
		return nil, c.transportError(r, sent, err)
	}
	defer func() { _ = httpResp.Body.Close() }()
	return c.decodeResponse(r, httpResp)
}

// transportError is the error of a call that got no answer.
func (c *Client) transportError(r request, sent bool, err error) *Error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err // the outer one repeats the URL
	}
	e := &Error{Endpoint: r.endpoint.Name, Sent: sent, Attempts: 1, Err: redactedError{err, c.redactor.redactText(err.Error())}}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	default:
		e.connFailed, e.Message = true, "the connection failed: "+e.Err.Error()
	}
	e.classify(r)
	return e
}

// redactedError is an error with a text of its own.
type redactedError struct {
	error
	message string
}

func (c redactedError) Error() string { return c.message }
func (c redactedError) Unwrap() error { return c.error }

// decodeResponse makes a response or an error of an answer.
func (c *Client) decodeResponse(r request, httpResp *http.Response) (*Response, *Error) {
	body, readErr := io.ReadAll(io.LimitReader(httpResp.Body, maxResponseBytes+1))
	body = bytes.TrimSpace(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	e := &Error{Endpoint: r.endpoint.Name, Status: httpResp.StatusCode, RequestID: sanitize.TruncateBytes(c.redactor.redactText(findRequestID(httpResp.Header)), 128), Sent: true, Attempts: 1}

	if httpResp.StatusCode/100 == 2 && readErr == nil && len(body) <= maxResponseBytes {
		data, meta, err := unwrapEnvelope(body, r.endpoint.Effect != EffectRead)
		if err == nil {
			return &Response{Data: c.redactor.redactJSON(data), Meta: c.redactor.redactFields(meta), ServerTime: serverTime(httpResp), Status: httpResp.StatusCode, RequestID: e.RequestID, Attempts: 1}, nil
		}
		e.Message = err.Error()
	}
	switch {
	case httpResp.StatusCode/100 == 2 && readErr != nil:
		e.connFailed, e.Message = true, "the answer broke off: "+readErr.Error()
		e.Err = readErr
	case len(body) > maxResponseBytes:
		e.Message = fmt.Sprintf("the answer is longer than %d MiB", maxResponseBytes>>20)
	case httpResp.StatusCode/100 == 3:
		e.Message = "the server redirects the call; redirects are never followed, so the base URL must be where the API itself answers"
		if location, err := httpResp.Location(); err == nil {
			e.Message += fmt.Sprintf(" (this one leads to %s://%s)", location.Scheme, location.Host)
		}
	default:
		// Before anything is cut, so that no beginning of a secret is left.
		if json.Valid(body) {
			body = c.redactor.redactJSON(body)
		}
		parsed := parseErrorBody([]byte(c.redactor.redactText(string(body))))
		e.Code, e.Details = parsed.code, parsed.details
		if parsed.message != "" {
			e.Message = parsed.message
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(httpResp.StatusCode)
	}
	e.Message = c.redactor.redactText(e.Message)
	e.ServerTime = serverTime(httpResp)
	e.RetryAfter = parseRetryAfter(httpResp.Header.Get("Retry-After"))
	e.classify(r)
	return nil, e
}

// findRequestID is the name that the server gave the call, under any of the usual
// headers: no document says whether there is one.
func findRequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Request-Id", "X-Correlation-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// serverTime is what the server's clock said; zero where it did not say.
func serverTime(httpResp *http.Response) time.Time {
	date, _ := http.ParseTime(httpResp.Header.Get("Date"))
	return date
}
