package mcpserver

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// withTimeouts changes how long things may take.
func withTimeouts(change func(*timeouts)) func(*HTTPOptions) {
	return func(o *HTTPOptions) {
		t := defaultTimeouts
		change(&t)
		o.timeouts = &t
	}
}

const sendHi = `"name":"send_sms","arguments":` + sendArguments

// withProgress asks to hear of a call while it runs.
func withProgress(message string) string {
	if strings.Contains(message, `"_meta":{`) {
		return strings.Replace(message, `"_meta":{`, `"_meta":{"progressToken":"p",`, 1)
	}
	return strings.Replace(message, `"params":{`, `"params":{"_meta":{"progressToken":"p"},`, 1)
}

func TestHTTPStream_Progress(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"handshake", "2026-07-28"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := startHTTPServer(t, f)
			message, headers := withProgress(statelessRequest("1", "tools/call", sendHi)), callerHeaders("alice")
			if headers = headers.merge(statelessHeaders(message)); protocol == "handshake" {
				message, headers = withProgress(toolCall("1", "send_sms", sendArguments)), s.initialize(callerHeaders("alice"), "{}")
			}
			stream := s.openStream(message, headers)
			if stream.status != 200 || stream.header.Get("Content-Type") != "text/event-stream" || stream.header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("%d %v", stream.status, stream.header)
			}
			for range 3 {
				if a := stream.read(); a.Method != "notifications/progress" || !strings.Contains(a.line, `"progressToken":"p"`) {
					t.Fatal(a.line)
				}
			}
			// Another request of the same client hears nothing of it.
			other := strings.Replace(message, sendHi, readBalance, 1)
			other = strings.Replace(other, `"name":"send_sms","arguments":`+sendArguments, readBalance, 1)
			other = strings.Replace(strings.Replace(other, `"progressToken":"p"`, `"progressToken":"q"`, 1), `"id":1`, `"id":2`, 1)
			if protocol == "2026-07-28" {
				headers["Mcp-Name"] = "get_balance"
			}
			if a := s.post(other, headers); strings.Contains(a.body, `"p"`) || !strings.Contains(a.body, `"balance":1000000`) {
				t.Errorf("%+v", a)
			}
			close(f.release)
			a := stream.read()
			for a.Method != "" {
				a = stream.read()
			}
			if string(a.ID) != "1" || !strings.Contains(a.line, `"sent":true`) {
				t.Error(a.line)
			}
			if a, err := stream.next(); !errors.Is(err, io.EOF) {
				t.Errorf("%+v %v", a, err)
			}
		})
	}
}

// Who takes no stream gets the answer alone.
func TestHTTPStream_JSONOnly(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newInstantFake())
	message := withProgress(statelessRequest("1", "tools/call", sendHi))
	a := s.postStateless(message, callerHeaders("alice").merge(headerMap{"Accept": "application/json"}))
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !strings.Contains(a.body, `"sent":true`) {
		t.Errorf("%+v", a)
	}
}

// A call that lasts longer than any one write may is not cut, over HTTP/1.1 and
// HTTP/2, and a stream shows signs of life.
func TestHTTPStream_LongCall(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificateFiles(t, t.TempDir(), "one")
	config, err := NewReloadingTLSConfig(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", two), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := startHTTPServer(t, f, func(o *HTTPOptions) { o.TLS = config }, withTimeouts(func(t *timeouts) {
				t.write, t.body, t.idle, t.heartbeat = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond, 700*time.Millisecond
			}))
			s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: two}}
			called := make(chan httpResponse, 1)
			go func() { // which says nothing until its answer
				called <- s.postStateless(statelessRequest("1", "tools/call", `"name":"list_sms_history","arguments":{}`), callerHeaders("alice"))
			}()
			<-f.started
			listen := statelessRequest("9", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
			res, err := s.client.Do(s.request(t.Context(), http.MethodPost, "/mcp", listen, statelessHeaders(listen)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if (res.ProtoMajor == 2) != two {
				t.Error(res.Proto)
			}
			lines := bufio.NewReader(res.Body)
			for beats := 0; beats < 2; {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, ":") {
					beats++
				}
			}
			close(f.release)
			if a := <-called; a.status != 200 || !strings.Contains(a.body, `"messages"`) {
				t.Errorf("%+v", a)
			}
		})
	}
}

// A person is asked on the stream of the call, and their answer comes as a
// message of its own.
func TestHTTPStream_Elicitation(t *testing.T) {
	t.Parallel()
	const yes = `{"jsonrpc":"2.0","id":"ask-1","result":{"action":"accept","content":{}}}`
	f := newInstantFake()
	s := startHTTPServer(t, expensiveFake{f})
	session := s.initialize(callerHeaders("alice"), `{"elicitation":{}}`)
	mallory := s.initialize(callerHeaders("mallory"), `{"elicitation":{}}`)
	stream := s.openStream(toolCall("1", "send_sms", sendArguments), session)
	if a := stream.read(); a.Method != "elicitation/create" || string(a.ID) != `"ask-1"` || f.count() != 0 {
		t.Fatal(a.line)
	}
	for name, headers := range map[string]headerMap{
		"another session": mallory, "another session's name": session.merge(headerMap{"Authorization": "mallory"}), "no session": callerHeaders("alice"),
	} {
		if a := s.post(yes, headers); name == "another session" && a.status != 202 || name != "another session" && a.status/100 != 4 || f.count() != 0 {
			t.Errorf("an answer of %s: %+v, %d sent", name, a, f.count())
		}
	}
	if a := s.post(yes, session); a.status != http.StatusAccepted || a.body != "" {
		t.Errorf("%+v", a)
	}
	if a := stream.read(); !strings.Contains(a.line, `"sent":true`) || f.count() != 1 {
		t.Errorf("%d sent: %s", f.count(), a.line)
	}
}

// Where a question cannot be answered, a quote takes its place: at a replica that
// did not see the handshake, and where an answer could arrive at another one.
func TestHTTP_QuoteFallback(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	replica := func(o *HTTPOptions) {
		o.SessionKey = func(context.Context) ([]byte, error) { return []byte("the same for every replica"), nil }
	}
	one, two, alone := startHTTPServer(t, expensiveFake{f}, replica), startHTTPServer(t, expensiveFake{f}, replica), startHTTPServer(t, expensiveFake{f})
	session := one.initialize(callerHeaders("alice"), `{"elicitation":{}}`)
	for name, a := range map[string]httpResponse{
		"at another replica":        two.post(toolCall("1", "send_sms", sendArguments), session),
		"at one of several":         one.post(toolCall("1", "send_sms", sendArguments), session),
		"of who takes no streams":   alone.post(toolCall("1", "send_sms", sendArguments), alone.initialize(callerHeaders("alice"), `{"elicitation":{}}`).merge(headerMap{"Accept": "application/json"})),
		"of who said nothing of it": alone.post(toolCall("1", "send_sms", sendArguments), alone.initialize(callerHeaders("alice"), `{}`)),
	} {
		if a.status != 200 || !strings.Contains(a.body, `"code":"confirmation_required"`) || !strings.Contains(a.body, `"quote":{`) || f.count() != 0 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// In 2026-07-28 the question is an answer that asks for more.
func TestHTTP_StatelessElicitation(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	s := startHTTPServer(t, expensiveFake{f})
	a := s.postStateless(statelessElicitRequest("1", sendHi), callerHeaders("alice"))
	var result struct{ ResultType, RequestState string }
	if err := json.Unmarshal(a.message(t).Result, &result); err != nil || result.ResultType != "input_required" || f.count() != 0 {
		t.Fatalf("%+v", a)
	}
	again := statelessElicitRequest("2", sendHi+`,"inputResponses":{"confirm":{"action":"accept","content":{}}},"requestState":"`+result.RequestState+`"`)
	if a := s.postStateless(again, callerHeaders("alice")); !strings.Contains(a.body, `"sent":true`) || f.count() != 1 {
		t.Errorf("%+v", a)
	}
}

// A client that disconnects or sends a cancel stops a read, but no spend that has left.
func TestHTTP_CancelBeforeSend(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"by going away", "by a message", "by another caller's message"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := startHTTPServer(t, f)
			session := s.initialize(callerHeaders("alice"), "{}")
			stream := s.openStream(withProgress(toolCall("1", "list_sms_history", "{}")), session)
			<-f.started
			note := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
			switch how {
			case "by going away":
				stream.close()
				s.waitIdle()
			case "by a message":
				if a := s.post(note, session); a.status != http.StatusAccepted {
					t.Errorf("%+v", a)
				}
				a := stream.read()
				for a.Method != "" {
					a = stream.read()
				}
				if !strings.Contains(a.line, "cancelled") {
					t.Error(a.line)
				}
			default:
				s.post(note, s.initialize(callerHeaders("mallory"), "{}"))
				close(f.release)
				a := stream.read()
				for a.Method != "" {
					a = stream.read()
				}
				if !strings.Contains(a.line, `"messages"`) {
					t.Error(a.line)
				}
			}
		})
	}
}

// waitIdle waits until no request runs.
func (s *httpTestServer) waitIdle() {
	for range cap(s.handler.requests) {
		s.handler.requests <- struct{}{}
	}
	for range cap(s.handler.requests) {
		<-s.handler.requests
	}
}

func TestHTTP_DisconnectAfterSend(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f)
	session := s.initialize(callerHeaders("alice"), "{}")
	stream := s.openStream(withProgress(toolCall("1", "send_sms", sendArguments)), session)
	<-f.started
	if a := s.post(toolCall("1", "get_balance", "{}"), session); a.status != http.StatusBadRequest || !strings.Contains(a.body, "still running") {
		t.Errorf("%+v", a)
	}
	stream.close()
	close(f.release)
	s.waitIdle()
	a := s.post(toolCall("2", "send_sms", sendArguments), session)
	if f.count() != 1 || !strings.Contains(a.body, `"code":"duplicate_send"`) || !strings.Contains(a.body, "that was accepted") {
		t.Errorf("%d sent, and again: %s", f.count(), a.body)
	}
}

func TestHTTP_MaxRequests(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f, func(o *HTTPOptions) { o.MaxRequests = 2 })
	listen := statelessRequest("9", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
	for range 8 { // streams have places of their own
		if a := s.openStream(listen, statelessHeaders(listen)).read(); a.Method != "notifications/subscriptions/acknowledged" {
			t.Fatal(a.line)
		}
	}
	if a := s.postStateless(listen, nil); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.message(t).Error == nil {
		t.Errorf("a ninth stream: %+v", a)
	}
	var calls sync.WaitGroup
	for i := range 2 {
		message := statelessRequest(fmt.Sprint(i), "tools/call", `"name":"list_sms_history","arguments":{}`)
		calls.Go(func() {
			if a := s.postStateless(message, callerHeaders("alice")); a.status != 200 {
				t.Errorf("%+v", a)
			}
		})
		<-f.started
	}
	a := s.postStateless(statelessRequest("3", "tools/list", ""), nil)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "1" || a.message(t).Error == nil {
		t.Errorf("a third call: %+v", a)
	}
	if a := s.do(http.MethodGet, "/readyz", "", nil); a.status != 200 {
		t.Errorf("%+v", a)
	}
	close(f.release)
	calls.Wait()
	if a := s.postStateless(statelessRequest("3", "tools/list", ""), nil); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

// At the end the calls in flight are answered, streams end in order, and nothing
// new is taken.
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

// What does not end by itself is cut, and the server ends well.
func TestHTTP_ShutdownTimeout(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f, withTimeouts(func(t *timeouts) { t.shutdown = 50 * time.Millisecond }))
	t.Cleanup(func() { close(f.release) })
	message := withProgress(statelessRequest("1", "tools/call", sendHi))
	stream := s.openStream(message, callerHeaders("alice").merge(statelessHeaders(message)))
	<-f.started
	s.stop()
	if err := <-s.serveErr; err != nil {
		t.Error(err)
	}
	// A client that waits is told what to do.
	told := false
	for {
		a, err := stream.next()
		if err != nil {
			break
		}
		told = told || strings.Contains(a.line, "look there before repeating it")
	}
	if !told {
		t.Error("the caller was left guessing")
	}
}

// A question that nobody can answer any more ends the call that asks it.
func TestHTTP_ShutdownElicitation(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	s := startHTTPServer(t, expensiveFake{f})
	stream := s.openStream(toolCall("1", "send_sms", sendArguments), s.initialize(callerHeaders("alice"), `{"elicitation":{}}`))
	if a := stream.read(); a.Method != "elicitation/create" {
		t.Fatal(a.line)
	}
	s.stop()
	if a := stream.read(); !strings.Contains(a.line, `"code":"declined"`) || !strings.Contains(a.line, "nobody answered") || f.count() != 0 {
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

// panickingAuthenticator is a set of callers with a fault.
type panickingAuthenticator struct{ fakeAuthenticator }

func (panickingAuthenticator) Authenticate(http.Header) (CallerFunc, error) { panic("a fault") }

func TestHTTP_Panic(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.Authenticator = panickingAuthenticator{}; o.MaxRequests = 1 })
	for range 3 {
		if a := s.postStateless(statelessRequest("1", "tools/list", ""), nil); a.status != http.StatusInternalServerError || a.message(t).Error == nil || strings.Contains(a.body, "a fault\n") {
			t.Errorf("%+v", a)
		}
	}
}

// dialTCP is a connection that speaks no HTTP of itself.
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
	head := "POST /mcp HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.url, "http://") + "\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		text   string
		status string
	}{
		"nothing":                   {"", ""},
		"half a header":             {head, ""},
		"half a body":               {head + "Content-Length: 100\r\n\r\n{", "408"},
		"a body said to be long":    {head + "Content-Length: 134217728\r\n\r\n{", "413"},
		"no body of another kind":   {strings.Replace(head, "application/json", "text/plain", 1) + "Content-Length: 10\r\n\r\n", "415"},
		"no body for nothing":       {strings.Replace(head, "/mcp", "/nowhere", 1) + "Content-Length: 10\r\n\r\n", "404"},
		"no body for another host":  {strings.Replace(head, "Host: ", "Host: x", 1) + "Content-Length: 10\r\n\r\n", "403"},
		"a long body in pieces":     {head + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + strings.Repeat("x", 0x200000) + "\r\n", "413"},
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

// 128 MB cost no more than what may be sent.
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
		// The server does not wait for the rest.
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
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.MaxRequests = 1 }, withTimeouts(func(t *timeouts) { t.header = 2 * time.Second }))
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
		case 0: // a stream that is broken off
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

// certificateFiles writes a certificate for loopback, and returns who trusts it.
func certificateFiles(t *testing.T, dir, name string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	privateKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &privateKey.PublicKey, privateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(privateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestTLS_Reload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, _ := certificateFiles(t, dir, "one")
	at := time.Now()
	c := &certReloader{files: [2]string{cert, key}, logger: slog.New(slog.DiscardHandler), now: func() time.Time { return at }}
	if err := c.reload(); err != nil {
		t.Fatal(err)
	}
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) { o.TLS = c.tlsConfig() })
	address := strings.TrimPrefix(s.url, "https://")
	shown := func() string {
		t.Helper()
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", address) //nolint:gosec // it looks at the certificate itself
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	look := func() string { t.Helper(); at = at.Add(certCheckInterval); return shown() }
	if name := look(); name != "one" {
		t.Error(name)
	}
	whole, err := os.ReadFile(cert) //nolint:gosec // of this test
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name := look(); name != "one" {
		t.Errorf("with a broken file: %s", name)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if name := look(); name != "one" {
		t.Errorf("without a key: %s", name)
	}
	certificateFiles(t, dir, "two")
	if name := look(); name != "two" {
		t.Errorf("with new files: %s", name)
	}
	if err := os.WriteFile(cert, whole, 0o600); err != nil { // of another key
		t.Fatal(err)
	}
	if name := look(); name != "two" {
		t.Errorf("with a certificate of another key: %s", name)
	}
	if _, err := NewReloadingTLSConfig(cert, key, nil); err == nil {
		t.Error("a server starts with files that do not fit")
	}
	old := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}} //nolint:gosec // which must fail
	if conn, err := old.DialContext(context.Background(), "tcp", address); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
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
	res, err := s.client.Do(s.request(t.Context(), http.MethodPost, "/mcp", message, callerHeaders("alice").merge(statelessHeaders(message))))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		t.Error(res.Proto, res.Status)
	}
}

// Who asks and does not read is cut off, whatever waits to be read.
func TestHTTP_SlowReader(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake(), withTimeouts(func(t *timeouts) { t.write = 50 * time.Millisecond }))
	conn := s.dialTCP()
	message := statelessRequest("1", "resources/read", `"uri":"wesendall://reference"`)
	var text strings.Builder
	if err := s.request(t.Context(), http.MethodPost, "/mcp", message, statelessHeaders(message)).Write(&text); err != nil {
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
