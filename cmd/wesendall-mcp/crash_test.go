package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

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
			api, err := sandbox.Open(t.Context(), sandbox.Options{Balance: 5000})
			if err != nil {
				t.Fatal(err)
			}
			plainServer, tlsServer := httptest.NewServer(api), httptest.NewUnstartedServer(api)
			t.Cleanup(func() { tlsServer.Close(); plainServer.Close(); _ = api.Close() })
			listener := &stallingListener{Listener: tlsServer.Listener, arrived: make(chan struct{}),
				release: make(chan struct{})}
			if want == "in_progress" {
				tlsServer.Listener = listener
			}
			tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake fails on purpose
			tlsServer.StartTLS()
			ca := writeFile(t, t.TempDir(), "ca.pem",
				string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tlsServer.Certificate().Raw})))
			env := append(apiEnv(tlsServer.URL), "SSL_CERT_FILE="+ca,
				"WESENDALL_LEDGER="+filepath.Join(t.TempDir(), "ledger.db"))
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
			if state := verifyLedger(t, env, plainServer.URL); state != want {
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

// The user is asked in both protocols, and only an accept spends.
func TestElicitation_Stdio(t *testing.T) {
	t.Parallel()
	form := &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}
	for name, c := range map[string]struct {
		capability *mcp.ElicitationCapabilities
		action     string
		content    map[string]any
		code       string // "" spends
		asked      int
	}{
		"accepts":                      {form, "accept", nil, "", 1},
		"accepts with an empty form":   {form, "accept", map[string]any{}, "", 1},
		"accepts with confirm set":     {form, "accept", map[string]any{"confirm": true}, "", 1},
		"accepts with confirm not set": {form, "accept", map[string]any{"confirm": false}, "declined", 1},
		"declines":                     {form, "decline", nil, "declined", 1},
		"cancels":                      {form, "cancel", nil, "declined", 1},
		"answers nonsense":             {form, "perhaps", nil, "declined", 1},
		"declares {}":                  {&mcp.ElicitationCapabilities{}, "accept", nil, "", 1},
		"declares URLs alone": {&mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}, "accept", nil,
			"confirmation_required", 0},
		"declares nothing": {nil, "accept", nil, "confirmation_required", 0},
	} {
		for _, version := range protocolVersions {
			t.Run(name+", "+version, func(t *testing.T) {
				t.Parallel()
				env, url := upstream(t)
				asked, question := 0, ""
				options := &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{Elicitation: c.capability}}
				if c.capability != nil {
					options.ElicitationHandler = func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						asked++
						question = req.Params.Message
						return &mcp.ElicitResult{Action: c.action, Content: c.content}, nil
					}
				}
				s := connectWithOptions(t, version, program(t, append(env, "WESENDALL_CONFIRM_ABOVE=0")), options)
				result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
					Arguments: map[string]any{"recipient": "0700000010", "message": "Hi"}})
				if err != nil {
					if c.action == "perhaps" && upstreamBalance(t, url) == 5000 {
						return // the client itself refuses to send that
					}
					t.Fatal(err)
				}
				got := structuredContent(t, result)
				if code, _ := got["code"].(string); code != c.code || asked != c.asked {
					t.Errorf("%v, asked %d times", got, asked)
				}
				if spent := 5000 - upstreamBalance(t, url); (spent == 35) != (c.code == "") {
					t.Errorf("UGX %d were charged", spent)
				}
				if c.asked > 0 && !strings.Contains(question, "+256700000010\nCost: about UGX 35 ") {
					t.Error(question)
				}
				if quote, ok := got["quote"].(map[string]any); ok && c.code == "confirmation_required" {
					retry, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "send_sms",
						Arguments: map[string]any{"recipient": "0700000010", "message": "Hi", "quote": quote["id"]}})
					if err != nil || retry.IsError {
						t.Errorf("%+v, %v", retry, err)
					}
				}
			})
		}
	}
}

func TestElicitation_EOF(t *testing.T) {
	t.Parallel()
	env, url := upstream(t)
	p := startProcess(t, append(env, "WESENDALL_CONFIRM_ABOVE=0"))
	p.writeLines(t, strings.Replace(initializeLine, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	p.readLine(t)
	p.writeLines(t, toolCallLine(1, "send_sms", `{"recipient":"+256700000010","message":"Hi"}`))
	if line := p.readLine(t); !strings.Contains(line, `"method":"elicitation/create"`) {
		t.Fatal(line)
	}
	start := time.Now()
	_ = p.stdin.Close()
	if line := p.readLine(t); !strings.Contains(line, `declined`) {
		t.Error(line)
	}
	if err := p.Wait(); err != nil || time.Since(start) > 20*time.Second || upstreamBalance(t, url) != 5000 {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestCall_YesFlag(t *testing.T) {
	t.Parallel()
	dear := `{"recipient":["+256700000010","+256700000011"],"message":"Hi"}`
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"call", "--sandbox", "--confirm-above", "35", "send_sms", dear}, exitError, "confirmation_required"},
		{[]string{"call", "--sandbox", "--confirm-above", "35", "--yes", "send_sms", dear}, exitOK, "Accepted for 2"},
		{[]string{"call", "--sandbox", "--max-per-call", "69", "--yes", "send_sms", dear}, exitError, "limit_exceeded"},
		{[]string{"call", "--sandbox", "--yes", "topup_wallet", `{"amount":500,"phone_number":"+256700000010"}`}, exitOK,
			"The payer was asked"},
		{[]string{"call", "--sandbox", "--allowed-countries", "254", "send_sms", dear}, exitError, "destination_not_allowed"},
		{[]string{"call", "--sandbox", "--max-per-day", "-1", "send_sms", dear}, exitUsage, ""},
		{[]string{"call", "--sandbox", "--confirm", "maybe", "send_sms", dear}, exitUsage, ""},
		{[]string{"call", "--sandbox", "--allowed-countries", "UG", "send_sms", dear}, exitUsage, ""},
		{[]string{"ledger", "--sandbox"}, exitUsage, ""},
	} {
		if got := runInProcess(t, t.TempDir(), nil, "", c.args...); got.exitCode != c.code ||
			!strings.Contains(got.stdout, c.says) {
			t.Errorf("%q: %+v", c.args, got)
		}
	}
}

func TestCall_TerminalPrompt(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs a terminal, and there is no program to make one")
	}
	for typed, want := range map[string]string{"y\n": "The payer was asked for UGX 500", "n\n": "declined",
		"\x04": "declined", "maybe\n": "declined"} {
		c := program(t, nil)
		terminal := exec.Command(script, "-qec",
			c.Path+` call --sandbox topup_wallet '{"amount":500,"phone_number":"+256700000010"}'`, "/dev/null")
		terminal.Env, terminal.Dir = c.Env, c.Dir
		terminal.Stdin = strings.NewReader(typed)
		out, _ := terminal.CombinedOutput() // the exit code does not matter
		if !strings.Contains(string(out), "Payer: +256700000010\r\nAmount: UGX 500. ") || !strings.Contains(string(out), "[y/N]") ||
			!strings.Contains(string(out), want) {
			t.Errorf("%q: %s", typed, out)
		}
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
