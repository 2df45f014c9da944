package tools

import (
	"context"
	"sync"
	"time"

	"github.com/wesendall/wesendall-mcp/guard"
)

// How many calls run at once, and how many more may wait for one of them. Where
// there are many callers one of them has a quarter of the running ones, and as
// many as run in all may be waiting, running or asking a person.
const (
	atOnce     = 64
	waiting    = 1024
	ofOne      = atOnce / 4
	ofOneInAll = atOnce
)

// shares are what each caller has of the running calls, while it has calls.
type shares struct {
	mu sync.Mutex
	of map[string]*share
}

type share struct {
	calls int
	slots chan struct{}
}

// begin counts a call of a caller; nil is one too many.
func (s *shares) begin(caller string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.of[caller]
	if one == nil {
		one = &share{slots: make(chan struct{}, ofOne)}
		s.of[caller] = one
	}
	if one.calls == ofOneInAll {
		return nil
	}
	one.calls++
	return one
}

func (s *shares) end(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.of[caller]
	if one.calls--; one.calls == 0 {
		delete(s.of, caller)
	}
}

// enter waits for a turn: in the caller's own share, where there are many, and
// then among all. Aside gives the turn away for a while.
func (s *Set) enter(ctx context.Context, caller string) (leave func(), aside func() (back func()), err error) {
	// A host gives up after a minute, and a call may take 45 seconds: one that
	// waits for long would leave when nobody listens any more.
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	if caller == "" {
		leave, err = s.place(ctx, timer)
		return leave, func() func() {
			<-s.slots
			return func() { s.slots <- struct{}{} }
		}, err
	}
	own := s.shares.begin(caller)
	if own == nil {
		return nil, nil, guard.Fail(guard.RateLimited, "Nothing was sent: this caller has too many calls waiting.")
	}
	if err := turn(ctx, own.slots, timer, "this caller"); err != nil {
		s.shares.end(caller)
		return nil, nil, err
	}
	out, err := s.place(ctx, timer)
	if err != nil {
		<-own.slots
		s.shares.end(caller)
		return nil, nil, err
	}
	leave = func() { out(); <-own.slots; s.shares.end(caller) }
	return leave, func() func() {
		<-s.slots
		<-own.slots
		return func() { own.slots <- struct{}{}; s.slots <- struct{}{} }
	}, nil
}

// place waits for a turn among all calls.
func (s *Set) place(ctx context.Context, timer *time.Timer) (leave func(), err error) {
	select {
	case s.queue <- struct{}{}:
	default:
		return nil, guard.Fail(guard.RateLimited, "Nothing was sent: this server has too many calls waiting.")
	}
	if err := turn(ctx, s.slots, timer, "this server"); err != nil {
		<-s.queue
		return nil, err
	}
	return func() { <-s.slots; <-s.queue }, nil
}

// turn waits for a slot, for as long as there is patience.
func turn(ctx context.Context, slots chan struct{}, timer *time.Timer, whose string) error {
	select { // a free one is taken at once, however little patience is left
	case slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case <-timer.C:
		return guard.Fail(guard.RateLimited, "Nothing was sent: "+whose+" has too many calls running. Try again in a minute.")
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return guard.Fail(guard.Unreachable, "The call was cancelled while it waited. Nothing was sent.")
	}
}
