package guard

import (
	"context"
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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// vendor is the stand-in API over HTTP, with faults before it, and a client
// that looks at its records.
type vendor struct {
	url   string
	plain *client.Client // goes past the faults

	mu    sync.Mutex
	posts int
	fault faultFunc
}

// faultFunc handles a request in the API's place or around it.
type faultFunc func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter))

// faulty sets what handles the requests from now on; nil is the API itself.
func (v *vendor) faulty(f faultFunc) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = f
}

func newVendor(t testing.TB, balance int64) *vendor {
	t.Helper()
	s, err := sandbox.Open(context.Background(), sandbox.Options{Balance: balance, Group: true, ApproveAfter: time.Nanosecond, Accounts: others(balance)})
	if err != nil {
		t.Fatal(err)
	}
	v := &vendor{}
	direct := httptest.NewServer(s)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		v.mu.Lock()
		if q.Method == http.MethodPost {
			v.posts++
		}
		fault := v.fault
		v.mu.Unlock()
		if fault != nil {
			fault(w, q, func(w http.ResponseWriter) { s.ServeHTTP(w, q) })
			return
		}
		s.ServeHTTP(w, q)
	}))
	t.Cleanup(func() { front.Close(); direct.Close(); _ = s.Close() })
	v.url, v.plain = front.URL, v.client(t, direct.URL)
	return v
}

func (*vendor) client(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{
		BaseURL: url, Key: sandbox.APIKey, Secret: client.NewSecret(sandbox.APISecret),
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (v *vendor) asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.posts
}

// record is what the vendor knows: the balance, and whom each message was
// charged for.
func (v *vendor) record(t testing.TB) (balance int64, charged map[string]int) {
	t.Helper()
	b, err := v.plain.Balance(context.Background(), client.BalanceRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	var wallet struct{ Balance int64 }
	if err := json.Unmarshal(b.Data, &wallet); err != nil {
		t.Fatal(err)
	}
	charged = map[string]int{}
	for page := int64(1); ; page++ {
		h, err := v.plain.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID, Page: page, PerPage: 100})
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
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }
func (c *clock) set(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	c.at.Store(at.UnixNano())
}

// rig is a guard before a vendor.
type rig struct {
	testing.TB
	*vendor
	*clock
	options Options
	guard   *Guard
	file    string // or the URL of the ledger's database
}

func newRig(t testing.TB, balance int64, change func(*Options)) *rig {
	t.Helper()
	r := &rig{TB: t, vendor: newVendor(t, balance), clock: newClock(), file: newLedgerSource(t)}
	r.options = Defaults()
	r.options.Base, r.options.Rate, r.options.Now = r.url, 0, r.now
	r.options.Ledger = func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, r.file) }
	if change != nil {
		change(&r.options)
	}
	r.restart()
	return r
}

// restart is another process on the same ledger.
func (r *rig) restart() {
	g := New(r.client(r.TB, r.url), r.options)
	r.guard = g
	r.Cleanup(func() { _ = g.Close() })
}

func (r *rig) send(message string, how How, to ...string) (*Receipt, *Error) {
	r.Helper()
	receipt, err := r.guard.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}, how)
	return receipt, r.ours(err)
}

func (r *rig) sendGroup(message string, how How) (*Receipt, *Error) {
	r.Helper()
	receipt, err := r.guard.SendGroup(context.Background(), client.GroupSendRequest{WalletID: sandbox.WalletID, Message: message, GroupID: sandbox.GroupID}, how)
	return receipt, r.ours(err)
}

func (r *rig) topUp(amount int64, how How, payer string) (*Receipt, *Error) {
	r.Helper()
	receipt, err := r.guard.TopUp(context.Background(), client.TopUpRequest{WalletID: sandbox.WalletID, Amount: amount, PhoneNumber: payer}, how)
	return receipt, r.ours(err)
}

func (r *rig) ours(err error) *Error {
	r.Helper()
	if err == nil {
		return nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		r.Fatalf("not an error of ours: %v", err)
	}
	return failure
}

// refusal is an Error to look at rather than to handle.
type refusal struct{ *Error }

// fails wants a code, and that this call asked the vendor for nothing.
func (r *rig) fails(code string, call func() (*Receipt, *Error)) refusal {
	r.Helper()
	before := r.asked()
	_, failure := call()
	if failure == nil || failure.Code != code {
		r.Fatalf("want %s: %v", code, failure)
	}
	if r.asked() != before || failure.Money != client.NotCharged {
		r.Errorf("%s: something was sent, %+v", code, failure)
	}
	return refusal{failure}
}

func (r *rig) works(call func() (*Receipt, *Error)) *Receipt {
	r.Helper()
	receipt, failure := call()
	if failure != nil {
		r.Fatalf("%v", failure)
	}
	return receipt
}

// spends are all rows that are not quotes.
func (r *rig) spends() []Spend {
	r.Helper()
	l, err := r.guard.ledger(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	spends, err := l.Spends(context.Background(), time.Time{})
	if err != nil {
		r.Fatal(err)
	}
	return spends
}

// states are their states, sorted.
func (r *rig) states() []string {
	r.Helper()
	var states []string
	for _, s := range r.spends() {
		states = append(states, s.State)
	}
	slices.Sort(states)
	return states
}

const (
	one = "+256700000010"
	two = "+256700000011"
	six = "+256700000016"
)
