package guard

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
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
				_, err := env.guard.Send(t.Context(), sendRequest(message, to...), SpendOptions{})
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
	env := newTestEnv(t, 1_000_000, func(o *Options) { o.Limits.PerDay = 1_000_000 })
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
		if _, failure := env.send(message, SpendOptions{Elicit: elicitYes}, phone1); failure != nil && failure.Code != CodeOutcomeUnknown {
			t.Errorf("cut at %d: %v", cut, failure)
		}
	}
	if cut < 100 {
		t.Fatalf("cut at %d bytes only", cut)
	}
	env.checkInvariants(intended)
	t.Logf("cut at %d places", cut)
}
