package guard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// fakeAPI is the sandbox over HTTP, with injected faults and a client that reads its
// records.
type fakeAPI struct {
	url          string
	directClient *client.Client // goes past the faults

	mu      sync.Mutex
	posts   int
	handler faultHandler
}

// faultHandler handles a request in the API's place or around it.
type faultHandler func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter))

// setFault sets what handles the requests from now on; nil is the API itself.
func (f *fakeAPI) setFault(handler faultHandler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = handler
}

func newFakeAPI(t testing.TB, balance int64) *fakeAPI {
	t.Helper()
	s, err := sandbox.Open(context.Background(), sandbox.Options{Balance: balance, WithSampleGroup: true, ApproveAfter: time.Nanosecond, Accounts: otherAccounts(balance)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAPI{}
	direct := httptest.NewServer(s)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		if r.Method == http.MethodPost {
			f.posts++
		}
		fault := f.handler
		f.mu.Unlock()
		if fault != nil {
			fault(w, r, func(w http.ResponseWriter) { s.ServeHTTP(w, r) })
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { front.Close(); direct.Close(); _ = s.Close() })
	f.url, f.directClient = front.URL, f.newClient(t, direct.URL)
	return f
}

func (*fakeAPI) newClient(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{
		BaseURL: url, APIKey: sandbox.APIKey, APISecret: client.NewSecret(sandbox.APISecret),
		SleepFunc: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeAPI) requestCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.posts
}

// charges is what the vendor knows: the balance, and whom each message was
// charged for.
func (f *fakeAPI) charges(t testing.TB) (balance int64, charged map[string]int) {
	t.Helper()
	b, err := f.directClient.Balance(context.Background(), client.BalanceRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	var wallet struct{ Balance int64 }
	if err := json.Unmarshal(b.Data, &wallet); err != nil {
		t.Fatal(err)
	}
	charged = map[string]int{}
	for page := int64(1); ; page++ {
		h, err := f.directClient.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID, Page: page, PerPage: 100})
		if err != nil {
			t.Fatal(err)
		}
		var history struct {
			Messages []struct {
				Phone, Message string
				Cost           int64
			}
		}
		if err := json.Unmarshal(h.Data, &history); err != nil {
			t.Fatal(err)
		}
		for _, m := range history.Messages {
			if m.Cost > 0 {
				charged[m.Message+" "+m.Phone]++
			}
		}
		if len(history.Messages) < 100 {
			return wallet.Balance, charged
		}
	}
}

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

// testEnv is a guard in front of a fake API.
type testEnv struct {
	testing.TB
	*fakeAPI
	*clock
	options      Options
	guard        *Guard
	ledgerSource string                     // or the URL of the ledger's database
	background   map[*Guard]*sync.WaitGroup // of its ledger
}

// db is a connection to the ledger's database that is not the ledger's own.
func (env *testEnv) db() *sql.DB {
	env.Helper()
	return ledgertest.OpenDB(env.TB, env.ledgerSource)
}

// waitBackground returns when the present guard's ledger has written what waits.
func (env *testEnv) waitBackground() { env.background[env.guard].Wait() }

func newTestEnv(t testing.TB, balance int64, change func(*Options)) *testEnv {
	t.Helper()
	env := &testEnv{TB: t, fakeAPI: newFakeAPI(t, balance), clock: newClock(), ledgerSource: ledgertest.NewSource(t), background: map[*Guard]*sync.WaitGroup{}}
	env.options = DefaultOptions()
	env.options.BaseURL, env.options.Rate, env.options.Clock = env.url, 0, env.now
	if change != nil {
		change(&env.options)
	}
	env.restart()
	return env
}

// restart is another process on the same ledger.
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
	receipt, err := env.guard.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}, opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) sendGroup(message string, opts SpendOptions) (*Receipt, *Error) {
	env.Helper()
	receipt, err := env.guard.SendGroup(context.Background(), client.SendGroupRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}, opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) topUp(amount int64, opts SpendOptions, payer string) (*Receipt, *Error) {
	env.Helper()
	receipt, err := env.guard.TopUp(context.Background(), client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: payer}, opts)
	return receipt, env.asGuardError(err)
}

func (env *testEnv) asGuardError(err error) *Error {
	env.Helper()
	if err == nil {
		return nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		env.Fatalf("not an error of ours: %v", err)
	}
	return failure
}

// wantError is an Error to look at rather than to handle.
type wantError struct{ *Error }

// expectError wants a code, and that this call asked the vendor for nothing.
func (env *testEnv) expectError(code string, call func() (*Receipt, *Error)) wantError {
	env.Helper()
	before := env.requestCount()
	_, failure := call()
	if failure == nil || failure.Code != code {
		env.Fatalf("want %s: %v", code, failure)
	}
	if env.requestCount() != before || failure.Money != client.MoneyNotCharged {
		env.Errorf("%s: something was sent, %+v", code, failure)
	}
	return wantError{failure}
}

func (env *testEnv) expectOK(call func() (*Receipt, *Error)) *Receipt {
	env.Helper()
	receipt, failure := call()
	if failure != nil {
		env.Fatalf("%v", failure)
	}
	return receipt
}

// spends are all rows that are not quotes.
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

// states are their states, sorted.
func (env *testEnv) states() []ledger.State {
	env.Helper()
	var states []ledger.State
	for _, s := range env.spends() {
		states = append(states, s.State)
	}
	slices.Sort(states)
	return states
}

// countState is how many spends are in a state.
func (env *testEnv) countState(state ledger.State) (count int) {
	env.Helper()
	for _, s := range env.states() {
		if s == state {
			count++
		}
	}
	return count
}

const (
	phone1 = "+256700000010"
	phone2 = "+256700000011"
	phone3 = "+256700000016"
)
