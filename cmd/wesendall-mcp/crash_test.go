package main

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// pausedUpstream pauses a request of the program at a stage of a spend. It reports when the
// stage is reached, and continues when told.
type pausedUpstream struct {
	arrived chan struct{}
	release chan struct{}
	once    sync.Once
	url     string // of the API behind it
}

func newPausedUpstream(t *testing.T, point string) (*pausedUpstream, []string) {
	t.Helper()
	api, err := sandbox.Open(t.Context(), sandbox.Options{Balance: 5000})
	if err != nil {
		t.Fatal(err)
	}
	apiServer := httptest.NewServer(api)
	s := &pausedUpstream{arrived: make(chan struct{}), release: make(chan struct{}), url: apiServer.URL}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isGet := r.Method == http.MethodGet
		recorder := httptest.NewRecorder()
		if point != "the price is read" && (point != "the request is there" || isGet) {
			api.ServeHTTP(recorder, r)
		} else if !isGet {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		if isGet == (point == "the price is read") {
			s.once.Do(func() {
				close(s.arrived)
				<-s.release
			})
		}
		if recorder.Body.Len() == 0 {
			api.ServeHTTP(recorder, r)
		}
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	}))
	t.Cleanup(func() { proxy.Close(); apiServer.Close(); _ = api.Close() })
	return s, apiEnv(proxy.URL)
}

// The program is killed, terminated, disconnected or cancelled at each stage of a spend.
// At most one charge results, the ledger never says "failed" for a charge, and a program that
// continues does not repeat it.
func TestCrash_SIGTERMAtEachStage(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"the price is read", "the request is there", "the charge is made"} {
		for _, ending := range []string{"kill -9", "SIGTERM", "end of input", "cancel"} {
			t.Run(ending+" when "+point, func(t *testing.T) {
				t.Parallel()
				s, env := newPausedUpstream(t, point)
				env = append(env, "WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db"))
				p := startProcess(t, env)
				p.writeLines(t, initializeLine)
				p.readLine(t)
				p.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
				<-s.arrived
				switch ending {
				case "kill -9":
					_ = p.Process.Kill()
				case "SIGTERM":
					_ = p.Process.Signal(syscall.SIGTERM)
				case "end of input":
					_ = p.stdin.Close()
				case "cancel":
					p.writeLines(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
						`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
					p.readLine(t)
				}
				if ending == "kill -9" {
					_ = p.Wait()
				}
				close(s.release)
				if ending != "kill -9" {
					_ = p.stdin.Close()
					_, _ = io.Copy(io.Discard, p.stdout)
					if err := p.Wait(); err != nil {
						t.Errorf("it did not end well: %v %s", err, p.stderr.String())
					}
				}
				state := verifyLedger(t, env, s.url)
				if ending != "kill -9" && state == "in_progress" {
					t.Error("the outcome was not written down")
				}
			})
		}
	}
}

// verifyLedger compares the ledger with what the API charged for one send, tries the send
// again, and returns the state in the ledger.
func verifyLedger(t *testing.T, env []string, url string) string {
	t.Helper()
	listing := runInProcess(t, t.TempDir(), env, "", "ledger", "--json")
	var ledger struct{ Spends []struct{ State string } }
	if err := json.Unmarshal([]byte(listing.stdout), &ledger); err != nil {
		t.Fatalf("%+v", listing)
	}
	spent := int64(5000) - upstreamBalance(t, url)
	state := "none"
	if len(ledger.Spends) > 0 {
		state = ledger.Spends[0].State
	}
	if spent != 0 && spent != sandbox.CostPerSMS || len(ledger.Spends) > 1 {
		t.Errorf("UGX %d were charged, the ledger has %+v", spent, ledger.Spends)
	}
	if spent > 0 && (state == "none" || state == "failed") || spent == 0 && state == "sent" {
		t.Errorf("UGX %d were charged, and the ledger says %s", spent, state)
	}
	if state != "none" && state != "failed" {
		retry := program(t, env, "call", "send_sms", `{"recipient":"0700000010","message":"Hi"}`)
		if out, _ := retry.Output(); retry.ProcessState.ExitCode() != exitError ||
			!strings.Contains(string(out), "duplicate_send") {
			t.Errorf("it was sent again: %s", out)
		}
	}
	return state
}

// stallingListener does not answer its second connection, which is that of the spend.
type stallingListener struct {
	net.Listener
	arrived, release chan struct{}
	accepted         int // by one goroutine
}

func (l *stallingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if l.accepted++; l.accepted == 2 {
		close(l.arrived)
		<-l.release
	}
	return conn, err
}

// newTLSUpstream starts an API over TLS, which may stall the connection of a spend.
// The plain URL is of the same API.
func newTLSUpstream(t *testing.T, stalls bool) (listener *stallingListener, env []string, plainURL string) {
	t.Helper()
	api, err := sandbox.Open(t.Context(), sandbox.Options{Balance: 5000})
	if err != nil {
		t.Fatal(err)
	}
	plainServer, tlsServer := httptest.NewServer(api), httptest.NewUnstartedServer(api)
	t.Cleanup(func() { tlsServer.Close(); plainServer.Close(); _ = api.Close() })
	listener = &stallingListener{Listener: tlsServer.Listener, arrived: make(chan struct{}), release: make(chan struct{})}
	if stalls {
		tlsServer.Listener = listener
	}
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake fails on purpose
	tlsServer.StartTLS()
	ca := writeFile(t, t.TempDir(), "ca.pem",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tlsServer.Certificate().Raw})))
	env = append(apiEnv(tlsServer.URL), "SSL_CERT_FILE="+ca, "WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db"))
	return listener, env, plainServer.URL
}

// Stages that a handler of the API cannot see: between intent and request, and after the
// outcome.
func TestCrash_SIGKILLAroundRequest(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only there can a test's certificate be trusted by a variable")
	}
	for name, want := range map[string]string{"connected, nothing written": "in_progress", "answered": "sent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, env, plainURL := newTLSUpstream(t, want == "in_progress")
			p := startProcess(t, env)
			p.writeLines(t, initializeLine)
			p.readLine(t)
			p.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
			if want == "in_progress" {
				<-listener.arrived
			} else if line := p.readLine(t); !strings.Contains(line, "Accepted for 1 recipient") {
				t.Fatal(line)
			}
			_ = p.Process.Kill()
			_ = p.Wait()
			close(listener.release)
			// Budgets and duplicates depend on the base URL.
			if state := verifyLedger(t, env, plainURL); state != want {
				t.Errorf("the ledger says %s", state)
			}
		})
	}
}

// All spellings of a base URL share a ledger.
func TestLedger_PathPerBaseURL(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	home := "HOME=" + t.TempDir()
	send := program(t, append(env, home, "WESENDALL_BASE_URL="+strings.ToUpper(url[:4])+url[4:]+"/"), "call", "send_sms",
		`{"recipient":"+256700000010","message":"Hi"}`)
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, spelling := range []string{url, url + "/"} {
		show := program(t, append(env, home, "WESENDALL_BASE_URL="+spelling), "ledger", "--json")
		if out, err := show.Output(); err != nil || strings.Count(string(out), `"state":"sent"`) != 1 {
			t.Errorf("%s: %s, %v", spelling, out, err)
		}
	}
	// The sandbox has another ledger than real money.
	if got := runInProcess(t, t.TempDir(), []string{"WESENDALL_LEDGER=" + filepath.Join(t.TempDir(), "ledger.db")}, "",
		"ledger", "--sandbox"); got.exitCode != exitUsage {
		t.Errorf("%+v", got)
	}
}

func TestServe_MemoryLedgerNotice(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	for value, want := range map[string]bool{"memory": true, filepath.Join(t.TempDir(), "ledger.db"): false} {
		p := startProcess(t, append(env, "WESENDALL_LEDGER="+value))
		_ = p.stdin.Close()
		if err := p.Wait(); err != nil || strings.Contains(p.stderr.String(), "spends are recorded in memory") != want {
			t.Errorf("%s: %v %s", value, err, p.stderr.String())
		}
		if _, err := os.Stat(value); err == nil {
			t.Error("starting the server created a ledger")
		}
	}
}

func TestLedgerResolve(t *testing.T) {
	t.Parallel()
	env, _ := upstream(t)
	env = append(env, "WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db"))
	run := func(args ...string) runResult { return runInProcess(t, t.TempDir(), env, "", args...) }
	if got := run("call", "send_sms", `{"recipient":"+256700000408","message":"Hi"}`); got.exitCode != exitOutcomeUnknown {
		t.Fatalf("%+v", got)
	}
	var ledger struct{ Spends []struct{ ID, State string } }
	if err := json.Unmarshal([]byte(run("ledger", "--json").stdout), &ledger); err != nil || len(ledger.Spends) != 1 ||
		ledger.Spends[0].State != "unknown" {
		t.Fatalf("%+v, %v", ledger, err)
	}
	if got := run("ledger"); !strings.Contains(got.stdout, ledger.Spends[0].ID) ||
		!strings.Contains(got.stdout, "unknown (outcome_unknown)") || strings.Contains(got.stdout, "256700000408") {
		t.Errorf("%+v", got)
	}
	if got := run("ledger", "resolve", ledger.Spends[0].ID, "perhaps"); got.exitCode != exitUsage {
		t.Errorf("%+v", got)
	}
	if got := run("ledger", "resolve", ledger.Spends[0].ID, "sent"); got.exitCode != 0 {
		t.Errorf("%+v", got)
	}
	if got := run("ledger", "--since", "1h"); !strings.Contains(got.stdout, "sent (resolved)") {
		t.Errorf("%+v", got)
	}
}
