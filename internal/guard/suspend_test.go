package guard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// suspendedMessage is what a suspended child sends to phone1.
const suspendedMessage = "Hi"

// suspendJob is what a child process does: a send that it suspends itself in.
type suspendJob struct {
	URL, Ledger string
	Stage       string
	DepartMS    int64 // 0 is the default of the guard
}

// suspender suspends its own process once, at a stage. A parent continues it.
type suspender struct {
	stage string
	once  sync.Once
}

func (s *suspender) reach(stage string) {
	if s.stage != stage {
		return
	}
	s.once.Do(func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-time.After(50 * time.Millisecond) // this thread may stop a moment after the signal
	})
}

// suspendingAPI is an API that reaches stages.
type suspendingAPI struct {
	API
	*suspender
}

func (a suspendingAPI) Balance(ctx context.Context, r client.BalanceRequest) (*client.Response, error) {
	a.reach("before the price is read")
	response, err := a.API.Balance(ctx, r)
	a.reach("after the price is read")
	return response, err
}

func (a suspendingAPI) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	a.reach("after the intent")
	response, err := a.API.Send(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { a.reach("before it connects") },
		ConnectStart:         func(string, string) { a.reach("while it connects") },
		ConnectDone:          func(string, string, error) { a.reach("when it is connected") },
		WroteHeaderField:     func(string, []string) { a.reach("while it formats the headers") },
		WroteHeaders:         func() { a.reach("after the last check") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { a.reach("before it flushes the request") },
		GotFirstResponseByte: func() { a.reach("when the answer begins") },
	}), r)
	a.reach("after the answer")
	return response, err
}

// actAsSuspended does the work of a suspended child, and prints the code of its
// outcome. It reports false in the parent.
func actAsSuspended(t *testing.T) bool {
	t.Helper()
	raw := os.Getenv(childEnv)
	if raw == "" {
		return false
	}
	var job suspendJob
	if err := json.Unmarshal([]byte(raw), &job); err != nil {
		t.Fatal(err)
	}
	s := &suspender{stage: job.Stage}
	c, err := client.New(client.Options{
		BaseURL: job.URL, APIKey: sandbox.APIKey, APISecret: client.NewSecret(sandbox.APISecret),
		SleepFunc: func(context.Context, time.Duration) error { s.reach("before a retry"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.BaseURL, o.Rate = job.URL, 0
	if job.Stage == "while the user is asked" {
		o.Limits.ConfirmAbove = 0
	}
	o.OpenLedger = func(ctx context.Context, lo ledger.Options) (*ledger.Ledger, error) {
		l, err := ledger.Open(ctx, job.Ledger, lo)
		s.reach("when the ledger is open")
		return l, err
	}
	g := New(suspendingAPI{c, s}, o)
	g.departureTimeout = time.Duration(cmp.Or(job.DepartMS, g.departureTimeout.Milliseconds())) * time.Millisecond
	elicit := func(context.Context, string) (Answer, error) {
		s.reach("while the user is asked")
		return AnswerYes, nil
	}
	_, err = g.Send(t.Context(), sendRequest(suspendedMessage, phone1), SpendOptions{Elicit: elicit})
	s.reach("after the outcome")
	code := "ok"
	if failure, ok := errors.AsType[*Error](err); ok {
		code = failure.Code
	}
	fmt.Println("outcome: " + code) //nolint:forbidigo // the parent process reads it
	_ = g.Close()
	return true
}

// suspendedChild is a child process that has suspended itself.
type suspendedChild struct {
	*exec.Cmd
	output bytes.Buffer
}

// startSuspended starts a child, and waits until it is suspended.
func (env *testEnv) startSuspended(test string, job suspendJob) *suspendedChild {
	env.Helper()
	job.URL, job.Ledger = env.url, env.ledgerSource
	data, _ := json.Marshal(job)
	c := &suspendedChild{Cmd: exec.Command(os.Args[0], "-test.run=^"+test+"$")} //nolint:gosec // this test binary
	c.Env = append(os.Environ(), childEnv+"="+string(data))
	c.Stdout, c.Stderr = &c.output, &c.output
	if err := c.Start(); err != nil {
		env.Fatal(err)
	}
	env.Cleanup(func() { _ = c.Process.Kill() })
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(c.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		env.Fatalf("it is not suspended: %v, %v", err, status)
	}
	return c
}

// resume continues the child, and returns the code of its outcome.
func (c *suspendedChild) resume(t testing.TB) string {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, c.output.String())
	}
	_, code, _ := strings.Cut(c.output.String(), "outcome: ")
	code, _, _ = strings.Cut(code, "\n")
	return code
}

// suspendStages are the stages of a send, and the code that the suspended process
// ends with when another one has repeated its send meanwhile.
var suspendStages = map[string]struct {
	charged bool // the request has left at this stage
	code    string
	retry   bool // upstream refunds the first request
}{
	"when the ledger is open":       {code: CodeDuplicateSend},
	"before the price is read":      {code: CodeDuplicateSend},
	"after the price is read":       {code: CodeDuplicateSend},
	"while the user is asked":       {code: CodeDuplicateSend},
	"after the intent":              {code: CodeUnreachable},
	"before it connects":            {code: CodeUnreachable},
	"while it connects":             {code: CodeUnreachable},
	"when it is connected":          {code: CodeUnreachable},
	"while it formats the headers":  {code: CodeUnreachable},
	"after the last check":          {code: CodeOutcomeUnknown},
	"before it flushes the request": {code: CodeOutcomeUnknown},
	"before a retry":                {code: "send_failed", retry: true},
	"when the answer begins":        {code: "ok", charged: true},
	"after the answer":              {code: "ok", charged: true},
	"after the outcome":             {code: "ok", charged: true},
}

// A process is suspended at a stage of a spend. Its row counts as unknown and is
// settled by what upstream's records say, another process sends the same, and the
// first continues. The message is charged once.
func TestSuspended_AtEachStage(t *testing.T) {
	t.Parallel()
	if actAsSuspended(t) {
		return
	}
	for stage, c := range suspendStages {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			departure := 500 * time.Millisecond
			switch {
			case c.retry: // it is made only if ten seconds are left
				skipUnlessCI(t)
				departure = 15 * time.Second
			case c.charged: // it must leave in time, however slow this machine is
				departure = defaultDepartureTimeout
			}
			env := newTestEnv(t, 5000, func(o *Options) { o.Clock = nil })
			checkSuspended(t, env, stage, departure)
		})
	}
}

// As TestSuspended_AtEachStage, with the time limits of production.
func TestSuspended_FullLength(t *testing.T) {
	t.Parallel()
	if actAsSuspended(t) {
		return
	}
	skipUnlessCI(t)
	for _, stage := range []string{"after the intent", "when it is connected", "after the last check"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Clock = nil })
			checkSuspended(t, env, stage, defaultDepartureTimeout)
		})
	}
}

func skipUnlessCI(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "" {
		t.Skip("takes long: only under CI")
	}
}

func checkSuspended(t *testing.T, env *testEnv, stage string, departure time.Duration) {
	t.Helper()
	want := suspendStages[stage]
	test, _, _ := strings.Cut(t.Name(), "/")
	handled := make(chan struct{})
	var once sync.Once
	env.setFault(onPost(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		first := false
		once.Do(func() { first = true })
		if first && want.retry {
			faultHandlers["502 with send_failed"](w, r, pass)
			return
		}
		pass(w)
		if first {
			close(handled)
		}
	}))
	child := env.startSuspended(test, suspendJob{Stage: stage, DepartMS: departure.Milliseconds()})
	if want.charged {
		<-handled
	} else {
		<-time.After(departure)
	}
	// Another process, for which the row's time is over.
	env.options.Clock = func() time.Time { return time.Now().Add(2 * ledger.CallTimeout) }
	env.options.Limits.DuplicateWindow = time.Hour
	env.restart()
	env.settleByRecords(t)
	_, failure := env.send(suspendedMessage, SpendOptions{}, phone1)
	if refused := codeOf(failure) == CodeDuplicateSend; refused != want.charged || !refused && failure != nil {
		t.Errorf("sending again: %v", failure)
	}
	if code := child.resume(t); code != want.code {
		t.Errorf("the suspended process ended with %q, want %q", code, want.code)
	}
	key := suspendedMessage + " " + phone1
	env.checkInvariants(map[string]bool{key: true})
	if _, charged := env.charges(t); charged[key] != 1 {
		t.Errorf("charged %d times", charged[key])
	}
}

// settleByRecords settles the open spends by what upstream has charged.
func (env *testEnv) settleByRecords(t *testing.T) {
	t.Helper()
	_, charged := env.charges(t)
	outcome := ledger.StateFailed
	if len(charged) > 0 {
		outcome = ledger.StateSent
	}
	for _, s := range env.spends() {
		if s.State != ledger.StateUnknown {
			continue
		}
		if err := env.guard.opened().Resolve(t.Context(), s.ID, outcome); err != nil {
			t.Error(err)
		}
	}
}
