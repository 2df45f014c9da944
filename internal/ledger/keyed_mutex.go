package ledger

import (
	"context"
	"sync"
)

// keyedMutex is a mutex for each key.
type keyedMutex struct {
	mu      sync.Mutex
	entries map[string]*keyedMutexEntry
}

type keyedMutexEntry struct {
	sem  chan struct{} // holds a token while unlocked
	refs int
}

// Lock locks a key, or fails when the context ends.
func (m *keyedMutex) Lock(ctx context.Context, key string) (unlock func(), err error) {
	m.mu.Lock()
	entry := m.entries[key]
	if entry == nil {
		entry = &keyedMutexEntry{sem: make(chan struct{}, 1)}
		entry.sem <- struct{}{}
		if m.entries == nil {
			m.entries = map[string]*keyedMutexEntry{}
		}
		m.entries[key] = entry
	}
	entry.refs++
	m.mu.Unlock()
	release := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if entry.refs--; entry.refs == 0 {
			delete(m.entries, key)
		}
	}
	select {
	case <-entry.sem:
		return func() { entry.sem <- struct{}{}; release() }, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}
