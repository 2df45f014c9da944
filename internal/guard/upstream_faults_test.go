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

// captureResponse has the sandbox handle the request, and returns the whole response.
func captureResponse(pass func(http.ResponseWriter)) []byte {
	recorder := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // the sandbox panics to drop a connection
		pass(recorder)
	}()
	var dump bytes.Buffer
	_ = recorder.Result().Write(&dump)
	return dump.Bytes()
}

// answerAfterCharge returns a fault: the sandbox handles the request, and the answer
// is replaced.
func answerAfterCharge(status int, body string) faultHandler {
	return func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// answerWithoutCharge returns a fault: the sandbox never sees the request.
func answerWithoutCharge(status int, body string) faultHandler {
	return func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// rawAfterCharge returns a fault: the sandbox handles the request, and write gets the
// connection and the sandbox's response. The connection is closed after that.
func rawAfterCharge(write func(conn net.Conn, response []byte)) faultHandler {
	return func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		response := captureResponse(pass)
		conn := hijack(w)
		write(conn, response)
		_ = conn.Close()
	}
}

const noFault = "no fault"

// faultHandlers are the ways in which a POST can go wrong upstream.
var faultHandlers = map[string]faultHandler{
	noFault: func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) { pass(w) },
	"reset before the body is read": func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		reset(hijack(w))
	},
	"reset without a charge": func(w http.ResponseWriter, q *http.Request, _ func(http.ResponseWriter)) {
		_, _ = io.Copy(io.Discard, q.Body)
		reset(hijack(w))
	},
	"reset after the charge":        rawAfterCharge(func(conn net.Conn, _ []byte) { reset(conn) }),
	"closed after the charge":       rawAfterCharge(func(net.Conn, []byte) {}),
	"the answer is cut":             rawAfterCharge(func(conn net.Conn, r []byte) { _, _ = conn.Write(r[:len(r)-10]) }),
	"the content length is too big": rawAfterCharge(writeTooShort),
	"the answer comes byte by byte": rawAfterCharge(writeByteByByte),
	"garbage after the charge": rawAfterCharge(func(conn net.Conn, _ []byte) {
		_, _ = conn.Write([]byte("\x00\x01garbage\r\n\r\n"))
	}),
	"500 after the charge":        answerAfterCharge(500, `{"error":{"code":"internal_error"}}`),
	"500 without a charge":        answerWithoutCharge(500, ""),
	"502 after the charge":        answerAfterCharge(502, "<html>"),
	"502 with send_failed":        answerWithoutCharge(502, `{"error":{"code":"send_failed"}}`),
	"429 after the charge":        answerAfterCharge(429, ""),
	"402 without a code, charged": answerAfterCharge(402, ""),
	"200 that says it failed":     answerAfterCharge(200, `{"success":false,"error":{"code":"insufficient_balance"}}`),
	"200 that is not ok":          answerAfterCharge(200, `{"ok":false,"data":{}}`),
	"200 with status failed":      answerAfterCharge(200, `{"success":true,"status":"FAILED","data":{}}`),
	"200 with errors":             answerAfterCharge(200, `{"success":true,"errors":["no"],"data":{}}`),
	"a redirect after the charge": func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) {
		_ = captureResponse(pass)
		w.Header().Set("Location", "/")
		w.WriteHeader(307)
	},
}

func writeTooShort(conn net.Conn, _ []byte) {
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"success\":true,\"data\":{}}")
}

func writeByteByByte(conn net.Conn, response []byte) {
	for _, b := range response {
		_, _ = conn.Write([]byte{b})
	}
}

// onPost returns a handler that applies a fault to POSTs only.
func onPost(fault faultHandler) faultHandler {
	return func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodPost {
			fault(w, r, pass)
			return
		}
		pass(w)
	}
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
			env.setFault(onPost(fault))
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
				// A second try is refused, unless the first was certainly not charged.
				_, again := env.send(message, SpendOptions{}, to...)
				if again == nil && outcome != "send_failed" && outcome != CodeUnreachable {
					t.Error("sent again")
				}
				env.checkInvariants(intended)
			}
			mu.Lock()
			defer mu.Unlock()
			table = append(table, fmt.Sprintf("%-36s %v", name, outcomes))
		})
	}
}

// The connection is closed after each byte of the answer.
func TestUpstreamFaults_TruncatedResponse(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 1_000_000, func(o *Options) { o.Limits.PerDay = 1_000_000 })
	cut, length := 0, 1
	env.setFault(onPost(rawAfterCharge(func(conn net.Conn, response []byte) {
		length = len(response)
		_, _ = conn.Write(response[:min(cut, length)])
	})))
	intended := map[string]bool{}
	for ; cut < length; cut++ {
		message := fmt.Sprint("Hi ", cut)
		intended[message+" "+phone1] = true
		_, failure := env.send(message, SpendOptions{Elicit: elicitYes}, phone1)
		if failure != nil && failure.Code != CodeOutcomeUnknown {
			t.Errorf("cut at %d: %v", cut, failure)
		}
	}
	if cut < 100 {
		t.Fatalf("the answer has only %d bytes", cut)
	}
	env.checkInvariants(intended)
	t.Logf("cut at %d places", cut)
}
