package guard

import (
	"context"
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
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

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
