package client

import "context"

// RequestHook is told of each request before it is made, of a second attempt too;
// what it returns is told what came, one of the two. It must be quick and must
// not fail: the request waits for it.
type RequestHook func(ctx context.Context, e Endpoint) (done func(*Response, *Error))

type requestHookKey struct{}

// WithRequestHook has the requests of the calls with this context observed.
func WithRequestHook(ctx context.Context, hook RequestHook) context.Context {
	return context.WithValue(ctx, requestHookKey{}, hook)
}

// startRequest tells who wants to know that a request is about to be made.
func startRequest(ctx context.Context, e Endpoint) (finish func(*Response, *Error)) {
	if hook, ok := ctx.Value(requestHookKey{}).(RequestHook); ok {
		return hook(ctx, e)
	}
	return func(*Response, *Error) {}
}
