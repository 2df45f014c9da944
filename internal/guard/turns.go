package guard

import (
	"context"
	"sync"
)

// keyedMutex has the callers for one name go one after the other.
type keyedMutex struct {
	Mu      sync.Mutex
	Entries map[string]*keyedMutexEntry
}

type keyedMutexEntry struct {
	sem  chan struct{} // holds one token while it is nobody's turn
	Refs int
}

// Lock waits for the turn, which ends with done.
func (m *keyedMutex) Lock(ctx context.Context, key string) (unlock func(), err error) {
	m.Mu.Lock()
	entry := m.Entries[key]
	if entry == nil {
		entry = &keyedMutexEntry{sem: make(chan struct{}, 1)}
		entry.sem <- struct{}{}
		m.Entries[key] = entry
	}
	entry.Refs++
	m.Mu.Unlock()
	unref := func() {
		m.Mu.Lock()
		defer m.Mu.Unlock()
		if entry.Refs--; entry.Refs == 0 {
			delete(m.Entries, key)
		}
	}
	select {
	case <-entry.sem:
		return func() { entry.sem <- struct{}{}; unref() }, nil
	case <-ctx.Done():
		unref()
		return nil, ctx.Err()
	}
}
