package guard

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// cable is the network between a ledger and its database, which a test cuts.
type cable struct {
	net.Listener
	to string

	mu     sync.Mutex
	whole  bool
	ends   map[net.Conn]bool
	commit func(client, server net.Conn, message []byte) // what becomes of the next one
}

// onCable has the ledger of a rig reach its database over a cable.
func (r *rig) onCable() *cable {
	r.Helper()
	u, err := url.Parse(r.file)
	if err != nil {
		r.Fatal(err)
	}
	c := &cable{to: u.Host, whole: true, ends: map[net.Conn]bool{}}
	if c.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Close(); c.cut() })
	u.Host = c.Addr().String()
	r.file = u.String()
	go func() {
		for {
			conn, err := c.Accept()
			if err != nil {
				return
			}
			go c.connect(conn)
		}
	}()
	return c
}

func (c *cable) connect(client net.Conn) {
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		reset(client)
		return
	}
	c.mu.Lock()
	whole := c.whole
	if whole {
		c.ends[client], c.ends[server] = true, true
	}
	c.mu.Unlock()
	if !whole {
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
			c.mu.Lock()
			commit := c.commit
			c.commit = nil
			c.mu.Unlock()
			if commit != nil {
				commit(client, server, message[:n])
				return
			}
		}
		if _, err := server.Write(message[:n]); err != nil {
			_ = client.Close()
			return
		}
	}
}

// cut ends every connection, and lets none come about.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = false
	for conn := range c.ends {
		reset(conn)
	}
	clear(c.ends)
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = true
}

// around is an API with something before a send's request and after its answer.
type around struct {
	API
	before, after func()
}

func (a around) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	a.before()
	defer a.after()
	return a.API.Send(ctx, r)
}

// The database goes away at each point of a spend, and comes back.
func TestTheDatabaseGoesAwayAtEachPoint(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	nothing := func() {}
	for _, to := range []struct{ number, outcome, state string }{{one, "", sent}, {"+256700000502", "send_failed", failed}, {"+256700000408", OutcomeUnknown, unknown}} {
		for _, at := range []string{"between the intent and the request", "between the request and the outcome"} {
			t.Run(to.state+" "+at, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, 5000, nil)
				c := r.onCable()
				api := around{r.guard.api, c.cut, nothing}
				if at == "between the request and the outcome" {
					api.before, api.after = nothing, c.cut
				}
				r.guard.api = api
				_, failure := r.send("Hi", How{}, to.number)
				if code := codeOf(failure); code != to.outcome {
					t.Fatal(failure)
				}
				// While it is away nothing is spent, and reading goes on.
				r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Ho", How{}, two) })
				r.reads()
				c.mend()
				r.guard.book.late.Wait()
				if got := r.states(); !slices.Equal(got, []string{to.state}) {
					t.Errorf("%v", got)
				}
				r.guard.api = api.API
				r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, two) })
				r.holds(map[string]bool{"Hi " + to.number: true, "Ho " + two: true})
			})
		}
	}
	t.Run("before the intent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, nil)
		c := r.onCable()
		for _, opened := range []bool{false, true} {
			c.cut()
			if r.guard.book != nil != opened {
				t.Fatal("not what this is about")
			}
			failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
			if !strings.Contains(failure.Message, "Nothing was sent: the database") || strings.Contains(failure.Message, "127.0.0.1") {
				t.Error(failure.Message)
			}
			r.fails(NotConfigured, func() (*Receipt, *Error) { return r.topUp(500, How{}, one) })
			r.fails(NotConfigured, func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) })
			r.reads()
			c.mend()
			r.works(func() (*Receipt, *Error) { return r.sendGroup("Hi", How{DryRun: true}) })
		}
		c.cut() // and it is back before anybody sees that
		c.mend()
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
		r.holds(map[string]bool{"Hi " + one: true})
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 5000, nil)
		c := r.onCable()
		r.guard.api = around{r.guard.api, nothing, c.cut}
		r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
		r.guard.book.end() // its time is over
		_ = r.guard.Close()
		c.mend()
		r.restart()
		r.fails(DuplicateSend, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
		r.pass(callTime)
		if got := r.states(); !slices.Equal(got, []string{unknown}) {
			t.Errorf("%v", got)
		}
		r.holds(map[string]bool{"Hi " + one: true})
	})
}

func codeOf(failure *Error) string {
	if failure == nil {
		return ""
	}
	return failure.Code
}

// reads reads what needs no ledger.
func (r *rig) reads() {
	r.Helper()
	_, balance := r.guard.Balance(context.Background(), client.BalanceRequest{WalletID: sandbox.WalletID})
	_, history := r.guard.History(context.Background(), client.HistoryRequest{WalletID: sandbox.WalletID})
	_, groups := r.guard.Groups(context.Background(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err := errors.Join(balance, history, groups); err != nil {
		r.Error("reading stopped, too: ", err)
	}
}

// Nobody answers an intent's commit: whether it was written or not, nothing is
// sent, and nothing of it stays.
func TestACommitThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	for _, c := range []struct {
		name   string
		commit func(client, server net.Conn, message []byte, awaited func())
		states []string
	}{
		{"it never arrived", func(client, server net.Conn, _ []byte, _ func()) {
			reset(server)
			reset(client)
		}, []string{sent}},
		{"it arrived", func(client, server net.Conn, message []byte, _ func()) {
			reset(client)
			_, _ = server.Write(message)
		}, []string{failed, sent}},
		{"it arrives late", func(client, server net.Conn, message []byte, awaited func()) {
			reset(client)
			awaited()
			_, _ = server.Write(message)
		}, []string{failed, sent}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Limits.PerDay = 70 })
			wire := r.onCable()
			r.works(func() (*Receipt, *Error) { return r.send("before", How{}, one) })
			l := r.guard.book
			l.late.Wait()
			wire.commit = func(client, server net.Conn, message []byte) {
				c.commit(client, server, message, r.awaited)
			}
			r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
			l.late.Wait()
			if got := r.states(); !slices.Equal(got, c.states) {
				t.Errorf("%v", got)
			}
			r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) }) // the last UGX 35 of the day
			r.holds(map[string]bool{"before " + one: true, "Hi " + one: true})
		})
	}
}

// awaited returns when somebody waits for the lock of an account in the rig's ledger.
func (r *rig) awaited() {
	db, err := database()
	if err != nil {
		r.Error(err)
		return
	}
	schema, _ := url.Parse(r.file)
	ctx, cancel := context.WithTimeout(context.Background(), lockWait/2)
	defer cancel()
	for waits := false; !waits; {
		// Only the ledgers of this schema have its meta.
		if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks w JOIN pg_locks h USING (classid, objid) JOIN pg_locks t ON t.pid = h.pid
			JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE w.locktype = 'advisory' AND h.locktype = 'advisory' AND NOT w.granted AND h.granted AND n.nspname = $1)`,
			schema.Query().Get("search_path")).Scan(&waits); err != nil {
			r.Error(err)
			return
		}
	}
}

// The server itself is stopped while a request is at the vendor, and started again.
func TestTheServerIsStoppedAndStarted(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	server := exec.Command("testdata/postgres", "bash", "-c", `echo "$WESENDALL_TEST_POSTGRES"
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
	r := newRig(t, 5000, nil)
	r.file = strings.TrimSpace(source)
	r.works(func() (*Receipt, *Error) { return r.send("before", How{}, one) })
	api := r.guard.api
	r.guard.api = around{api, control("stop"), func() {}}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	r.guard.api = api
	r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	r.reads()
	control("start")()
	r.guard.book.late.Wait()
	r.works(func() (*Receipt, *Error) { return r.send("Ho", How{}, one) })
	if got := r.states(); !slices.Equal(got, []string{sent, sent, sent}) {
		t.Errorf("%v", got)
	}
	r.holds(map[string]bool{"before " + one: true, "Hi " + one: true, "Ho " + one: true})
	_ = r.guard.Close()
}

// What is late is written down before a ledger is closed.
func TestClosingWaitsForWhatIsLate(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	c := r.onCable()
	r.guard.api = around{r.guard.api, func() {}, c.cut}
	r.works(func() (*Receipt, *Error) { return r.send("Hi", How{}, one) })
	time.AfterFunc(10*time.Millisecond, c.mend)
	if err := r.guard.Close(); err != nil {
		t.Error(err)
	}
	r.restart()
	if got := r.states(); !slices.Equal(got, []string{sent}) {
		t.Errorf("%v", got)
	}
}

// Who declined while the database was away has declined.
func TestADeclineIsWrittenDownWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	c := r.onCable()
	id := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{}, one) }).Quote.ID
	c.cut()
	r.fails(NotConfigured, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: id, Answer: No, Ask: later}, one) })
	c.mend()
	r.guard.book.late.Wait()
	r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.send("Hi", How{Quote: id}, one) })
}

// One account whose lock is taken, and many of whose calls wait, keeps nobody else
// waiting.
func TestAccountsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	postgresAlone(t)
	r := newRig(t, 5000, nil)
	r.works(func() (*Receipt, *Error) { return r.send("before", How{}, one) })
	l := r.guard.book
	ours := r.guard.accountOf(sandbox.WalletID)
	held, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		other, err := OpenLedger(context.Background(), r.file) // another replica
		if err != nil {
			t.Error(err)
			close(held)
			return
		}
		defer func() { _ = other.Close() }()
		if err := other.accountTx(context.Background(), ours, func(context.Context, *sql.Tx) error {
			close(held)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-held
	for range 20 {
		all.Go(func() {
			if _, failure := r.send("Hi", How{}, one); failure != nil && failure.Code != DuplicateSend {
				t.Error(failure)
			}
		})
	}
	for waiting := 0; waiting < 20; { // until all of them do
		l.store.(*postgres).turns.mu.Lock()
		if each := l.store.(*postgres).turns.each[ours]; each != nil {
			waiting = each.users
		}
		l.store.(*postgres).turns.mu.Unlock()
	}
	in := intent{account: "another", tool: sendTool, content: []string{"Hi"}, targets: []string{one}, recipients: 1, units: 1, total: 35}
	if v, err := l.admit(context.Background(), &in, terms{limits: Defaults().Limits}); err != nil || v.id == "" {
		t.Errorf("%+v, %v", v, err)
	}
	close(release)
	all.Wait()
	if r.asked() != 2 {
		t.Errorf("%d requests", r.asked())
	}
}
