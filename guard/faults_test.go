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
	"github.com/wesendall/wesendall-mcp/sandbox"
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

// done has the API carry the request out, and returns its whole answer.
func done(pass func(http.ResponseWriter)) []byte {
	recorder := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // the sandbox drops connections so
		pass(recorder)
	}()
	var text bytes.Buffer
	_ = recorder.Result().Write(&text)
	return text.Bytes()
}

// faults are the ways in which a POST can go wrong at the vendor.
var faults = map[string]func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)){
	"none":                          func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) { pass(w) },
	"reset before the body is read": func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) { reset(hijack(w)) },
	"reset after the request, not done": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		reset(hijack(w))
	},
	"reset after it was done": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		reset(hijack(w))
	},
	"closed after it was done": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		_ = hijack(w).Close()
	},
	"half an answer": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		text := done(pass)
		conn := hijack(w)
		_, _ = conn.Write(text[:len(text)-10])
		_ = conn.Close()
	},
	"a length that is too large": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		conn := hijack(w)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"success\":true,\"data\":{}}")
		_ = conn.Close()
	},
	"drop by drop": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		text := done(pass)
		conn := hijack(w)
		for _, b := range text {
			_, _ = conn.Write([]byte{b})
		}
		_ = conn.Close()
	},
	"500 after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		w.WriteHeader(500)
		_, _ = io.WriteString(w, `{"error":{"code":"internal_error"}}`)
	},
	"500 without charging": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(500)
	},
	"502 after charging, no code": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		w.WriteHeader(502)
		_, _ = io.WriteString(w, "<html>")
	},
	"502 with send_failed": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(502)
		_, _ = io.WriteString(w, `{"error":{"code":"send_failed"}}`)
	},
	"429 after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		w.WriteHeader(429)
	},
	"a redirect after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		w.Header().Set("Location", "/")
		w.WriteHeader(307)
	},
	"garbage after charging": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		_, _ = hijack(w).Write([]byte("\x00\x01garbage\r\n\r\n"))
	},
	"a 200 that says it failed": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		_, _ = io.WriteString(w, `{"success":false,"error":{"code":"insufficient_balance"}}`)
	},
	"402 under no code, charged": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = done(pass)
		w.WriteHeader(402)
	},
}

// holds checks what must be true whatever went wrong: at most one charge for
// each intended spend, nothing called failed that was charged, and nothing
// charged that is missing from the ledger or from the day's budget.
func (r *rig) holds(intended map[string]bool) {
	r.Helper()
	most := map[string]int{}
	for message := range intended {
		most[message] = 1
	}
	r.holdsUpTo(most)
}

// holdsUpTo is the same where some are intended more often.
func (r *rig) holdsUpTo(most map[string]int) (balance int64, charged map[string]int) {
	r.Helper()
	balance, charged = r.record(r.TB)
	spent := int64(0)
	for message, times := range charged {
		if times > most[message] {
			r.Errorf("%q was charged %d times, and %d are intended", message, times, most[message])
		}
		spent += int64(times) * sandbox.CostPerSMS
	}
	l, err := r.guard.ledger(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	var open, all int64
	for _, s := range r.spends() {
		if s.Tool == topUpTool {
			continue
		}
		if s.State != failed {
			all += s.Total
		}
		if s.State != failed && s.State != sent {
			open += s.Total
		}
	}
	if spent > all || spent < all-open {
		r.Errorf("UGX %d were charged (balance %d), the ledger has %d, of which %d are open", spent, balance, all, open)
	}
	var reserved int64
	if err := l.db.QueryRow(`SELECT coalesce(sum(total), 0) FROM days WHERE kind = 'send'`).Scan(&reserved); err != nil || reserved != all {
		r.Errorf("UGX %d are reserved, the rows have %d: %v", reserved, all, err)
	}
	return balance, charged
}

func TestFaultsAtTheVendor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	table := []string{}
	t.Cleanup(func() {
		slices.Sort(table)
		t.Log("faults survived:\n" + strings.Join(table, "\n"))
	})
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 50_000, nil)
			r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
				if q.Method == http.MethodGet {
					pass(w)
					return
				}
				fault(w, q, pass)
			})
			intended := map[string]bool{}
			outcomes := map[string]bool{}
			for i, to := range [][]string{{one}, {one, two}} {
				message := fmt.Sprint("Hi ", i)
				for _, number := range to {
					intended[message+" "+number] = true
				}
				_, err := r.guard.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: message, Recipient: to}, How{})
				outcome := "ok"
				if failure := r.ours(err); failure != nil {
					outcome = failure.Code
				}
				outcomes[outcome] = true
				// An agent that tries again gets nowhere where it may have happened.
				if _, again := r.send(message, How{}, to...); again == nil && outcome != "send_failed" && outcome != Unreachable {
					t.Errorf("%s: sent again", name)
				}
				r.holds(intended)
			}
			mu.Lock()
			defer mu.Unlock()
			table = append(table, fmt.Sprintf("%-36s %v", name, outcomes))
		})
	}
}

// The connection is cut at every byte of the answer.
func TestTheAnswerIsCutAtEveryByte(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1_000_000, func(o *Options) { o.Confirm, o.Limits.PerDay = Off, 1_000_000 })
	cut, length := 0, 1
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet {
			pass(w)
			return
		}
		text := done(pass)
		length = len(text)
		conn := hijack(w)
		_, _ = conn.Write(text[:min(cut, length)])
		_ = conn.Close()
	})
	intended := map[string]bool{}
	for ; cut < length; cut++ {
		message := fmt.Sprint("Hi ", cut)
		intended[message+" "+one] = true
		if _, failure := r.send(message, How{}, one); failure != nil && failure.Code != OutcomeUnknown {
			t.Errorf("cut at %d: %v", cut, failure)
		}
	}
	if cut < 100 {
		t.Fatalf("cut at %d bytes only", cut)
	}
	r.holds(intended)
	t.Logf("cut at %d places", cut)
}

// dies is an API whose process kills itself at a stage.
type dies struct {
	API
	stage string
}

func (d dies) at(stage string) {
	if d.stage == stage {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (d dies) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	d.at("before the intent")
	return d.API.Balance(ctx, r)
}

func (d dies) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	d.at("after the intent")
	response, err := d.API.Send(ctx, r)
	d.at("after the answer")
	return response, err
}

const childEnv = "GUARD_TEST_CHILD"

// child runs this test again in a process of its own, which may be killed.
func (r *rig) child(test, stage, message string, to ...string) error {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$") //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{r.url, r.file, stage, message, strings.Join(to, ",")}, "|"))
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// isChild does a child's work, if this is one.
func isChild(t *testing.T) bool {
	t.Helper()
	text := os.Getenv(childEnv)
	if text == "" {
		return false
	}
	parts := strings.Split(text, "|")
	var v *vendor
	o := Defaults()
	o.Base, o.Rate, o.Confirm = parts[0], 0, Off
	if strings.HasPrefix(parts[2], "race") {
		o.Limits.PerDay = 350
	}
	o.Ledger = func(ctx context.Context) (*Ledger, error) { return OpenLedger(ctx, parts[1]) }
	g := New(dies{v.client(t, parts[0]), parts[2]}, o)
	sends := 1
	if strings.HasPrefix(parts[2], "race") {
		sends = 10
	}
	for i := range sends {
		_, err := g.Send(context.Background(), client.SendRequest{WalletID: sandbox.WalletID, Message: fmt.Sprintf("%s %d", parts[3], i), Recipient: strings.Split(parts[4], ",")}, How{})
		var failure *Error
		if err != nil && !errors.As(err, &failure) {
			t.Error(err)
		}
	}
	dies{stage: parts[2]}.at("after the outcome")
	_ = g.Close()
	return true
}

// A process is killed at each point of a spend, and another one goes on.
func TestKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	if isChild(t) {
		return
	}
	for stage, want := range map[string]struct {
		states  []string
		charged int
		again   string
	}{
		"before the intent":         {nil, 0, ""},
		"after the intent":          {[]string{"unknown"}, 0, DuplicateSend},
		"while it is at the vendor": {[]string{"unknown"}, 0, DuplicateSend},
		"after the vendor charged":  {[]string{"unknown"}, 1, DuplicateSend},
		"after the answer":          {[]string{"unknown"}, 1, DuplicateSend},
		"after the outcome":         {[]string{"sent"}, 1, DuplicateSend},
		"never":                     {[]string{"sent"}, 1, DuplicateSend},
	} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Now = nil })
			if strings.Contains(stage, "vendor") {
				r.killer(t, stage)
			} else if err := r.child("TestKilledAtEachPoint", stage, "Hi", one); err != nil {
				t.Fatal(err)
			}
			r.options.Now = func() time.Time { return time.Now().Add(2 * callTime) } // and the call's time is over
			r.options.Limits.DuplicateWindow = time.Hour
			r.restart()
			if got := r.states(); !slices.Equal(got, want.states) {
				t.Errorf("states %v", got)
			}
			if _, charged := r.record(t); len(charged) != want.charged {
				t.Errorf("charged %v", charged)
			}
			r.holds(map[string]bool{"Hi 0 " + one: true})
			_, failure := r.send("Hi 0", How{}, one)
			if code := map[bool]func() string{true: func() string { return "" }, false: func() string { return failure.Code }}[failure == nil](); code != want.again {
				t.Errorf("sent again: %v", failure)
			}
			r.holds(map[string]bool{"Hi 0 " + one: true})
		})
	}
}

// killer starts a child, and kills it when its request is at the vendor.
func (r *rig) killer(t *testing.T, stage string) {
	t.Helper()
	arrived := make(chan struct{})
	hold := make(chan struct{})
	var over atomic.Bool
	defer over.Store(true)
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet || over.Load() {
			pass(w)
			return
		}
		if stage == "after the vendor charged" {
			_ = done(pass)
		}
		close(arrived)
		<-hold
	})
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEachPoint$") //nolint:gosec // this very test
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{r.url, r.file, "never", "Hi", one}, "|"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(hold)
}

// Eight processes race for the last UGX 350 of the day.
func TestProcessesRaceForTheBudget(t *testing.T) {
	t.Parallel()
	if isChild(t) {
		return
	}
	r := newRig(t, 50_000, func(o *Options) { o.Now = nil })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := r.child("TestProcessesRaceForTheBudget", "race", fmt.Sprint("from ", i), one); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, charged := r.record(t); len(charged) != 10 || r.asked() != 10 {
		t.Errorf("%d charged, %d asked", len(charged), r.asked())
	}
}
