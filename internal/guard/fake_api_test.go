package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// fakeAPI is the sandbox over HTTP, with injected faults and a client that reads its
// records.
type fakeAPI struct {
	url          string
	directClient *client.Client // avoids the faults

	mu      sync.Mutex
	posts   int
	handler faultHandler
}

// faultHandler handles a request instead of the sandbox; pass has the sandbox handle it.
type faultHandler func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter))

// setFault sets the handler of all requests from now on; nil is the sandbox.
func (f *fakeAPI) setFault(handler faultHandler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = handler
}

// Two more accounts of the sandbox: one with another wallet, and one with another key
// for the default wallet.
const (
	keyB, secretB, walletB = "sk_test_b", "ws_test_secret_b", "wal_b"
	key2, secret2          = "sk_test_second", "ws_test_secret_second"
)

func otherAccounts(balance int64) []sandbox.Account {
	return []sandbox.Account{
		{Key: keyB, Secret: secretB, Wallet: walletB, Balance: balance},
		{Key: key2, Secret: secret2, Wallet: sandbox.WalletID},
	}
}

func newFakeAPI(t testing.TB, balance int64) *fakeAPI {
	t.Helper()
	s, err := sandbox.Open(context.Background(), sandbox.Options{
		Balance: balance, WithSampleGroup: true, ApproveAfter: time.Nanosecond, Accounts: otherAccounts(balance),
	})
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

// charges reads the sandbox's records: the balance, and how often each message was
// charged, by "message number".
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
		request := client.HistoryRequest{WalletID: sandbox.WalletID, Page: page, PerPage: 100}
		h, err := f.directClient.History(context.Background(), request)
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

// setResponse sets the answer to a GET of a path. The body may change later.
func (env *testEnv) setResponse(path string, body *atomic.Value) {
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, path) {
			_, _ = w.Write([]byte(body.Load().(string)))
			return
		}
		pass(w)
	})
}

// countGets counts the GETs of a path from now on.
func (env *testEnv) countGets(path string) *atomic.Int64 {
	var n atomic.Int64
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, path) {
			n.Add(1)
		}
		pass(w)
	})
	return &n
}

// mutableBody is a body for setResponse.
func mutableBody(text string) *atomic.Value {
	v := &atomic.Value{}
	v.Store(text)
	return v
}

func balanceBody(cost int) string {
	return fmt.Sprintf(`{"success":true,"data":{"balance":5000,"cost_per_sms":%d}}`, cost)
}

func groupsBody(size int) string {
	return fmt.Sprintf(`{"success":true,"data":{"groups":[{"id":%q,"contact_count":%d}]}}`, sandbox.GroupID, size)
}
