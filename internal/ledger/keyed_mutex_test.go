package ledger

import (
	"context"
	"errors"
	"testing"
)

// Only one goroutine at a time holds a key, and a cancelled wait leaves no entry.
func TestKeyedMutex(t *testing.T) {
	t.Parallel()
	locks := keyedMutex{}
	unlockA, err := locks.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	unlockB, err := locks.Lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := locks.Lock(cancelled, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	second := make(chan func())
	go func() {
		unlock, err := locks.Lock(t.Context(), "a")
		if err != nil {
			t.Error(err)
		}
		second <- unlock
	}()
	select {
	case <-second:
		t.Fatal("two hold the key at once")
	default:
	}
	unlockA()
	(<-second)()
	unlockB()
	if len(locks.entries) != 0 {
		t.Errorf("%d entries are left", len(locks.entries))
	}
}
