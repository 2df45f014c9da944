package guard

import "context"

// ProgressUpstream is the progress text of a call that waits for Wesendall.
const ProgressUpstream = "Waiting for Wesendall's answer."

type progressKey struct{}

// ProgressFunc receives what a call waits for. now asks to show it at once, because the
// call takes longer than expected.
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
