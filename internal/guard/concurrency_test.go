package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Two that change the same row at once, of which the first has not committed yet:
// the second waits, and then sees what became of the row.
func TestConcurrency_Serialized(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for name, c := range map[string]struct {
		first  string // changes the row of the id $1
		second func(env *testEnv, id string) string
		want   string
		total  int64 // that is reserved then
	}{
		"a quote is voided while it is used": {`UPDATE spends SET state = 'void' WHERE id = $1`, func(env *testEnv, id string) string {
			_, failure := env.send("Hi", SpendOptions{QuoteID: id}, phone1)
			return failure.Error()
		}, "the quote is void", 0},
		"a quote is used while it is voided": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(env *testEnv, id string) string {
			if err := env.guard.opened().Void(context.Background(), ledger.Intent{Account: env.guard.accountKey(sandbox.WalletID)}, id); err != nil {
				return err.Error()
			}
			return string(env.states()[0])
		}, string(ledger.StateInProgress), 0},
		"a quote is used while it is used": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(env *testEnv, id string) string {
			_, failure := env.send("Hi", SpendOptions{QuoteID: id}, phone1)
			return failure.Code
		}, CodeDuplicateSend, 0},
		"an outcome comes while a person settles it": {`UPDATE spends SET state = 'sent' WHERE id = $1`, func(env *testEnv, id string) string {
			env.advance(ledger.CallTimeout)
			return env.guard.opened().Resolve(context.Background(), id, ledger.StateFailed).Error()
		}, "is known: sent", 35},
		"an outcome comes twice": {`UPDATE spends SET state = 'failed' WHERE id = $1`, func(env *testEnv, id string) string {
			if err := env.guard.opened().RecordOutcome(context.Background(), ledger.SpendRef{ID: id, AttemptID: env.attemptID(id)}, ledger.StateFailed, ""); err != nil {
				return err.Error()
			}
			return string(env.states()[0])
		}, string(ledger.StateFailed), 35}, // since this first one released nothing
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
			env.expectOK(env.send("so that the price is known", SpendOptions{DryRun: true}, phone1))
			l := env.guard.opened()
			id := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote.ID
			if strings.HasPrefix(name, "an outcome") {
				d, err := l.Reserve(t.Context(), ledger.Intent{
					Account: "base wallet", Tool: client.ToolSendSMS, Kind: ledger.KindSend, Content: []string{"Hi"}, Targets: []string{phone1}, TotalUGX: 35,
				}, ledger.Policy{Limits: DefaultLimits()})
				if err != nil {
					t.Fatal(err)
				}
				id = d.Spend.ID
			}
			first, err := env.db().BeginTx(t.Context(), nil)
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
			if err := env.db().QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals`).Scan(&total); err != nil || total != c.total {
				t.Errorf("UGX %d are reserved: %v", total, err)
			}
		})
	}
}

// waitUntilBlocked returns when somebody waits for a process of the server.
func (env *testEnv) waitUntilBlocked(pid int) {
	env.Helper()
	db, err := ledgertest.Server()
	if err != nil {
		env.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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
				if _, err := g.Send(context.Background(), sendRequest(fmt.Sprint("Hi ", i*5+j), phone1), SpendOptions{}); err == nil {
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
	if err := env.db().QueryRow(`SELECT attempt_id FROM spends WHERE id = $1`, id).Scan(&attempt); err != nil {
		env.Error(err)
	}
	return attempt
}
