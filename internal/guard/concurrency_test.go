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

const (
	setVoid       = `UPDATE spends SET state = 'void' WHERE id = $1`
	setInProgress = `UPDATE spends SET state = 'in_progress' WHERE id = $1`
	setSent       = `UPDATE spends SET state = 'sent' WHERE id = $1`
	setFailed     = `UPDATE spends SET state = 'failed' WHERE id = $1`
)

// serializedCases are pairs of changes of one row: a quote, or a spend in progress.
var serializedCases = []struct {
	name   string
	spend  bool   // the row is a spend in progress, not a quote
	first  string // a statement that changes the row
	second func(env *testEnv, id string) string
	want   string // in the result of second
	total  int64  // in the daily totals after both
}{
	{name: "a quote is voided while it is used", first: setVoid, second: (*testEnv).useQuote, want: "the quote is void"},
	{name: "a quote is used while it is used", first: setInProgress, second: (*testEnv).useQuote, want: CodeDuplicateSend},
	{
		name: "a quote is used while it is voided", first: setInProgress, want: string(ledger.StateInProgress),
		second: func(env *testEnv, id string) string {
			account := ledger.Intent{Account: env.guard.accountKey(sandbox.WalletID)}
			return env.errorOrState(env.guard.opened().Void(context.Background(), account, id))
		},
	},
	{
		name: "an outcome comes while the user settles the spend", spend: true, first: setSent,
		want: "is known: sent", total: 35,
		second: func(env *testEnv, id string) string {
			env.advance(ledger.CallTimeout)
			return env.errorOrState(env.guard.opened().Resolve(context.Background(), id, ledger.StateFailed))
		},
	},
	{ // the first statement releases nothing, and the second change must not either
		name: "an outcome comes twice", spend: true, first: setFailed, want: string(ledger.StateFailed), total: 35,
		second: func(env *testEnv, id string) string {
			ref := ledger.SpendRef{ID: id, AttemptID: env.attemptID(id)}
			return env.errorOrState(env.guard.opened().RecordOutcome(context.Background(), ref, ledger.StateFailed, ""))
		},
	},
}

// useQuote sends with a quote and returns the error.
func (env *testEnv) useQuote(id string) string {
	_, failure := env.send("Hi", SpendOptions{QuoteID: id}, phone1)
	return failure.Error()
}

func (env *testEnv) errorOrState(err error) string {
	if err != nil {
		return err.Error()
	}
	return string(env.states()[0])
}

// Two transactions change the same row. The second waits for the commit of the first,
// and then decides on the row as it is.
func TestConcurrency_Serialized(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for _, c := range serializedCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmByQuote })
			env.expectOK(env.send("to cache the price", SpendOptions{DryRun: true}, phone1))
			id := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote.ID
			if c.spend {
				id = env.reserveDirectly()
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
			if total := env.reservedTotal(); total != c.total {
				t.Errorf("UGX %d are reserved, want %d", total, c.total)
			}
		})
	}
}

// reserveDirectly reserves a spend in the ledger, and returns its id.
func (env *testEnv) reserveDirectly() string {
	env.Helper()
	d, err := env.guard.opened().Reserve(context.Background(), ledger.Intent{
		Account: "base wallet", Tool: client.ToolSendSMS, Kind: ledger.KindSend,
		Content: []string{"Hi"}, Targets: []string{phone1}, TotalUGX: 35,
	}, ledger.Policy{Limits: DefaultLimits()})
	if err != nil || d.Verdict != ledger.Reserved {
		env.Fatalf("%+v, %v", d, err)
	}
	return d.Spend.ID
}

// waitUntilBlocked waits until a transaction waits for a server process.
func (env *testEnv) waitUntilBlocked(pid int) {
	env.Helper()
	db, err := ledgertest.Server()
	if err != nil {
		env.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for waiting := false; !waiting; {
		err := db.QueryRowContext(ctx, `SELECT EXISTS
			(SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))`, pid).Scan(&waiting)
		if err != nil {
			env.Error("no transaction waits: ", err)
			return
		}
	}
}

// All replicas share an account's budget.
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
				request := sendRequest(fmt.Sprint("Hi ", i*5+j), phone1)
				if _, err := g.Send(context.Background(), request, SpendOptions{}); err == nil {
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
		t.Errorf("%d sent, %d requests", count, env.requestCount())
	}
}

// attemptID returns the current attempt of a spend.
func (env *testEnv) attemptID(id string) (attempt string) {
	env.Helper()
	if err := env.db().QueryRow(`SELECT attempt_id FROM spends WHERE id = $1`, id).Scan(&attempt); err != nil {
		env.Error(err)
	}
	return attempt
}
