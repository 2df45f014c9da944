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
	minBackoff, maxBackoff = 50 * time.Millisecond, 2 * time.Second
	// foregroundTimeout is how long a caller waits before it goes to the background, and
	// for how long closing waits for what is there.
	foregroundTimeout = 5 * time.Second
	// MaxPendingVoids is how much may wait for quotes to be burnt too, which end by
	// themselves.
	MaxPendingVoids = 64
)

// withRetry runs a transaction; one that fails goes on in the background.
func (l *Ledger) withRetry(ctx context.Context, account string, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, foregroundTimeout)
	defer cancel()
	err := l.WithAccountTx(ctx, account, fn)
	if err != nil {
		l.retryInBackground(account, fn)
	}
	return err
}

// retryInBackground runs a transaction in the background until it succeeds.
func (l *Ledger) retryInBackground(account string, fn func(context.Context, *sql.Tx) error) {
	l.runInBackground(func(ctx context.Context) {
		l.PendingRetries.Add(1)
		defer l.PendingRetries.Add(-1)
		for backoff := minBackoff; sleep(ctx, backoff) == nil; backoff = min(2*backoff, maxBackoff) {
			err := l.WithAccountTx(ctx, account, fn)
			if err == nil {
				return
			}
			if backoff == minBackoff {
				l.Logger.Warn("the ledger cannot be written; it is tried until it can", "error", err)
			}
		}
		l.Logger.Error("the ledger was closed before all could be written down; an outcome will count as unknown")
	})
}

// runInBackground runs something for as long as the ledger is open.
func (l *Ledger) runInBackground(task func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.BackgroundTasks.Go(func() { task(l.ctx) })
	}
}

// Close closes the ledger, when what is late is written down or has had its time.
func (l *Ledger) Close() error {
	timer := time.AfterFunc(foregroundTimeout, l.Cancel)
	defer timer.Stop()
	l.BackgroundTasks.Wait()
	l.mu.Lock()
	l.Cancel()
	l.mu.Unlock()
	l.BackgroundTasks.Wait() // for what came in between, and ends now
	return l.close()
}
