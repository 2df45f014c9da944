package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
)

// The stages at which the parent kills the child.
const (
	whileUpstream = "while the request is upstream"
	afterCharge   = "after the charge"
)

// crashingAPI is an API that kills its own process at a stage.
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

// childEnv has the childJob of a child process.
const childEnv = "GUARD_TEST_CHILD"

// childJob is what a child process does: some sends to phone1.
type childJob struct {
	URL, Ledger string
	Message     string // of the first send, with its number appended
	Sends       int
	PerDay      int64  // 0 is the default
	CrashAt     string // a stage of crashingAPI, or ""
}

func (env *testEnv) childCommand(test string, job childJob) *exec.Cmd {
	job.URL, job.Ledger = env.url, env.ledgerSource
	data, _ := json.Marshal(job)
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$") //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), childEnv+"="+string(data))
	return cmd
}

// runChild runs a test again in a child process, which may kill itself.
func (env *testEnv) runChild(test string, job childJob) error {
	out, err := env.childCommand(test, job).CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// actAsChild does the work of a child process. It reports false in the parent.
func actAsChild(t *testing.T) bool {
	t.Helper()
	raw := os.Getenv(childEnv)
	if raw == "" {
		return false
	}
	var job childJob
	if err := json.Unmarshal([]byte(raw), &job); err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.BaseURL, o.Rate, o.Confirm = job.URL, 0, ConfirmOff
	o.Limits.PerDay = cmp.Or(job.PerDay, o.Limits.PerDay)
	o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
		return ledger.Open(ctx, job.Ledger, o)
	}
	api := crashingAPI{(*fakeAPI)(nil).newClient(t, job.URL), job.CrashAt}
	g := New(api, o)
	for i := range job.Sends {
		_, err := g.Send(context.Background(), sendRequest(fmt.Sprint(job.Message, " ", i), phone1), SpendOptions{})
		var failure *Error
		if err != nil && !errors.As(err, &failure) {
			t.Error(err)
		}
	}
	api.crashAt("after the outcome")
	_ = g.Close()
	return true
}

// A process is killed at each stage of a spend. Another process continues.
func TestCrash_AtEachStage(t *testing.T) {
	t.Parallel()
	if actAsChild(t) {
		return
	}
	for stage, want := range map[string]struct {
		states  []ledger.State
		charged int
		again   string // the code of the same send by another process
	}{
		"before the intent": {nil, 0, ""},
		"after the intent":  {[]ledger.State{"unknown"}, 0, CodeDuplicateSend},
		whileUpstream:       {[]ledger.State{"unknown"}, 0, CodeDuplicateSend},
		afterCharge:         {[]ledger.State{"unknown"}, 1, CodeDuplicateSend},
		"after the answer":  {[]ledger.State{"unknown"}, 1, CodeDuplicateSend},
		"after the outcome": {[]ledger.State{"sent"}, 1, CodeDuplicateSend},
		"never":             {[]ledger.State{"sent"}, 1, CodeDuplicateSend},
	} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Clock = nil })
			job := childJob{Message: "Hi", Sends: 1, CrashAt: stage}
			if stage == whileUpstream || stage == afterCharge {
				env.runAndKill(t, stage, job)
			} else if err := env.runChild("TestCrash_AtEachStage", job); err != nil {
				t.Fatal(err)
			}
			env.options.Clock = func() time.Time { return time.Now().Add(2 * ledger.CallTimeout) } // after its deadline
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
			if codeOf(failure) != want.again {
				t.Errorf("sending again: %v, want code %q", failure, want.again)
			}
			env.checkInvariants(map[string]bool{"Hi 0 " + phone1: true})
		})
	}
}

// runAndKill starts a child process, and kills it when its request has arrived upstream.
func (env *testEnv) runAndKill(t *testing.T, stage string, job childJob) {
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
		if stage == afterCharge {
			_ = captureResponse(pass)
		}
		close(arrived)
		<-hold
	})
	cmd := env.childCommand("TestCrash_AtEachStage", job)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(hold)
}

// Eight processes (thirty under CI) with ten sends each share a budget of UGX 350 a day.
func TestBudget_ProcessRace(t *testing.T) {
	t.Parallel()
	if actAsChild(t) {
		return
	}
	env := newTestEnv(t, 50_000, func(o *Options) { o.Clock = nil })
	processes := 8
	if os.Getenv("CI") != "" {
		processes = 30
	}
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			job := childJob{Message: fmt.Sprint("from ", i), Sends: 10, PerDay: 350}
			if err := env.runChild("TestBudget_ProcessRace", job); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, charged := env.charges(t); len(charged) != 10 || env.requestCount() != 10 {
		t.Errorf("%d charges, %d requests", len(charged), env.requestCount())
	}
}
