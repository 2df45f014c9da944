package mcpserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// At shutdown running calls are answered, subscriptions end with an answer, and no
// connection is accepted.
func TestHTTP_Shutdown(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f)
	listen := statelessRequest("9", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
	listening := s.openStream(listen, statelessHeaders(listen))
	listening.read()
	message := withProgress(statelessRequest("1", "tools/call", sendHi))
	sending := s.openStream(message, callerHeaders("alice").merge(statelessHeaders(message)))
	<-f.started
	if a := s.do(http.MethodGet, "/readyz", "", nil); a.status != 200 {
		t.Errorf("%+v", a)
	}
	s.stop()
	if a := listening.read(); string(a.ID) != "9" || a.Error != nil || a.Result == nil {
		t.Error(a.line)
	}
	if a, err := listening.next(); !errors.Is(err, io.EOF) {
		t.Errorf("%+v %v", a, err)
	}
	if err := s.listener.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still listens: %v", err)
	}
	close(f.release)
	a := sending.read()
	for a.Method != "" {
		a = sending.read()
	}
	if !strings.Contains(a.line, `"sent":true`) {
		t.Error(a.line)
	}
	if err := <-s.serveErr; err != nil {
		t.Error(err)
	}
}

// startUnendingCall starts a call that ends only when the fake is released.
func (s *httpTestServer) startUnendingCall(f *fake) *sseStream {
	s.t.Helper()
	message := withProgress(statelessRequest("1", "tools/call", sendHi))
	stream := s.openStream(message, callerHeaders("alice").merge(statelessHeaders(message)))
	<-f.started
	return stream
}

func TestHTTP_ShutdownGrace(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f, withTimeouts(func(t *timeouts) { t.grace = time.Millisecond }))
	stream := s.startUnendingCall(f)
	s.stop()
	a := stream.read()
	for a.Method != "" {
		a = stream.read()
	}
	if a.Error == nil || !strings.Contains(a.line, "something may have been sent or charged") {
		t.Errorf("the client is not told that the outcome is unknown: %s", a.line)
	}
	close(f.release)
	if err := <-s.serveErr; err != nil || f.count() != 1 {
		t.Errorf("%v, %d sent", err, f.count())
	}
}

func TestHTTP_ShutdownTimeout(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f, withTimeouts(func(t *timeouts) { t.shutdown = time.Millisecond }))
	t.Cleanup(func() { close(f.release) })
	s.startUnendingCall(f)
	s.stop()
	if err := <-s.serveErr; err != nil {
		t.Error(err)
	}
}

// At shutdown a call that waits for a user ends.
func TestHTTP_ShutdownElicitation(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	s := startHTTPServer(t, expensiveFake{f})
	stream := s.openStream(toolCall("1", "send_sms", sendArguments),
		s.initialize(callerHeaders("alice"), `{"elicitation":{}}`))
	if a := stream.read(); a.Method != "elicitation/create" {
		t.Fatal(a.line)
	}
	s.stop()
	if a := stream.read(); !strings.Contains(a.line, `"code":"declined"`) ||
		!strings.Contains(a.line, "nobody answered") || f.count() != 0 {
		t.Error(a.line)
	}
	if err := <-s.serveErr; err != nil {
		t.Error(err)
	}
}

func TestHTTP_Readyz(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	close(s.handler.draining)
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if a := s.do(http.MethodGet, path, "", nil); a.status != status {
			t.Errorf("%s: %+v", path, a)
		}
	}
	s.handler.draining = make(chan struct{})
}

// panickingAuthenticator panics.
type panickingAuthenticator struct{ fakeAuthenticator }

func (panickingAuthenticator) Authenticate(http.Header) (CallerFunc, error) { panic("a fault") }

func TestHTTP_Panic(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(),
		func(o *HTTPOptions) { o.Authenticator = panickingAuthenticator{}; o.MaxRequests = 1 })
	for range 3 {
		if a := s.postStateless(statelessRequest("1", "tools/list", ""),
			nil); a.status != http.StatusInternalServerError || a.message(t).Error == nil ||
			strings.Contains(a.body, "a fault\n") {
			t.Errorf("%+v", a)
		}
	}
}

// dialTCP opens a plain TCP connection.
func (s *httpTestServer) dialTCP() net.Conn {
	s.t.Helper()
	c, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

func TestHTTP_ReadLimits(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), withTimeouts(func(t *timeouts) {
		t.header, t.body, t.idle = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
	}))
	head := "POST /mcp HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.url, "http://") +
		"\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		text   string
		status string
	}{
		"nothing":                {"", ""},
		"half a header":          {head, ""},
		"half a body":            {head + "Content-Length: 100\r\n\r\n{", "408"},
		"a body said to be long": {head + "Content-Length: 134217728\r\n\r\n{", "413"},
		"no body of another kind": {strings.Replace(head, "application/json", "text/plain", 1) +
			"Content-Length: 10\r\n\r\n", "415"},
		"no body for nothing":      {strings.Replace(head, "/mcp", "/nowhere", 1) + "Content-Length: 10\r\n\r\n", "404"},
		"no body for another host": {strings.Replace(head, "Host: ", "Host: x", 1) + "Content-Length: 10\r\n\r\n", "403"},
		"a long body in pieces": {head + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" +
			strings.Repeat("x", 0x200000) + "\r\n", "413"},
		"a long header":             {head + "X: " + strings.Repeat("x", 2*maxHeaderBytes) + "\r\n\r\n", "431"},
		"a request and then no one": {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dialTCP()
			go func() { _, _ = io.WriteString(conn, c.text) }()
			answer, err := io.ReadAll(conn)
			if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
				t.Fatal("it was not cut off")
			}
			if !strings.HasPrefix(string(answer), strings.TrimSpace("HTTP/1.1 "+c.status)) && c.status != "" {
				t.Errorf("%s %v", answer, err)
			}
		})
	}
}

// A body of 128 MB needs no more memory than the limit of a body.
func TestHTTP_BodyMemory(t *testing.T) { //nolint:paralleltest // it measures the process
	s := startHTTPServer(t, newFake())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, sizeKnown := range []bool{true, false} {
		body := io.LimitReader(spaceReader{}, 128<<20)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/mcp", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if sizeKnown {
			r.ContentLength = 128 << 20
		}
		// The server does not read the rest.
		if res, err := s.client.Do(r); err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Error(res.Status)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

type spaceReader struct{}

func (spaceReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestHTTP_IdleConnections(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.MaxRequests = 1 },
		withTimeouts(func(t *timeouts) { t.header = 2 * time.Second }))
	conns := make([]net.Conn, 1000)
	for i := range conns {
		conns[i] = s.dialTCP()
	}
	if a := s.postStateless(statelessRequest("1", "tools/call", readBalance), callerHeaders("alice")); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for _, conn := range conns {
		if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		}
	}
}

func TestHTTP_NoLeaks(t *testing.T) { //nolint:paralleltest // it counts what runs
	f := newFake()
	s := startHTTPServer(t, f)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		message := statelessRequest(fmt.Sprint(i), "tools/call", readBalance)
		switch i % 4 {
		case 0: // a stream that the client closes
			message = withProgress(statelessRequest("1", "tools/call", `"name":"list_sms_history","arguments":{}`))
			stream := s.openStream(message, callerHeaders("alice").merge(statelessHeaders(message)))
			<-f.started
			stream.close()
		case 1:
			message = statelessRequest("1", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
			s.openStream(message, statelessHeaders(message)).close()
		default:
			if a := s.postStateless(message, callerHeaders("alice")); a.status != 200 {
				t.Fatalf("%+v", a)
			}
		}
	}
	s.waitIdle()
	s.client.CloseIdleConnections()
	for start := time.Now(); runtime.NumGoroutine() > before+10; runtime.Gosched() {
		if time.Since(start) > 10*time.Second {
			all := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, and %d before\n%s", runtime.NumGoroutine(), before, all[:runtime.Stack(all, true)])
		}
	}
}

// A proxy may speak HTTP/2 without TLS.
func TestHTTP_H2C(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.BehindProxy = true })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	s.client = &http.Client{Transport: &http.Transport{Protocols: protocols}}
	message := statelessRequest("1", "tools/call", readBalance)
	res, err := s.client.Do(s.request(t.Context(), http.MethodPost, "/mcp", message,
		callerHeaders("alice").merge(statelessHeaders(message))))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		t.Error(res.Proto, res.Status)
	}
}

// A client that does not read its answers is disconnected.
func TestHTTP_SlowReader(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), withTimeouts(func(t *timeouts) { t.write = 50 * time.Millisecond }))
	conn := s.dialTCP()
	message := statelessRequest("1", "resources/read", `"uri":"wesendall://reference"`)
	var text strings.Builder
	if err := s.request(t.Context(), http.MethodPost, "/mcp", message,
		statelessHeaders(message)).Write(&text); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := io.WriteString(conn, text.String()); err != nil {
			if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
				t.Error("it was not cut off")
			}
			return
		}
	}
}
