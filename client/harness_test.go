package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const (
	testKey    = "sk_test_0001"
	testSecret = "ws_secret_do+not/print"
)

// seen is one request as the server got it.
type seen struct {
	Method, URI, Proto string
	Header             http.Header
	Body               string
}

// rig is a client of a server that records what it is asked and answers what
// the test says. The API lies under a base path, so that an absolute URL in the
// client would be caught.
type rig struct {
	*Client
	server *httptest.Server
	slept  []time.Duration

	mu   sync.Mutex
	seen []seen
}

func newRig(t *testing.T, answer http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen = append(r.seen, seen{q.Method, q.RequestURI, q.Proto, q.Header, string(body)})
		r.mu.Unlock()
		answer(w, q)
	}))
	t.Cleanup(r.server.Close)
	r.use(t, testSecret)
	return r
}

// use is a client that has a secret.
func (r *rig) use(t *testing.T, secret string) {
	t.Helper()
	c, err := New(Options{
		BaseURL: r.server.URL + "/stub", Key: testKey, Secret: NewSecret(secret), UserAgent: "test/1",
		Sleep: func(ctx context.Context, d time.Duration) error {
			r.slept = append(r.slept, d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
}

func (r *rig) requests() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// coded is an error body as the sandbox writes it.
func coded(code string) string { return `{"success":false,"error":{"code":"` + code + `"}}` }

// hangsUp closes the connection instead of answering.
func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// calls are the eight methods, and the sends to one and to several apart.
var calls = map[string]func(context.Context, *Client) (*Response, error){
	"get_balance": func(ctx context.Context, c *Client) (*Response, error) {
		return c.Balance(ctx, BalanceRequest{"wal & 1"})
	},
	"topup_wallet": func(ctx context.Context, c *Client) (*Response, error) {
		return c.TopUp(ctx, TopUpRequest{"wal_1", 500, "+256700000010", ""})
	},
	"send_sms to one": func(ctx context.Context, c *Client) (*Response, error) {
		return c.Send(ctx, SendRequest{"wal_1", "Hi <you>", Recipients{"+256700000010"}})
	},
	"send_sms to several": func(ctx context.Context, c *Client) (*Response, error) {
		return c.Send(ctx, SendRequest{"wal_1", "Hi", Recipients{"+256700000010", "+256700000011"}})
	},
	"send_sms to a list": func(ctx context.Context, c *Client) (*Response, error) {
		return c.Send(ctx, SendRequest{"wal_1", "Hi", Recipients{"0700000010, 0700000011"}})
	},
	"send_group_sms": func(ctx context.Context, c *Client) (*Response, error) {
		return c.SendGroup(ctx, GroupSendRequest{"wal_1", "grp_1", "Hi"})
	},
	"list_sms_history": func(ctx context.Context, c *Client) (*Response, error) {
		return c.History(ctx, HistoryRequest{WalletID: "wal_1", PerPage: 20})
	},
	"list_groups": func(ctx context.Context, c *Client) (*Response, error) {
		return c.Groups(ctx, GroupsRequest{"wal_1"})
	},
	"create_group": func(ctx context.Context, c *Client) (*Response, error) {
		return c.CreateGroup(ctx, CreateGroupRequest{"wal_1", "Customers", "All"})
	},
	"add_contacts": func(ctx context.Context, c *Client) (*Response, error) {
		return c.AddContacts(ctx, AddContactsRequest{"../x?y", "wal_1", []Contact{{"+256700000010", "Sarah"}, {"+256700000011", ""}}})
	},
}

// fails makes a call that must fail, and returns its error.
func (r *rig) fails(t *testing.T, call string) *Error {
	t.Helper()
	answer, err := calls[call](t.Context(), r.Client)
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("answer %+v, error %v", answer, err)
	}
	return failure
}
