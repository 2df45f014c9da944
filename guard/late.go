package guard

import (
	"context"
	"database/sql"
	"time"
)

// What must be written down and could not be is tried again in the background,
// less and less often, until it is written or the ledger is closed. There is never
// more of it than there were calls at once, since nothing is spent without an
// intent that was written down.
const (
	firstRetry, lastRetry = 50 * time.Millisecond, 2 * time.Second
	// insistTime is how long a caller waits before it goes to the background, and
	// for how long closing waits for what is there.
	insistTime = 5 * time.Second
	// maxBurns is how much may wait for quotes to be burnt too, which end by
	// themselves.
	maxBurns = 64
)

// insist runs a transaction; one that fails goes on in the background.
func (l *Ledger) insist(ctx context.Context, account string, do func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, insistTime)
	defer cancel()
	err := l.accountTx(ctx, account, do)
	if err != nil {
		l.later(account, do)
	}
	return err
}

// later runs a transaction in the background until it succeeds.
func (l *Ledger) later(account string, do func(context.Context, *sql.Tx) error) {
	l.background(func(ctx context.Context) {
		l.waiting.Add(1)
		defer l.waiting.Add(-1)
		for delay := firstRetry; sleep(ctx, delay) == nil; delay = min(2*delay, lastRetry) {
			err := l.accountTx(ctx, account, do)
			if err == nil {
				return
			}
			if delay == firstRetry {
				l.log.Warn("the ledger cannot be written; it is tried until it can", "error", err)
			}
		}
		l.log.Error("the ledger was closed before all could be written down; an outcome will count as unknown")
	})
}

// background runs something for as long as the ledger is open.
func (l *Ledger) background(run func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() == nil {
		l.late.Go(func() { run(l.life) })
	}
}

// Close closes the ledger, when what is late is written down or has had its time.
func (l *Ledger) Close() error {
	timer := time.AfterFunc(insistTime, l.end)
	defer timer.Stop()
	l.late.Wait()
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	l.late.Wait() // for what came in between, and ends now
	return l.close()
}
