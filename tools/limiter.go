package tools

import (
	"context"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// How many calls run at once, and how many more may wait for one of them. Where
// there are many callers one of them has a quarter of the running ones, and as
// many as run in all may be waiting, running or asking a person.
const (
	maxRunning          = 64
	maxWaiting          = 1024
	maxRunningPerCaller = maxRunning / 4
	maxPerCaller        = maxRunning
)

// callerSlots are what each caller has of the running calls, while it has calls.
type callerSlots struct {
	mu       sync.Mutex
	byCaller map[string]*callerSlot
}

type callerSlot struct {
	calls   int
	running chan struct{}
}

// acquire counts a call of a caller; nil is one too many.
func (s *callerSlots) acquire(callerID string) *callerSlot {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.byCaller[callerID]
	if slot == nil {
		slot = &callerSlot{running: make(chan struct{}, maxRunningPerCaller)}
		s.byCaller[callerID] = slot
	}
	if slot.calls == maxPerCaller {
		return nil
	}
	slot.calls++
	return slot
}

func (s *callerSlots) release(callerID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.byCaller[callerID]
	if slot.calls--; slot.calls == 0 {
		delete(s.byCaller, callerID)
	}
}

// acquire waits for a turn: in the caller's own share, where there are many, and
// then among all. Aside gives the turn away for a while.
func (s *Toolset) acquire(ctx context.Context, callerID string) (release func(), yield func() (resume func()), err error) {
	// A host gives up after a minute, and a call may take 45 seconds: one that
	// waits for long would leave when nobody listens any more.
	timer := time.NewTimer(s.acquireTimeout)
	defer timer.Stop()
	if callerID == "" {
		release, err = s.acquireGlobal(ctx, timer)
		return release, func() func() {
			<-s.running
			return func() { s.running <- struct{}{} }
		}, err
	}
	slot := s.callers.acquire(callerID)
	if slot == nil {
		return nil, nil, guard.NewError(guard.CodeRateLimited, "Nothing was sent: this caller has too many calls waiting.")
	}
	if err := acquireSlot(ctx, slot.running, timer, "this caller"); err != nil {
		s.callers.release(callerID)
		return nil, nil, err
	}
	releaseGlobal, err := s.acquireGlobal(ctx, timer)
	if err != nil {
		<-slot.running
		s.callers.release(callerID)
		return nil, nil, err
	}
	release = func() { releaseGlobal(); <-slot.running; s.callers.release(callerID) }
	return release, func() func() {
		<-s.running
		<-slot.running
		return func() { slot.running <- struct{}{}; s.running <- struct{}{} }
	}, nil
}

// acquireGlobal waits for a turn among all calls.
func (s *Toolset) acquireGlobal(ctx context.Context, timer *time.Timer) (release func(), err error) {
	select {
	case s.admitted <- struct{}{}:
	default:
		return nil, guard.NewError(guard.CodeRateLimited, "Nothing was sent: this server has too many calls waiting.")
	}
	if err := acquireSlot(ctx, s.running, timer, "this server"); err != nil {
		<-s.admitted
		return nil, err
	}
	return func() { <-s.running; <-s.admitted }, nil
}

// acquireSlot waits for a slot, for as long as there is patience.
func acquireSlot(ctx context.Context, slots chan struct{}, timer *time.Timer, holder string) error {
	select { // a free one is taken at once, however little patience is left
	case slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case <-timer.C:
		return guard.NewError(guard.CodeRateLimited, "Nothing was sent: "+holder+" has too many calls running. Try again in a minute.")
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return guard.NewError(guard.CodeUnreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
}
