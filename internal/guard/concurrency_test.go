package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Two that change the same row at once, of which the first has not committed yet:
// the second waits, and then sees what became of the row.
func TestConcurrency_Serialized(t *testing.T) {
	t.Parallel()
	postgresOnly(t)
	for name, c := range map[string]struct {
		first  string // changes the row of the id $1
		second func(env *testEnv, id string) string
		want   string
		total  int64 // that is reserved then
	}{
		"a quote is burnt while it is used": {`UPDATE spends SET state = 'burnt' WHERE id = $1`, func(env *testEnv, id string) string {
			_, failure := env.send("Hi", SpendOptions{QuoteID: id}, phone1)
			return failure.Error()
		}, "the quote counts no more", 0},
		"a quote is used while it is burnt": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(env *testEnv, id string) string {
			if err := env.guard.ledger.Void(context.Background(), &Intent{Account: env.guard.accountKey(sandbox.WalletID)}, id); err != nil {
				return err.Error()
			}
			return env.states()[0]
		}, StateInProgress, 0},
		"a quote is used while it is used": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(env *testEnv, id string) string {
			_, failure := env.send("Hi", SpendOptions{QuoteID: id}, phone1)
			return failure.Code
		}, CodeDuplicateSend, 0},
		"an outcome comes while a person settles it": {`UPDATE spends SET state = 'sent' WHERE id = $1`, func(env *testEnv, id string) string {
			env.advance(CallTimeout)
			return env.guard.ledger.ResolveSpend(context.Background(), id, StateFailed).Error()
		}, "is known: sent", 35},
		"an outcome comes twice": {`UPDATE spends SET state = 'failed' WHERE id = $1`, func(env *testEnv, id string) string {
			if err := env.guard.ledger.RecordOutcome(context.Background(), Decision{SpendID: id, AttemptID: env.attemptID(id)}, StateFailed, ""); err != nil {
				return err.Error()
			}
			return env.states()[0]
		}, StateFailed, 35}, // since this first one released nothing
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
			env.expectOK(func() (*Receipt, *Error) {
				return env.send("so that the price is known", SpendOptions{DryRun: true}, phone1)
			})
			l := env.guard.ledger
			id := env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote.ID
			if strings.HasPrefix(name, "an outcome") {
				d, err := l.Reserve(t.Context(), &Intent{Account: "base wallet", Tool: sendTool, DedupKey: []string{"Hi"}, Targets: []string{phone1}, TotalUGX: 35}, Policy{Limits: DefaultOptions().Limits})
				if err != nil {
					t.Fatal(err)
				}
				id = d.SpendID
			}
			first, err := l.DB.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var pid int
			if err := first.QueryRow(`SELECT pg_backend_pid()`).Scan(&pid); err != nil {
				t.Fatal(err)
			}
			if _, err := first.Exec(c.first, id); err != nil {
				t.Fatal(err)
			}
			second := make(chan string)
			go func() { second <- c.second(env, id) }()
			env.waitUntilBlocked(pid)
			if err := first.Commit(); err != nil {
				t.Fatal(err)
			}
			if got := <-second; !strings.Contains(got, c.want) || env.requestCount() != 0 {
				t.Errorf("%s, %d requests", got, env.requestCount())
			}
			var total int64
			if err := l.DB.QueryRow(`SELECT coalesce(sum(total), 0) FROM days`).Scan(&total); err != nil || total != c.total {
				t.Errorf("UGX %d are reserved: %v", total, err)
			}
		})
	}
}

// waitUntilBlocked returns when somebody waits for a process of the server.
func (env *testEnv) waitUntilBlocked(pid int) {
	env.Helper()
	db, err := openTestDB()
	if err != nil {
		env.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), LockTimeout/2)
	defer cancel()
	for waiting := false; !waiting; {
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))`, pid).Scan(&waiting); err != nil {
			env.Error("nobody waits: ", err)
			return
		}
	}
}

// Each account's budget is for all replicas together.
func TestConcurrency_ReplicaBudget(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 50_000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 350 })
	counts := make(chan int)
	for i := range 4 {
		env.restart()
		g := env.guard
		go func() {
			count := 0
			for j := range 5 {
				if _, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i*5+j), Recipient: client.Recipients{phone1}}, SpendOptions{}); err == nil {
					count++
				}
			}
			counts <- count
		}()
	}
	count := 0
	for range 4 {
		count += <-counts
	}
	if count != 10 || env.requestCount() != 10 {
		t.Errorf("%d were sent, %d asked", count, env.requestCount())
	}
}

// attemptID is the present one of a row.
func (env *testEnv) attemptID(id string) (attempt string) {
	env.Helper()
	if err := env.guard.ledger.DB.QueryRow(`SELECT attempt FROM spends WHERE id = $1`, id).Scan(&attempt); err != nil {
		env.Error(err)
	}
	return attempt
}
