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

// The database goes away at each stage of a spend, and comes back.
func TestOutage_AtEachStage(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	for _, c := range []struct {
		number, outcome string
		state           ledger.State
	}{
		{phone1, "", ledger.StateSent},
		{phoneRefunded, "send_failed", ledger.StateFailed},
		{phoneUnknown, CodeOutcomeUnknown, ledger.StateUnknown},
	} {
		for stage, hook := range map[string]func(API, *flakyProxy) hookAPI{
			"between the intent and the request": func(api API, proxy *flakyProxy) hookAPI {
				return hookAPI{API: api, before: proxy.disconnect}
			},
			"between the request and the outcome": func(api API, proxy *flakyProxy) hookAPI {
				return hookAPI{API: api, after: proxy.disconnect}
			},
		} {
			t.Run(string(c.state)+", "+stage, func(t *testing.T) {
				t.Parallel()
				env := newTestEnv(t, 5000, nil)
				proxy, api := env.useFlakyProxy(), env.guard.api
				env.guard.api = hook(api, proxy)
				if _, failure := env.send("Hi", SpendOptions{}, c.number); codeOf(failure) != c.outcome {
					t.Fatal(failure)
				}
				// Without the database nothing is spent, but reading works.
				env.expectError(CodeNotConfigured)(env.send("Ho", SpendOptions{}, phone2))
				env.expectReadsWork()
				proxy.reconnect()
				env.waitBackground()
				if got := env.states(); !slices.Equal(got, []ledger.State{c.state}) {
					t.Errorf("states %v", got)
				}
				env.guard.api = api
				env.expectOK(env.send("Ho", SpendOptions{}, phone2))
				env.checkInvariants(map[string]bool{"Hi " + c.number: true, "Ho " + phone2: true})
			})
		}
	}
}

func TestOutage_BeforeIntent(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	for _, opened := range []bool{false, true} {
		proxy.disconnect()
		if env.guard.opened() != nil != opened {
			t.Fatalf("the ledger is open: %v, want %v", !opened, opened)
		}
		failure := env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{}, phone1))
		failure.says("Nothing was sent: the database")
		if strings.Contains(failure.Message, "127.0.0.1") {
			t.Errorf("the message has an address: %s", failure.Message)
		}
		env.expectError(CodeNotConfigured)(env.topUp(500, SpendOptions{}, phone1))
		env.expectError(CodeNotConfigured)(env.sendGroup("Hi", SpendOptions{DryRun: true}))
		env.expectReadsWork()
		proxy.reconnect()
		env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true}))
	}
	proxy.disconnect() // it is back before the next call
	proxy.reconnect()
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	env.checkInvariants(map[string]bool{"Hi " + phone1: true})
}

// The outcome cannot be stored before the process ends: it is unknown to the next one.
func TestOutage_UntilExit(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.guard.api = hookAPI{API: env.guard.api, after: proxy.disconnect}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_ = env.guard.opened().Close(cancelled)
	proxy.reconnect()
	env.restart()
	env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1))
	env.advance(ledger.CallTimeout)
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateUnknown}) {
		t.Errorf("states %v", got)
	}
	env.checkInvariants(map[string]bool{"Hi " + phone1: true})
}

// The PostgreSQL server is stopped while a request is upstream, and started again.
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
	env.guard.api = hookAPI{API: api, before: control("stop")}
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

// Close waits for an outcome that is still to be stored.
func TestClose_WaitsForRetries(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, nil)
	proxy := env.useFlakyProxy()
	env.guard.api = hookAPI{API: env.guard.api, after: proxy.disconnect}
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

// If the user declines during an outage, the quote is void after it.
func TestOutage_DeferredVoid(t *testing.T) {
	t.Parallel()
	ledgertest.PostgresOnly(t)
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	proxy := env.useFlakyProxy()
	id := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1)).Quote.ID
	proxy.disconnect()
	env.expectError(CodeNotConfigured)(env.send("Hi", SpendOptions{QuoteID: id, Answer: AnswerNo, InputRequired: true}, phone1))
	proxy.reconnect()
	env.waitBackground()
	env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: id}, phone1))
}
