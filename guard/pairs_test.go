package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// Two that change the same row at once, of which the first has not committed yet:
// the second waits, and then sees what became of the row.
func TestTheSecondSeesWhatTheFirstWrote(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	for name, c := range map[string]struct {
		first  string // changes the row of the id $1
		second func(r *rig, id string) string
		want   string
		total  int64 // that is reserved then
	}{
		"a quote is burnt while it is used": {`UPDATE spends SET state = 'burnt' WHERE id = $1`, func(r *rig, id string) string {
			_, failure := r.send("Hi", How{Quote: id}, one)
			return failure.Error()
		}, "the quote counts no more", 0},
		"a quote is used while it is burnt": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(r *rig, id string) string {
			if err := r.guard.book.burn(context.Background(), &intent{account: r.guard.accountOf(sandbox.WalletID)}, id); err != nil {
				return err.Error()
			}
			return r.states()[0]
		}, inProgress, 0},
		"a quote is used while it is used": {`UPDATE spends SET state = 'in_progress' WHERE id = $1`, func(r *rig, id string) string {
			_, failure := r.send("Hi", How{Quote: id}, one)
			return failure.Code
		}, DuplicateSend, 0},
		"an outcome comes while a person settles it": {`UPDATE spends SET state = 'sent' WHERE id = $1`, func(r *rig, id string) string {
			r.pass(callTime)
			return r.guard.book.Resolve(context.Background(), id, failed).Error()
		}, "is known: sent", 35},
		"an outcome comes twice": {`UPDATE spends SET state = 'failed' WHERE id = $1`, func(r *rig, id string) string {
			if err := r.guard.book.outcome(context.Background(), verdict{id: id, attempt: r.attempt(id)}, failed, ""); err != nil {
				return err.Error()
			}
			return r.states()[0]
		}, failed, 35}, // since this first one released nothing
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Confirm = ByQuote })
			r.works(func() (*Receipt, *Error) { return r.send("so that the price is known", How{DryRun: true}, one) })
			l := r.guard.book
			id := r.works(func() (*Receipt, *Error) { return r.send("Hi", How{DryRun: true}, one) }).Quote.ID
			if strings.HasPrefix(name, "an outcome") {
				v, err := l.admit(t.Context(), &intent{account: "base wallet", tool: sendTool, content: []string{"Hi"}, targets: []string{one}, total: 35}, terms{limits: Defaults().Limits})
				if err != nil {
					t.Fatal(err)
				}
				id = v.id
			}
			first, err := l.db.BeginTx(t.Context(), nil)
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
			go func() { second <- c.second(r, id) }()
			r.blocked(pid)
			if err := first.Commit(); err != nil {
				t.Fatal(err)
			}
			if got := <-second; !strings.Contains(got, c.want) || r.asked() != 0 {
				t.Errorf("%s, %d requests", got, r.asked())
			}
			var total int64
			if err := l.db.QueryRow(`SELECT coalesce(sum(total), 0) FROM days`).Scan(&total); err != nil || total != c.total {
				t.Errorf("UGX %d are reserved: %v", total, err)
			}
		})
	}
}

// blocked returns when somebody waits for a process of the server.
func (r *rig) blocked(pid int) {
	r.Helper()
	db, err := database()
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockWait/2)
	defer cancel()
	for waits := false; !waits; {
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid)))`, pid).Scan(&waits); err != nil {
			r.Error("nobody waits: ", err)
			return
		}
	}
}

// Each account's budget is for all replicas together.
func TestReplicasRaceForOneBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50_000, func(o *Options) { o.Confirm, o.Limits.PerDay = Off, 350 })
	done := make(chan int)
	for i := range 4 {
		r.restart()
		g := r.guard
		go func() {
			count := 0
			for j := range 5 {
				if _, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprint("Hi ", i*5+j), Recipient: client.Recipients{one}}, How{}); err == nil {
					count++
				}
			}
			done <- count
		}()
	}
	count := 0
	for range 4 {
		count += <-done
	}
	if count != 10 || r.asked() != 10 {
		t.Errorf("%d were sent, %d asked", count, r.asked())
	}
}

// attempt is the present one of a row.
func (r *rig) attempt(id string) (attempt string) {
	r.Helper()
	if err := r.guard.book.db.QueryRow(`SELECT attempt FROM spends WHERE id = $1`, id).Scan(&attempt); err != nil {
		r.Error(err)
	}
	return attempt
}
