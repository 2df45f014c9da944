package client

import "context"

// Observer is told of each request before it is made, of a second attempt too;
// what it returns is told what came, one of the two. It must be quick and must
// not fail: the request waits for it.
type Observer func(ctx context.Context, e Endpoint) (done func(*Response, *Error))

type observerKey struct{}

// WithObserver has the requests of the calls with this context observed.
func WithObserver(ctx context.Context, o Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, o)
}

// observe tells who wants to know that a request is about to be made.
func observe(ctx context.Context, e Endpoint) (done func(*Response, *Error)) {
	if o, ok := ctx.Value(observerKey{}).(Observer); ok {
		return o(ctx, e)
	}
	return func(*Response, *Error) {}
}
