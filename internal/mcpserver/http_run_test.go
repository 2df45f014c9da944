package mcpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// withTimeouts changes the timeouts.
func withTimeouts(change func(*timeouts)) func(*HTTPOptions) {
	return func(o *HTTPOptions) {
		t := defaultTimeouts
		change(&t)
		o.timeouts = &t
	}
}

const sendHi = `"name":"send_sms","arguments":` + sendArguments

// withProgress adds a progress token to a call.
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
				message, headers = withProgress(toolCall("1", "send_sms", sendArguments)),
					s.initialize(callerHeaders("alice"), "{}")
			}
			stream := s.openStream(message, headers)
			if stream.status != 200 || stream.header.Get("Content-Type") != "text/event-stream" ||
				stream.header.Get("X-Accel-Buffering") != "no" {
				t.Errorf("%d %v", stream.status, stream.header)
			}
			for range 3 {
				if a := stream.read(); a.Method != "notifications/progress" || !strings.Contains(a.line, `"progressToken":"p"`) {
					t.Fatal(a.line)
				}
			}
			// Another request of the same client gets no notification of it.
			other := strings.Replace(message, sendHi, readBalance, 1)
			other = strings.Replace(other, `"name":"send_sms","arguments":`+sendArguments, readBalance, 1)
			other = strings.Replace(strings.Replace(other, `"progressToken":"p"`, `"progressToken":"q"`, 1), `"id":1`,
				`"id":2`, 1)
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

// A client that accepts no stream gets only the answer.
func TestHTTPStream_JSONOnly(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newInstantFake())
	message := withProgress(statelessRequest("1", "tools/call", sendHi))
	a := s.postStateless(message, callerHeaders("alice").merge(headerMap{"Accept": "application/json"}))
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || !strings.Contains(a.body, `"sent":true`) {
		t.Errorf("%+v", a)
	}
}

// A call may last longer than the timeout of a write, over HTTP/1.1 and HTTP/2. Its
// stream gets heartbeats.
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
				t.write, t.body, t.idle, t.heartbeat = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond,
					700*time.Millisecond
			}))
			s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool},
				ForceAttemptHTTP2: two}}
			called := make(chan httpResponse, 1)
			go func() { // has no stream, so no heartbeats
				called <- s.postStateless(statelessRequest("1", "tools/call", `"name":"list_sms_history","arguments":{}`),
					callerHeaders("alice"))
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

// The question goes out on the stream of the call. The answer is a message of its
// own.
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
		"another session": mallory, "another session's name": session.merge(headerMap{"Authorization": "mallory"}),
		"no session": callerHeaders("alice"),
	} {
		if a := s.post(yes, headers); name == "another session" && a.status != 202 ||
			name != "another session" && a.status/100 != 4 || f.count() != 0 {
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

// A quote replaces a question that cannot be answered: at a replica that did not see
// the handshake, and with several replicas, where the answer may arrive at another.
func TestHTTP_QuoteFallback(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	replica := func(o *HTTPOptions) {
		o.SessionKey = func(context.Context) ([]byte, error) { return []byte("the same for every replica"), nil }
	}
	one, two, single := startHTTPServer(t, expensiveFake{f}, replica), startHTTPServer(t, expensiveFake{f}, replica),
		startHTTPServer(t, expensiveFake{f})
	session := one.initialize(callerHeaders("alice"), `{"elicitation":{}}`)
	for name, a := range map[string]httpResponse{
		"at another replica": two.post(toolCall("1", "send_sms", sendArguments), session),
		"at one of several":  one.post(toolCall("1", "send_sms", sendArguments), session),
		"of a client without streams": single.post(toolCall("1", "send_sms", sendArguments),
			single.initialize(callerHeaders("alice"), `{"elicitation":{}}`).merge(headerMap{"Accept": "application/json"})),
		"of a client without elicitation": single.post(toolCall("1", "send_sms", sendArguments),
			single.initialize(callerHeaders("alice"), `{}`)),
	} {
		if a.status != 200 || !strings.Contains(a.body, `"code":"confirmation_required"`) ||
			!strings.Contains(a.body, `"quote":{`) || f.count() != 0 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// In the stateless protocol the question is an input_required result.
func TestHTTP_StatelessElicitation(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	s := startHTTPServer(t, expensiveFake{f})
	a := s.postStateless(statelessElicitRequest("1", sendHi), callerHeaders("alice"))
	var result struct{ ResultType, RequestState string }
	if err := json.Unmarshal(a.message(t).Result, &result); err != nil || result.ResultType != "input_required" ||
		f.count() != 0 {
		t.Fatalf("%+v", a)
	}
	again := statelessElicitRequest("2",
		sendHi+`,"inputResponses":{"confirm":{"action":"accept","content":{}}},"requestState":"`+result.RequestState+`"`)
	if a := s.postStateless(again, callerHeaders("alice")); !strings.Contains(a.body, `"sent":true`) || f.count() != 1 {
		t.Errorf("%+v", a)
	}
}

// A disconnect or a cancel stops a read, but not a spend that has left.
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
	if a := s.post(toolCall("1", "get_balance", "{}"), session); a.status != http.StatusBadRequest ||
		!strings.Contains(a.body, "still running") {
		t.Errorf("%+v", a)
	}
	stream.close()
	close(f.release)
	s.waitIdle()
	a := s.post(toolCall("2", "send_sms", sendArguments), session)
	if f.count() != 1 || !strings.Contains(a.body, `"code":"duplicate_send"`) ||
		!strings.Contains(a.body, "that was accepted") {
		t.Errorf("%d sent, and again: %s", f.count(), a.body)
	}
}

func TestHTTP_MaxRequests(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := startHTTPServer(t, f, func(o *HTTPOptions) { o.MaxRequests = 2 })
	listen := statelessRequest("9", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
	for range 8 { // subscriptions do not count as requests
		a := s.openStream(listen, statelessHeaders(listen)).read()
		if a.Method != "notifications/subscriptions/acknowledged" {
			t.Fatal(a.line)
		}
	}
	if a := s.postStateless(listen, nil); a.status != http.StatusServiceUnavailable ||
		a.header.Get("Retry-After") == "" || a.message(t).Error == nil {
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
