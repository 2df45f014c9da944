package ledger

import (
	"context"
	"database/sql"
	"time"
)

// A write that failed is tried again in the background with growing delays, until it
// succeeds or the ledger is closed. There are at most as many such writes as there were
// calls at once, because nothing is spent without a stored intent.
const (
	minBackoff, maxBackoff = 50 * time.Millisecond, 2 * time.Second
	// foregroundTimeout is how long a caller waits before a write goes to the
	// background.
	foregroundTimeout = 5 * time.Second
)

// withRetry runs a transaction. If it fails, it is tried again in the background.
func (l *Ledger) withRetry(ctx context.Context, account string, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, foregroundTimeout)
	defer cancel()
	err := l.withAccountTx(ctx, account, fn)
	if err != nil {
		l.retryInBackground(account, fn)
	}
	return err
}

// retryInBackground runs a transaction until it succeeds or the ledger is closed.
func (l *Ledger) retryInBackground(account string, fn func(context.Context, *sql.Tx) error) {
	l.pendingRetries.Add(1)
	l.runInBackground(func(ctx context.Context) {
		defer l.pendingRetries.Add(-1)
		for delay := minBackoff; ; delay = min(2*delay, maxBackoff) {
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				l.logger.Error("the ledger was closed before everything was written; the outcome counts as unknown")
				return
			}
			err := l.withAccountTx(ctx, account, fn)
			if err == nil {
				return
			}
			if delay == minBackoff {
				l.logger.Warn("the ledger cannot be written; trying again until it can", "error", err)
			}
		}
	})
}

// runInBackground runs a function unless the ledger is closed. Its context ends
// when the ledger closes.
func (l *Ledger) runInBackground(fn func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.background.Go(func() { fn(l.ctx) })
	}
}
