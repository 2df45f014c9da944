package guard

import "context"

// ProgressUpstream is what a call waits for when it waits for nothing else.
const ProgressUpstream = "Waiting for Wesendall's answer."

type progressKey struct{}

// ProgressFunc is told what a call waits for. now says that it is to be shown at
// once, because the call takes longer than expected.
type ProgressFunc func(text string, now bool)

// WithProgress returns a context whose calls report what they wait for.
func WithProgress(ctx context.Context, fn ProgressFunc) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}

func reportProgress(ctx context.Context, text string, now bool) {
	if fn, ok := ctx.Value(progressKey{}).(ProgressFunc); ok {
		fn(text, now)
	}
}
