package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// hijack takes the connection of a request.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}

// reset closes a connection so that the other end gets a reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// captureResponse has the API carry the request out, and returns its whole answer.
func captureResponse(pass func(http.ResponseWriter)) []byte {
	recorder := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // the sandbox drops connections so
		pass(recorder)
	}()
	var dump bytes.Buffer
	_ = recorder.Result().Write(&dump)
	return dump.Bytes()
}

// faultHandlers are the ways in which a POST can go wrong at the vendor.
var faultHandlers = map[string]func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)){
	"none":                          func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) { pass(w) },
	"reset before the body is read": func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) { reset(hijack(w)) },
	"reset after the request, not done": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		reset(hijack(w))
	},
	"reset after it was done": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		reset(hijack(w))
	},
	"closed after it was done": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		_ = hijack(w).Close()
	},
	"half an answer": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		text := captureResponse(pass)
		conn := hijack(w)
		_, _ = conn.Write(text[:len(text)-10])
		_ = conn.Close()
	},
	"a length that is too large": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		conn := hijack(w)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"success\":true,\"data\":{}}")
		_ = conn.Close()
	},
	"drop by drop": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		text := captureResponse(pass)
		conn := hijack(w)
		for _, b := range text {
			_, _ = conn.Write([]byte{b})
		}
		_ = conn.Close()
	},
	"500 after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{"error":{"code":"internal_error"}}`)
	},
	"500 without charging": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(500)
	},
	"502 after charging, no code": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.WriteHeader(502)
		_, _ = io.WriteString(w, "<html>")
	},
	"502 with send_failed": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(502)
		_, _ = io.WriteString(w, `{"error":{"code":"send_failed"}}`)
	},
	"429 after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.WriteHeader(429)
	},
	"a redirect after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.Header().Set("Location", "/")
		w.WriteHeader(307)
	},
	"garbage after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		_, _ = hijack(w).Write([]byte("\x00\x01garbage\r\n\r\n"))
	},
	"a 200 that says it failed": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		_, _ = io.WriteString(w, `{"success":false,"error":{"code":"insufficient_balance"}}`)
	},
	"402 under no code, charged": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.WriteHeader(402)
	},
}

// checkInvariants checks what must be true whatever went wrong: at most one charge for
// each intended spend, nothing called failed that was charged, and nothing
// charged that is missing from the ledger or from the day's budget.
func (env *testEnv) checkInvariants(intended map[string]bool) {
	env.Helper()
	maxCharges := map[string]int{}
	for message := range intended {
		maxCharges[message] = 1
	}
	env.checkCharges(maxCharges)
}

// checkCharges is the same where some are intended more often.
func (env *testEnv) checkCharges(maxCharges map[string]int) (balance int64, charged map[string]int) {
	env.Helper()
	balance, charged = env.charges(env.TB)
	spent := int64(0)
	for message, times := range charged {
		if times > maxCharges[message] {
			env.Errorf("%q was charged %d times, and %d are intended", message, times, maxCharges[message])
		}
		spent += int64(times) * sandbox.CostPerSMS
	}
	var open, total int64
	for _, s := range env.spends() {
		if s.Tool == client.ToolTopUpWallet {
			continue
		}
		if s.State != ledger.StateFailed {
			total += s.TotalUGX
		}
		if s.State != ledger.StateFailed && s.State != ledger.StateSent {
			open += s.TotalUGX
		}
	}
	if spent > total || spent < total-open {
		env.Errorf("UGX %d were charged (balance %d), the ledger has %d, of which %d are open", spent, balance, total, open)
	}
	var reserved int64
	if err := env.db().QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals WHERE kind = 'send'`).Scan(&reserved); err != nil || reserved != total {
		env.Errorf("UGX %d are reserved, the rows have %d: %v", reserved, total, err)
	}
	return balance, charged
}

func TestUpstreamFaults(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	table := []string{}
	t.Cleanup(func() {
		slices.Sort(table)
		t.Log("faults survived:\n" + strings.Join(table, "\n"))
	})
	for name, fault := range faultHandlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 50_000, nil)
			env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
				if r.Method == http.MethodGet {
					pass(w)
					return
				}
				fault(w, r, pass)
			})
			intended := map[string]bool{}
			outcomes := map[string]bool{}
			for i, to := range [][]string{{phone1}, {phone1, phone2}} {
				message := fmt.Sprint("Hi ", i)
				for _, number := range to {
					intended[message+" "+number] = true
				}
				_, err := env.guard.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}, SpendOptions{})
				outcome := "ok"
				if failure := env.asGuardError(err); failure != nil {
					outcome = failure.Code
				}
				outcomes[outcome] = true
				// An agent that tries again gets nowhere where it may have happened.
				if _, again := env.send(message, SpendOptions{}, to...); again == nil && outcome != "send_failed" && outcome != CodeUnreachable {
					t.Errorf("%s: sent again", name)
				}
				env.checkInvariants(intended)
			}
			mu.Lock()
			defer mu.Unlock()
			table = append(table, fmt.Sprintf("%-36s %v", name, outcomes))
		})
	}
}

// The connection is cut at every byte of the answer.
func TestUpstreamFaults_TruncatedResponse(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 1_000_000, func(o *Options) { o.Confirm, o.Limits.PerDay = ConfirmOff, 1_000_000 })
	cut, length := 0, 1
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet {
			pass(w)
			return
		}
		data := captureResponse(pass)
		length = len(data)
		conn := hijack(w)
		_, _ = conn.Write(data[:min(cut, length)])
		_ = conn.Close()
	})
	intended := map[string]bool{}
	for ; cut < length; cut++ {
		message := fmt.Sprint("Hi ", cut)
		intended[message+" "+phone1] = true
		if _, failure := env.send(message, SpendOptions{}, phone1); failure != nil && failure.Code != CodeOutcomeUnknown {
			t.Errorf("cut at %d: %v", cut, failure)
		}
	}
	if cut < 100 {
		t.Fatalf("cut at %d bytes only", cut)
	}
	env.checkInvariants(intended)
	t.Logf("cut at %d places", cut)
}

// crashingAPI is an API whose process kills itself at a stage.
type crashingAPI struct {
	API
	stage string
}

func (a crashingAPI) crashAt(stage string) {
	if a.stage == stage {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (a crashingAPI) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	a.crashAt("before the intent")
	return a.API.Balance(ctx, r)
}

func (a crashingAPI) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	a.crashAt("after the intent")
	response, err := a.API.Send(ctx, r)
	a.crashAt("after the answer")
	return response, err
}

const childEnv = "GUARD_TEST_CHILD"

// runChild runs this test again in a process of its own, which may be killed.
func (env *testEnv) runChild(test, stage, message string, to ...string) error {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$") //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{env.url, env.ledgerSource, stage, message, strings.Join(to, ",")}, "|"))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// actAsChild does a child's work, if this is one.
func actAsChild(t *testing.T) bool {
	t.Helper()
	raw := os.Getenv(childEnv)
	if raw == "" {
		return false
	}
	parts := strings.Split(raw, "|")
	var f *fakeAPI
	o := DefaultOptions()
	o.BaseURL, o.Rate, o.Confirm = parts[0], 0, ConfirmOff
	if strings.HasPrefix(parts[2], "race") {
		o.Limits.PerDay = 350
	}
	o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
		return ledger.Open(ctx, parts[1], o)
	}
	g := New(crashingAPI{f.newClient(t, parts[0]), parts[2]}, o)
	sends := 1
	if strings.HasPrefix(parts[2], "race") {
		sends = 10
	}
	for i := range sends {
		_, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprintf("%s %d", parts[3], i), Recipient: strings.Split(parts[4], ",")}, SpendOptions{})
		var failure *Error
		if err != nil && !errors.As(err, &failure) {
			t.Error(err)
		}
	}
	crashingAPI{stage: parts[2]}.crashAt("after the outcome")
	_ = g.Close()
	return true
}

// A process is killed at each point of a spend, and another one goes on.
func TestCrash_AtEachStage(t *testing.T) {
	t.Parallel()
	if actAsChild(t) {
		return
	}
	for stage, want := range map[string]struct {
		states  []ledger.State
		charged int
		again   string
	}{
		"before the intent":         {nil, 0, ""},
		"after the intent":          {[]ledger.State{"unknown"}, 0, CodeDuplicateSend},
		"while it is at the vendor": {[]ledger.State{"unknown"}, 0, CodeDuplicateSend},
		"after the vendor charged":  {[]ledger.State{"unknown"}, 1, CodeDuplicateSend},
		"after the answer":          {[]ledger.State{"unknown"}, 1, CodeDuplicateSend},
		"after the outcome":         {[]ledger.State{"sent"}, 1, CodeDuplicateSend},
		"never":                     {[]ledger.State{"sent"}, 1, CodeDuplicateSend},
	} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Clock = nil })
			if strings.Contains(stage, "vendor") {
				env.runAndKill(t, stage)
			} else if err := env.runChild("TestCrash_AtEachStage", stage, "Hi", phone1); err != nil {
				t.Fatal(err)
			}
			env.options.Clock = func() time.Time { return time.Now().Add(2 * ledger.CallTimeout) } // and the call's time is over
			env.options.Limits.DuplicateWindow = time.Hour
			env.restart()
			if got := env.states(); !slices.Equal(got, want.states) {
				t.Errorf("states %v", got)
			}
			if _, charged := env.charges(t); len(charged) != want.charged {
				t.Errorf("charged %v", charged)
			}
			env.checkInvariants(map[string]bool{"Hi 0 " + phone1: true})
			_, failure := env.send("Hi 0", SpendOptions{}, phone1)
			if code := map[bool]func() string{true: func() string { return "" }, false: func() string { return failure.Code }}[failure == nil](); code != want.again {
				t.Errorf("sent again: %v", failure)
			}
			env.checkInvariants(map[string]bool{"Hi 0 " + phone1: true})
		})
	}
}

// runAndKill starts a child, and kills it when its request is at the vendor.
func (env *testEnv) runAndKill(t *testing.T, stage string) {
	t.Helper()
	arrived := make(chan struct{})
	hold := make(chan struct{})
	var finished atomic.Bool
	defer finished.Store(true)
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet || finished.Load() {
			pass(w)
			return
		}
		if stage == "after the vendor charged" {
			_ = captureResponse(pass)
		}
		close(arrived)
		<-hold
	})
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash_AtEachStage$") //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{env.url, env.ledgerSource, "never", "Hi", phone1}, "|"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(hold)
}

// Eight processes race for the last UGX 350 of the day.
func TestBudget_ProcessRace(t *testing.T) {
	t.Parallel()
	if actAsChild(t) {
		return
	}
	env := newTestEnv(t, 50_000, func(o *Options) { o.Clock = nil })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := env.runChild("TestBudget_ProcessRace", "race", fmt.Sprint("from ", i), phone1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, charged := env.charges(t); len(charged) != 10 || env.requestCount() != 10 {
		t.Errorf("%d charged, %d asked", len(charged), env.requestCount())
	}
}
