package tools

import (
	"context"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// Limits on calls of the whole server and, in a server for many callers, of each
// caller. maxPerCaller counts running and waiting calls, and those that wait for
// a user's answer.
const (
	maxRunning          = 64
	maxWaiting          = 1024
	maxRunningPerCaller = maxRunning / 4
	maxPerCaller        = maxRunning
)

// callerSlots counts the calls of each caller that has any.
type callerSlots struct {
	mu       sync.Mutex
	byCaller map[string]*callerSlot
}

type callerSlot struct {
	calls   int
	running chan struct{}
}

// acquire counts one more call of a caller. It returns nil above maxPerCaller.
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

// acquire waits for a slot of the caller, if there is a caller, and then for one
// of the server. yield gives both away until resume is called.
func (s *Toolset) acquire(
	ctx context.Context, callerID string,
) (release func(), yield func() (resume func()), err error) {
	// Hosts give up after a minute and a call may take 45 s: a call that waited
	// longer could spend money when the host no longer listens.
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

// acquireGlobal waits for a slot of the server.
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

// acquireSlot waits for a slot until the timer fires.
func acquireSlot(ctx context.Context, slots chan struct{}, timer *time.Timer, holder string) error {
	select { // a free slot is taken even if the timer has fired
	case slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case <-timer.C:
		return guard.NewError(guard.CodeRateLimited,
			"Nothing was sent: "+holder+" has too many calls running. Try again in a minute.")
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return guard.NewError(guard.CodeUnreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
}
