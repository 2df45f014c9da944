package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// clock is a clock that a test moves.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	clk := &clock{}
	clk.nanos.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	return clk
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func (c *clock) set(text string) {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	c.nanos.Store(parsed.UnixNano())
}

const (
	phone1 = "+256700000010"
	phone2 = "+256700000011"
	phone3 = "+256700000016"
	phone4 = "+256700000017"
	// The sandbox refunds a message to this number, with send_failed.
	phoneRefunded = "+256700000502"
	// The sandbox charges a message to this number and does not answer.
	phoneUnknown = "+256700000408"
)

func sendRequest(message string, to ...string) client.SendRequest {
	return client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}
}

func sendGroupRequest(message string) client.SendGroupRequest {
	return client.SendGroupRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}
}

// testEnv is a guard with a ledger, in front of a fake API.
type testEnv struct {
	testing.TB
	*fakeAPI
	*clock
	options      Options
	guard        *Guard
	keptDB       *sql.DB                    // nil opens a new connection each time
	ledgerSource string                     // the file of the ledger, or the URL of its database
	background   map[*Guard]*sync.WaitGroup // background work of each guard's ledger
}

// db opens another connection to the ledger's database, or returns the one that is
// kept.
func (env *testEnv) db() *sql.DB {
	env.Helper()
	if env.keptDB != nil {
		return env.keptDB
	}
	return ledgertest.OpenDB(env.TB, env.ledgerSource)
}

// waitBackground waits until the current guard's ledger has written everything.
func (env *testEnv) waitBackground() { env.background[env.guard].Wait() }

func newTestEnv(t testing.TB, balance int64, change func(*Options)) *testEnv {
	t.Helper()
	env := &testEnv{
		TB: t, fakeAPI: newFakeAPI(t, balance), clock: newClock(),
		ledgerSource: ledgertest.NewSource(t), background: map[*Guard]*sync.WaitGroup{},
	}
	env.options = DefaultOptions()
	env.options.BaseURL, env.options.Rate, env.options.Clock = env.url, 0, env.now
	if change != nil {
		change(&env.options)
	}
	env.restart()
	return env
}

// restart replaces the guard, as another process on the same ledger would.
func (env *testEnv) restart() {
	var background sync.WaitGroup
	options := env.options
	if options.OpenLedger == nil {
		options.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
			o.Background = &background
			return ledger.Open(ctx, env.ledgerSource, o)
		}
	}
	g := New(env.newClient(env.TB, env.url), options)
	env.guard, env.background[g] = g, &background
	env.Cleanup(func() { _ = g.Close() })
}

func (env *testEnv) send(message string, opts SpendOptions, to ...string) (*Receipt, *Error) {
	env.Helper()
	receipt, err := env.guard.Send(context.Background(), sendRequest(message, to...), opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) sendGroup(message string, opts SpendOptions) (*Receipt, *Error) {
	env.Helper()
	receipt, err := env.guard.SendGroup(context.Background(), sendGroupRequest(message), opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) topUp(amount int64, opts SpendOptions, payer string) (*Receipt, *Error) {
	env.Helper()
	request := client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: payer}
	receipt, err := env.guard.TopUp(context.Background(), request, opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) asGuardError(err error) *Error {
	env.Helper()
	if err == nil {
		return nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		env.Fatalf("not a guard error: %v", err)
	}
	return failure
}

// expectedError is the error of a call that was meant to fail.
type expectedError struct {
	*Error
	testing.TB
}

// says checks that the message has all the texts.
func (e expectedError) says(texts ...string) expectedError {
	e.Helper()
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			e.Errorf("the message lacks %q: %s", text, e.Message)
		}
	}
	return e
}

// expectError checks that a call fails with the code and that no request to spend
// leaves during it. The call is evaluated after expectError, which counts first:
//
//	env.expectError(CodeDeclined)(env.send("Hi", SpendOptions{}, phone1))
func (env *testEnv) expectError(code string) func(*Receipt, *Error) expectedError {
	before := env.requestCount()
	return func(_ *Receipt, failure *Error) expectedError {
		env.Helper()
		if failure == nil || failure.Code != code {
			env.Fatalf("want %s: %v", code, failure)
		}
		if env.requestCount() != before || failure.Money != client.MoneyNotCharged {
			env.Errorf("%s: a request was sent, %+v", code, failure)
		}
		return expectedError{failure, env.TB}
	}
}

func (env *testEnv) expectOK(receipt *Receipt, failure *Error) *Receipt {
	env.Helper()
	if failure != nil {
		env.Fatal(failure)
	}
	return receipt
}

func codeOf(failure *Error) string {
	if failure == nil {
		return ""
	}
	return failure.Code
}

// expectReadsWork checks the reads, which need no ledger.
func (env *testEnv) expectReadsWork() {
	env.Helper()
	_, balance := env.guard.Balance(context.Background(), client.BalanceRequest{WalletID: sandbox.WalletID})
	_, history := env.guard.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID})
	_, groups := env.guard.Groups(context.Background(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err := errors.Join(balance, history, groups); err != nil {
		env.Error("a read failed: ", err)
	}
}

func elicitYes(context.Context, string) (Answer, error)     { return AnswerYes, nil }
func elicitNo(context.Context, string) (Answer, error)      { return AnswerNo, nil }
func elicitInvalid(context.Context, string) (Answer, error) { return Answer(7), nil }

func elicitError(context.Context, string) (Answer, error) {
	return AnswerNone, errors.New("no answer in time")
}

// spends returns all spends; quotes are not among them.
func (env *testEnv) spends() []ledger.Spend {
	env.Helper()
	l, err := env.guard.openLedger(context.Background())
	if err != nil {
		env.Fatal(err)
	}
	spends, err := l.List(context.Background(), time.Time{})
	if err != nil {
		env.Fatal(err)
	}
	return spends
}

// states returns the states of all spends, sorted.
func (env *testEnv) states() []ledger.State {
	env.Helper()
	var states []ledger.State
	for _, s := range env.spends() {
		states = append(states, s.State)
	}
	slices.Sort(states)
	return states
}

// countState counts the spends in a state.
func (env *testEnv) countState(state ledger.State) (count int) {
	env.Helper()
	for _, s := range env.states() {
		if s == state {
			count++
		}
	}
	return count
}

// reservedTotal is the sum of all daily totals.
func (env *testEnv) reservedTotal() (total int64) {
	env.Helper()
	if err := env.db().QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals`).Scan(&total); err != nil {
		env.Error(err)
	}
	return total
}

// dumpLedger returns the content of the ledger, for comparison.
func (env *testEnv) dumpLedger() string {
	env.Helper()
	var lines []string
	for _, query := range []string{
		`SELECT id || ' ' || account || ' ' || caller || ' ' || tool || ' ' || state, total, user_asked
			FROM spends ORDER BY seq`,
		`SELECT account || ' ' || kind, kampala_day, total FROM daily_totals ORDER BY account, kind, kampala_day`,
		`SELECT 'spend_targets', count(*), 0 FROM spend_targets`,
	} {
		rows, err := env.db().QueryContext(context.Background(), query)
		if err != nil {
			env.Fatal(err)
		}
		for rows.Next() {
			var raw string
			var a, b int64
			if err := rows.Scan(&raw, &a, &b); err != nil {
				env.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(raw, " ", a, " ", b))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			env.Fatal(err)
		}
	}
	return strings.Join(lines, "\n")
}
