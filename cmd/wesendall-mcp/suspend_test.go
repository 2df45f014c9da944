package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// pausedSpend is a program whose send has reached a stage.
type pausedSpend struct {
	*process
	env     []string
	url     string // of the API, without the pause
	release func() // lets the API continue
}

// startPausedSpend starts the program and a send, and waits until it reaches a stage.
func startPausedSpend(t *testing.T, stage string) pausedSpend {
	t.Helper()
	s := pausedSpend{}
	var arrived chan struct{}
	if stage == "it is connected" {
		var l *stallingListener
		l, s.env, s.url = newTLSUpstream(t, true)
		arrived, s.release = l.arrived, func() { close(l.release) }
	} else {
		upstream, env := newPausedUpstream(t, stage)
		s.env, s.url = append(env, "WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db")), upstream.url
		arrived, s.release = upstream.arrived, func() { close(upstream.release) }
	}
	s.process = startProcess(t, s.env)
	s.writeLines(t, initializeLine)
	s.readLine(t)
	s.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	<-arrived
	return s
}

// settle settles the only spend, if there is one, as soon as its outcome counts as
// unknown.
func (s pausedSpend) settle(t *testing.T, outcome string) {
	t.Helper()
	run := func(args ...string) runResult { return runInProcess(t, t.TempDir(), s.env, "", args...) }
	var ledger struct{ Spends []struct{ ID string } }
	listing := run("ledger", "--json")
	if err := json.Unmarshal([]byte(listing.stdout), &ledger); err != nil || len(ledger.Spends) > 1 {
		t.Fatalf("%+v, %v", listing, err)
	}
	if len(ledger.Spends) == 0 {
		return
	}
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		got := run("ledger", "resolve", ledger.Spends[0].ID, outcome)
		if got.exitCode == exitOK {
			return
		}
		if !strings.Contains(got.stderr, "still running") {
			t.Fatalf("%+v", got)
		}
		<-time.After(time.Second)
	}
	t.Fatal("the outcome never counts as unknown")
}

// The program is suspended at a stage of a spend, for as long as it takes until the
// spend can be settled. Then another process sends the same, and the first continues.
func TestSuspend_AtEachStage(t *testing.T) {
	t.Parallel()
	if os.Getenv("CI") == "" || runtime.GOOS != "linux" {
		t.Skip("takes a minute: only under CI, and on Linux, where a certificate can be trusted by a variable")
	}
	for _, stage := range []string{"the price is read", "it is connected", "the request is there", "the charge is made"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			s := startPausedSpend(t, stage)
			if err := s.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			s.release()
			charged := stage == "the request is there" || stage == "the charge is made"
			for charged && upstreamBalance(t, s.url) == 5000 { // until the API is done with it
				<-time.After(10 * time.Millisecond)
			}
			outcome, want := "failed", "Accepted for 1 recipient"
			if charged {
				outcome, want = "sent", "duplicate_send"
			}
			s.settle(t, outcome)
			repeat, _ := program(t, s.env, "call", "send_sms", `{"recipient":"0700000010","message":"Hi"}`).CombinedOutput()
			if !strings.Contains(string(repeat), want) {
				t.Errorf("the other process: %s", repeat)
			}
			if err := s.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			answer := s.readLine(t)
			if spent := 5000 - upstreamBalance(t, s.url); spent != sandbox.CostPerSMS {
				t.Errorf("UGX %d were charged; the suspended process answers %s", spent, answer)
			}
			_ = s.stdin.Close()
			_ = s.Wait()
		})
	}
}
