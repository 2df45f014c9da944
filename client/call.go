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
	"slices"
	"strconv"
	"time"
)

// call makes one call to an endpoint, and a second one where that is safe. The
// params are the endpoint's parameters as a struct with the API's own names.
func (c *Client) call(ctx context.Context, e Endpoint, params any, single bool) (*Response, error) {
	r, err := c.build(e, params)
	if err != nil {
		return nil, &Error{Endpoint: e.Name, Message: err.Error(), Money: NotCharged, Retry: RetryAfterFix}
	}
	r.single = single
	limit := c.writeLimit
	if e.Effect == Reads {
		limit = c.readLimit
	}
	until := time.Now().Add(limit)

	answer, failure := c.attempt(ctx, r, until)
	if failure == nil {
		return answer, nil
	}
	if !failure.repeatable(r) || c.backOff(ctx, failure.RetryAfter, until) != nil {
		return nil, failure
	}
	answer, second := c.attempt(ctx, r, until)
	switch {
	case second == nil:
		answer.Attempts = 2
		return answer, nil
	case e.Effect != Reads && !second.Sent:
		return nil, failure // which is still all that happened
	}
	second.Attempts = 2
	return nil, second
}

// backOff waits about half a second, after what the server asked for. It fails
// at once if that leaves no time for another attempt.
func (c *Client) backOff(ctx context.Context, asked time.Duration, until time.Time) error {
	wait := asked + time.Duration((0.25+c.random()/2)*float64(time.Second))
	if time.Now().Add(wait).After(until) {
		return context.DeadlineExceeded
	}
	return c.sleep(ctx, wait)
}

// repeatable tells whether sending the same request again is safe: the table
// that this follows gives each endpoint its own answer.
func (e *Error) repeatable(r request) bool {
	switch r.endpoint.Effect {
	case Reads, Adds:
		return e.lost || slices.Contains([]int{
			http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}, e.Status)
	case Spends:
		// Refunded, and for one number the worst that can follow is a second
		// copy that was paid for once.
		return r.single && e.Money == Refunded
	default:
		return false
	}
}

// attempt sends the request once.
func (c *Client) attempt(caller context.Context, r request, until time.Time) (answer *Response, failure *Error) {
	done := observe(caller, r.endpoint)
	defer func() { done(answer, failure) }()
	ctx, cancel := context.WithDeadline(caller, until)
	defer cancel()
	httpClient, sent := c.reads, func() bool { return true }
	var body io.ReadCloser
	if r.body != nil {
		gate := &gate{caller: caller}
		ctx, cancel = context.WithDeadline(context.WithoutCancel(caller), until)
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, gate.trace())
		// As a reader in memory the body is not flushed apart from the headers;
		// set below, it comes without the means to read it a second time.
		httpClient, body, sent = c.writes, io.NopCloser(bytes.NewReader(r.body)), gate.passed
		defer context.AfterFunc(caller, func() {
			if !gate.passed() {
				cancel() // it would wait for a connection that nobody needs
			}
		})()
	}
	req, err := http.NewRequestWithContext(ctx, r.endpoint.Method, r.url, nil)
	if err != nil {
		return nil, c.lost(r, false, err)
	}
	if body != nil {
		req.Body, req.ContentLength = body, int64(len(r.body))
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(c.key, c.secret.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	res, err := httpClient.Do(req)
	if err != nil {
		left := sent()
		if !left && caller.Err() != nil {
			err = caller.Err() // which is why it did not leave
		}
		return nil, c.lost(r, left, err)
	}
	defer func() { _ = res.Body.Close() }()
	return c.read(r, res)
}

// lost is the error of a call that got no answer.
func (c *Client) lost(r request, sent bool, err error) *Error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the outer one repeats the URL
	}
	e := &Error{Endpoint: r.endpoint.Name, Sent: sent, Attempts: 1, Err: cause{err, c.scrub.text(err.Error())}}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	default:
		e.lost, e.Message = true, "the connection failed: "+e.Err.Error()
	}
	e.judge(r)
	return e
}

// cause is an error with a text of its own.
type cause struct {
	error
	text string
}

func (c cause) Error() string { return c.text }
func (c cause) Unwrap() error { return c.error }

// read makes a response or an error of an answer.
func (c *Client) read(r request, res *http.Response) (*Response, *Error) {
	body, readErr := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	body = bytes.TrimSpace(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	e := &Error{Endpoint: r.endpoint.Name, Status: res.StatusCode, RequestID: shorten(c.scrub.text(requestID(res.Header)), 128), Sent: true, Attempts: 1}

	if res.StatusCode/100 == 2 && readErr == nil && len(body) <= maxBody {
		data, meta, err := unwrap(body, r.endpoint.Effect != Reads)
		if err == nil {
			return &Response{Data: c.scrub.json(data), Meta: c.scrub.members(meta), Date: dateOf(res), Status: res.StatusCode, RequestID: e.RequestID, Attempts: 1}, nil
		}
		e.Message = err.Error()
	}
	switch {
	case res.StatusCode/100 == 2 && readErr != nil:
		e.lost, e.Message = true, "the answer broke off: "+readErr.Error()
		e.Err = readErr
	case len(body) > maxBody:
		e.Message = fmt.Sprintf("the answer is longer than %d MiB", maxBody>>20)
	case res.StatusCode/100 == 3:
		e.Message = "the server redirects the call; redirects are never followed, so the base URL must be where the API itself answers"
		if to, err := res.Location(); err == nil {
			e.Message += fmt.Sprintf(" (this one leads to %s://%s)", to.Scheme, to.Host)
		}
	default:
		// Before anything is cut, so that no beginning of a secret is left.
		if json.Valid(body) {
			body = c.scrub.json(body)
		}
		said := understand([]byte(c.scrub.text(string(body))))
		e.Code, e.Details = said.code, said.details
		if said.message != "" {
			e.Message = said.message
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(res.StatusCode)
	}
	e.Message = c.scrub.text(e.Message)
	e.Date = dateOf(res)
	e.RetryAfter = retryAfter(res.Header.Get("Retry-After"))
	e.judge(r)
	return nil, e
}

// requestID is the name that the server gave the call, under any of the usual
// headers: no document says whether there is one.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "Request-Id", "X-Correlation-Id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// retryAfter reads the header's two forms: seconds and a date.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 86400)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), 24*time.Hour)
	}
	return 0
}

// dateOf is what the server's clock said; zero where it did not say.
func dateOf(res *http.Response) time.Time {
	date, _ := http.ParseTime(res.Header.Get("Date"))
	return date
}
