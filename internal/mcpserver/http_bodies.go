package mcpserver

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	weighted "golang.org/x/sync/semaphore"
)

// A running request uses up to a hundred times the memory of its body. So the bodies of
// all running requests together are limited, and a body that is larger than the limit
// runs when no other is running. Small bodies are not counted: a send to 500 numbers is
// small.
const (
	smallBodyBytes  = 8 << 10
	totalBodyBytes  = 512 << 10
	gcBodyBytes     = 64 << 10 // from this size on, memory is freed when the request ends
	unknownBodySize = -1       // http.Request.ContentLength of a chunked body
)

// bodyBudget limits the bodies of all running requests together.
type bodyBudget struct{ bytes *weighted.Weighted }

func newBodyBudget() bodyBudget { return bodyBudget{weighted.NewWeighted(totalBodyBytes)} }

// Acquire waits until the body of a request fits. The function that it returns must
// be called when the request has ended, or waits for a user; more calls do nothing.
func (b bodyBudget) Acquire(r *http.Request, timeout time.Duration) (release func(), err error) {
	size := r.ContentLength
	if size != unknownBodySize && size <= smallBodyBytes {
		return func() {}, nil
	}
	if size == unknownBodySize {
		size = totalBodyBytes
	}
	size = min(size, totalBodyBytes)
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	if err := b.bytes.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() {
		if size >= gcBodyBytes {
			runtime.GC() // otherwise what large requests leave behind adds up
		}
		b.bytes.Release(size)
	}), nil
}
