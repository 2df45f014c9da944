package guard

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// The database goes away at each point of a spend, and comes back.
func TestOutage_AtEachStage(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	nothing := func() {}
	for _, to := range []struct {
		number, outcome string
		state           ledger.State
	}{{phone1, "", ledger.StateSent}, {phoneRefunded, "send_failed", ledger.StateFailed}, {phoneUnknown, CodeOutcomeUnknown, ledger.StateUnknown}} {
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
				env.expectError(CodeNotConfigured)(env.send("Ho", SpendOptions{}, phone2))
				env.expectReadsWork()
				proxy.reconnect()
				env.waitBackground()
				if got := env.states(); !slices.Equal(got, []ledger.State{to.state}) {
					t.Errorf("%v", got)
				}
				env.guard.api = api.API
				env.expectOK(env.send("Ho", SpendOptions{}, phone2))
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
			failure := env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{}, phone1))
			if !strings.Contains(failure.Message, "Nothing was sent: the database") || strings.Contains(failure.Message, "127.0.0.1") {
				t.Error(failure.Message)
			}
			env.expectError(CodeNotConfigured)(env.topUp(500, SpendOptions{}, phone1))
			env.expectError(CodeNotConfigured)(env.sendGroup("Hi", SpendOptions{DryRun: true}))
			env.expectReadsWork()
			proxy.reconnect()
			env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true}))
		}
		proxy.disconnect() // and it is back before anybody sees that
		proxy.reconnect()
		env.expectOK(env.send("Hi", SpendOptions{}, phone1))
		env.checkInvariants(map[string]bool{"Hi " + phone1: true})
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, 5000, nil)
		proxy := env.useFlakyProxy()
		env.guard.api = hookAPI{env.guard.api, nothing, proxy.disconnect}
		env.expectOK(env.send("Hi", SpendOptions{}, phone1))
		closed, cancel := context.WithCancel(t.Context())
		cancel() // its time is over
		_ = env.guard.opened().Close(closed)
		proxy.reconnect()
		env.restart()
		env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1))
		env.advance(ledger.CallTimeout)
		if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateUnknown}) {
			t.Errorf("%v", got)
		}
		env.checkInvariants(map[string]bool{"Hi " + phone1: true})
	})
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
	env.expectOK(env.send("before", SpendOptions{}, phone1))
	api := env.guard.api
	env.guard.api = hookAPI{api, control("stop"), func() {}}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	env.guard.api = api
	env.expectError(CodeNotConfigured)(env.send("Ho", SpendOptions{}, phone1))
	env.expectReadsWork()
	control("start")()
	env.waitBackground()
	env.expectOK(env.send("Ho", SpendOptions{}, phone1))
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
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
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
	id := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1)).Quote.ID
	proxy.disconnect()
	env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true}, phone1))
	proxy.reconnect()
	env.waitBackground()
	env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: id}, phone1))
}
