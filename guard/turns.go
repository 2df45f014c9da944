package guard

import (
	"context"
	"sync"
)

// turns has the callers for one name go one after the other.
type turns struct {
	mu   sync.Mutex
	each map[string]*turn
}

type turn struct {
	free  chan struct{} // holds one token while it is nobody's turn
	users int
}

// take waits for the turn, which ends with done.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	t.mu.Lock()
	each := t.each[name]
	if each == nil {
		each = &turn{free: make(chan struct{}, 1)}
		each.free <- struct{}{}
		t.each[name] = each
	}
	each.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if each.users--; each.users == 0 {
			delete(t.each, name)
		}
	}
	select {
	case <-each.free:
		return func() { each.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
