package guard

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// flakyProxy is the network between a ledger and its database, which a test cuts.
type flakyProxy struct {
	net.Listener
	target string

	mu        sync.Mutex
	connected bool
	conns     map[net.Conn]bool
	onCommit  func(client, server net.Conn, message []byte) // what becomes of the next one
}

// useFlakyProxy has the ledger of a rig reach its database over a cable.
func (env *testEnv) useFlakyProxy() *flakyProxy {
	env.Helper()
	u, err := url.Parse(env.ledgerSource)
	if err != nil {
		env.Fatal(err)
	}
	proxy := &flakyProxy{target: u.Host, connected: true, conns: map[net.Conn]bool{}}
	if proxy.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		env.Fatal(err)
	}
	env.Cleanup(func() { _ = proxy.Close(); proxy.disconnect() })
	u.Host = proxy.Addr().String()
	env.ledgerSource = u.String()
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			go proxy.connect(conn)
		}
	}()
	return proxy
}

func (proxy *flakyProxy) connect(client net.Conn) {
	server, err := net.Dial("tcp", proxy.target)
	if err != nil {
		reset(client)
		return
	}
	proxy.mu.Lock()
	connected := proxy.connected
	if connected {
		proxy.conns[client], proxy.conns[server] = true, true
	}
	proxy.mu.Unlock()
	if !connected {
		reset(client)
		reset(server)
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	message := make([]byte, 1<<16)
	for {
		n, err := client.Read(message)
		if err != nil {
			_ = server.Close()
			return
		}
		if bytes.Contains(message[:n], []byte("commit\x00")) {
			proxy.mu.Lock()
			onCommit := proxy.onCommit
			proxy.onCommit = nil
			proxy.mu.Unlock()
			if onCommit != nil {
				onCommit(client, server, message[:n])
				return
			}
		}
		if _, err := server.Write(message[:n]); err != nil {
			_ = client.Close()
			return
		}
	}
}

// disconnect ends every connection, and lets none come about.
func (proxy *flakyProxy) disconnect() {
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	proxy.connected = false
	for conn := range proxy.conns {
		reset(conn)
	}
	clear(proxy.conns)
}

func (proxy *flakyProxy) reconnect() {
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	proxy.connected = true
}

// hookAPI is an API with something before a send's request and after its answer.
type hookAPI struct {
	API
	before, after func()
}

func (a hookAPI) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	a.before()
	defer a.after()
	return a.API.Send(ctx, r)
}

// The database goes away at each point of a spend, and comes back.
func TestOutage_AtEachStage(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	nothing := func() {}
	for _, to := range []struct {
		number, outcome string
		state           ledger.State
	}{{phone1, "", ledger.StateSent}, {"+256700000502", "send_failed", ledger.StateFailed}, {"+256700000408", CodeOutcomeUnknown, ledger.StateUnknown}} {
		for _, at := range []string{"between the intent and the request", "between the request and the outcome"} {
			t.Run(string(to.state)+" "+at, func(t *testing.T) {
				t.Parallel()
				env := newTestEnv(t, 5000, nil)
				proxy := env.useFlakyProxy()
				api := hookAPI{env.guard.api, proxy.disconnect, nothing}
				if at == "between the request and the outcome" {
					api.before, api.after = nothing, proxy.disconnect
				}
				env.guard.api = api
				_, failure := env.send("Hi", SpendOptions{}, to.number)
				if code := codeOf(failure); code != to.outcome {
					t.Fatal(failure)
				}
				// While it is away nothing is spent, and reading goes on.
				env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone2) })
				env.expectReadsWork()
				proxy.reconnect()
				env.waitBackground()
				if got := env.states(); !slices.Equal(got, []ledger.State{to.state}) {
					t.Errorf("%v", got)
				}
				env.guard.api = api.API
				env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone2) })
				env.checkInvariants(map[string]bool{"Hi " + to.number: true, "Ho " + phone2: true})
			})
		}
	}
	t.Run("before the intent", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, nil)
		proxy := env.useFlakyProxy()
		for _, opened := range []bool{false, true} {
			proxy.disconnect()
			if env.guard.opened() != nil != opened {
				t.Fatal("not what this is about")
			}
			failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
			if !strings.Contains(failure.Message, "Nothing was sent: the database") || strings.Contains(failure.Message, "127.0.0.1") {
				t.Error(failure.Message)
			}
			env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{}, phone1) })
			env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) })
			env.expectReadsWork()
			proxy.reconnect()
			env.expectOK(func() (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{DryRun: true}) })
		}
		proxy.disconnect() // and it is back before anybody sees that
		proxy.reconnect()
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
		env.checkInvariants(map[string]bool{"Hi " + phone1: true})
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, nil)
		proxy := env.useFlakyProxy()
		env.guard.api = hookAPI{env.guard.api, nothing, proxy.disconnect}
		env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
		closed, cancel := context.WithCancel(t.Context())
		cancel() // its time is over
		_ = env.guard.opened().Close(closed)
		proxy.reconnect()
		env.restart()
		env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
		env.advance(ledger.CallTimeout)
		if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateUnknown}) {
			t.Errorf("%v", got)
		}
		env.checkInvariants(map[string]bool{"Hi " + phone1: true})
	})
}

func codeOf(failure *Error) string {
	if failure == nil {
		return ""
	}
	return failure.Code
}

// expectReadsWork reads what needs no ledger.
func (env *testEnv) expectReadsWork() {
	env.Helper()
	_, balance := env.guard.Balance(context.Background(), client.BalanceRequest{WalletID: sandbox.WalletID})
	_, history := env.guard.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID})
	_, groups := env.guard.Groups(context.Background(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err := errors.Join(balance, history, groups); err != nil {
		env.Error("reading stopped, too: ", err)
	}
}

// Nobody answers an intent's commit: whether it was written or not, nothing is
// sent, and nothing of it stays.
func TestOutage_LostCommit(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for _, c := range []struct {
		name   string
		commit func(client, server net.Conn, message []byte, awaited func())
		states []ledger.State
	}{
		{"it never arrived", func(client, server net.Conn, _ []byte, _ func()) {
			reset(server)
			reset(client)
		}, []ledger.State{ledger.StateSent}},
		{"it arrived", func(client, server net.Conn, message []byte, _ func()) {
			reset(client)
			_, _ = server.Write(message)
		}, []ledger.State{ledger.StateFailed, ledger.StateSent}},
		{"it arrives late", func(client, server net.Conn, message []byte, awaited func()) {
			reset(client)
			awaited()
			_, _ = server.Write(message)
		}, []ledger.State{ledger.StateFailed, ledger.StateSent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay = 70 })
			proxy := env.useFlakyProxy()
			env.expectOK(func() (*Receipt, *Error) { return env.send("before", SpendOptions{}, phone1) })
			env.waitBackground()
			proxy.onCommit = func(client, server net.Conn, message []byte) {
				c.commit(client, server, message, env.waitForPending)
			}
			env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
			env.waitBackground()
			if got := env.states(); !slices.Equal(got, c.states) {
				t.Errorf("%v", got)
			}
			env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) }) // the last UGX 35 of the day
			env.checkInvariants(map[string]bool{"before " + phone1: true, "Hi " + phone1: true})
		})
	}
}

// waitForPending returns when somebody waits for the lock of an account in the rig's ledger.
func (env *testEnv) waitForPending() {
	db, err := ledgertest.Server()
	if err != nil {
		env.Error(err)
		return
	}
	schema, _ := url.Parse(env.ledgerSource)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for waiting := false; !waiting; {
		// Only the ledgers of this schema have its meta.
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks w JOIN pg_locks h USING (classid, objid) JOIN pg_locks t ON t.pid = h.pid
			JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE w.locktype = 'advisory' AND h.locktype = 'advisory' AND NOT w.granted AND h.granted AND n.nspname = $1)`,
			schema.Query().Get("search_path")).Scan(&waiting); err != nil {
			env.Error(err)
			return
		}
	}
}

// The server itself is stopped while a request is at the vendor, and started again.
func TestOutage_Restart(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	server := exec.Command("../../test/with-postgres", "bash", "-c", `echo "$WESENDALL_TEST_POSTGRES"
		while read -r verb; do $WESENDALL_TEST_PG_CTL "$verb" >&2; echo "$verb"; done`)
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	t.Cleanup(func() { _ = in.Close(); _ = server.Wait() })
	source, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	control := func(verb string) func() {
		return func() {
			_, _ = io.WriteString(in, verb+"\n")
			if line, err := lines.ReadString('\n'); err != nil || line != verb+"\n" {
				t.Errorf("%q, %v", line, err)
			}
		}
	}
	env := newTestEnv(t, 5000, nil)
	env.ledgerSource = strings.TrimSpace(source)
	env.expectOK(func() (*Receipt, *Error) { return env.send("before", SpendOptions{}, phone1) })
	api := env.guard.api
	env.guard.api = hookAPI{api, control("stop"), func() {}}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	env.guard.api = api
	env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	env.expectReadsWork()
	control("start")()
	env.waitBackground()
	env.expectOK(func() (*Receipt, *Error) { return env.send("Ho", SpendOptions{}, phone1) })
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateSent, ledger.StateSent, ledger.StateSent}) {
		t.Errorf("%v", got)
	}
	env.checkInvariants(map[string]bool{"before " + phone1: true, "Hi " + phone1: true, "Ho " + phone1: true})
	_ = env.guard.Close()
}

// What is late is written down before a ledger is closed.
func TestClose_WaitsForRetries(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.guard.api = hookAPI{env.guard.api, func() {}, proxy.disconnect}
	env.expectOK(func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) })
	time.AfterFunc(10*time.Millisecond, proxy.reconnect)
	if err := env.guard.Close(); err != nil {
		t.Error(err)
	}
	env.restart()
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateSent}) {
		t.Errorf("%v", got)
	}
}

// Who declined while the database was away has declined.
func TestOutage_DeferredVoid(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	proxy := env.useFlakyProxy()
	id := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) }).Quote.ID
	proxy.disconnect()
	env.expectError(CodeNotConfigured, func() (*Receipt, *Error) {
		return env.send("Hi", SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true}, phone1)
	})
	proxy.reconnect()
	env.waitBackground()
	env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.send("Hi", SpendOptions{QuoteID: id}, phone1) })
}
