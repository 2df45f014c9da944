package client

import "context"

// RequestHook is called before each HTTP request, also before a second attempt.
// The function that it returns is called with the response or with the error; the
// other one is nil. Both must be fast and must not fail: the request waits.
type RequestHook func(ctx context.Context, e Endpoint) (done func(*Response, *Error))

type requestHookKey struct{}

// WithRequestHook returns a context whose calls run the hook.
func WithRequestHook(ctx context.Context, hook RequestHook) context.Context {
	return context.WithValue(ctx, requestHookKey{}, hook)
}

// startRequest runs the context's hook, if it has one.
func startRequest(ctx context.Context, e Endpoint) (done func(*Response, *Error)) {
	if hook, ok := ctx.Value(requestHookKey{}).(RequestHook); ok {
		return hook(ctx, e)
	}
	return func(*Response, *Error) {}
}
