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

// recordedRequest is one request as the server got it.
type recordedRequest struct {
	Method, URI, Proto string
	Header             http.Header
	Body               string
}

// testEnv is a client of a server that records what it is asked and answers what
// the test says. The API lies under a base path, so that an absolute URL in the
// client would be caught.
type testEnv struct {
	*Client
	server *httptest.Server
	slept  []time.Duration

	mu       sync.Mutex
	recorded []recordedRequest
}

func newTestEnv(t *testing.T, handler http.HandlerFunc) *testEnv {
	t.Helper()
	env := &testEnv{}
	env.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		env.mu.Lock()
		env.recorded = append(env.recorded, recordedRequest{r.Method, r.RequestURI, r.Proto, r.Header, string(body)})
		env.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(env.server.Close)
	env.setSecret(t, testSecret)
	return env
}

// setSecret is a client that has a secret.
func (env *testEnv) setSecret(t *testing.T, secret string) {
	t.Helper()
	c, err := New(Options{
		BaseURL: env.server.URL + "/stub", APIKey: testKey, APISecret: NewSecret(secret), UserAgent: "test/1",
		SleepFunc: func(ctx context.Context, d time.Duration) error {
			env.slept = append(env.slept, d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	env.Client = c
}

func (env *testEnv) requests() []recordedRequest {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.recorded
}

// respondWith answers with a status and a body.
func respondWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// respondWithCode answers with an error body as the sandbox writes it.
func respondWithCode(status int, code string) http.HandlerFunc {
	return respondWith(status, `{"success":false,"error":{"code":"`+code+`"}}`)
}

// dropConnection closes the connection instead of answering.
func dropConnection(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

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
		return c.SendGroup(ctx, SendGroupRequest{"wal_1", "grp_1", "Hi"})
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
		return c.AddContacts(ctx, AddContactsRequest{"../x?y", "wal_1",
			[]Contact{{"+256700000010", "Sarah"}, {"+256700000011", ""}}})
	},
}

// expectError makes a call that must fail, and returns its error.
func (env *testEnv) expectError(t *testing.T, call string) *Error {
	t.Helper()
	resp, err := calls[call](t.Context(), env.Client)
	apiErr, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("answer %+v, error %v", resp, err)
	}
	return apiErr
}
