package mcpserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// fakeAuthenticator are callers who say who they are, and all use one API.
type fakeAuthenticator struct{ api guard.API }

func (fakeAuthenticator) Challenge() string { return `Basic realm="test"` }

func (n fakeAuthenticator) Authenticate(h http.Header) (CallerFunc, error) {
	name := h.Get("Authorization")
	switch name {
	case "":
		return nil, nil
	case "nonsense":
		return nil, errors.New("that is no name")
	}
	return func(context.Context) (tools.Caller, error) {
		if h.Get(tools.WalletHeader) == "" {
			return tools.Caller{}, errors.New("no wallet")
		}
		return tools.Caller{ID: name, Client: n.api, Wallet: h.Get(tools.WalletHeader)}, nil
	}, nil
}

// httpTestServer is a server on loopback, and a client of it.
type httpTestServer struct {
	t        *testing.T
	handler  *HTTPHandler
	url      string
	client   *http.Client
	stop     func()
	serveErr <-chan error
	listener *net.TCPListener
}

// startHTTPServer serves an API over HTTP on loopback.
func startHTTPServer(t *testing.T, api guard.API, change ...func(*HTTPOptions)) *httpTestServer {
	t.Helper()
	o := guard.DefaultOptions()
	o.Rate = 0
	toolset, err := tools.New(tools.Options{MultiUser: true, GuardOptions: &o, ProgressInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	options := HTTPOptions{Authenticator: fakeAuthenticator{api}, Logger: logger}
	for _, apply := range change {
		apply(&options)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	h := New(Options{Version: "test", Tools: toolset, Logger: logger}).NewHTTPHandler(l.Addr(), options)
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, l); close(ended) }()
	s := &httpTestServer{t, h, "http://" + l.Addr().String(), &http.Client{Transport: &http.Transport{}}, stop, ended, l.(*net.TCPListener)}
	if options.TLS != nil {
		s.url = "https://" + l.Addr().String()
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.client.CloseIdleConnections()
		_ = toolset.Close()
	})
	return s
}

// headerMap are headers of a request, as pairs.
type headerMap map[string]string

// callerHeaders are the headers of a caller.
func callerHeaders(name string) headerMap {
	return headerMap{"Authorization": name, tools.WalletHeader: "wal_1"}
}

// merge adds headers to others.
func (w headerMap) merge(other headerMap) headerMap {
	merged := headerMap{}
	maps.Copy(merged, w)
	maps.Copy(merged, other)
	return merged
}

func (s *httpTestServer) request(ctx context.Context, method, path, body string, headers headerMap) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range headers {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	return r
}

// httpResponse is a whole answer.
type httpResponse struct {
	status int
	header http.Header
	body   string
}

func (s *httpTestServer) do(method, path, body string, headers headerMap) httpResponse {
	s.t.Helper()
	res, err := s.client.Do(s.request(s.t.Context(), method, path, body, headers))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return httpResponse{res.StatusCode, res.Header, string(text)}
}

// post sends a message.
func (s *httpTestServer) post(body string, headers headerMap) httpResponse {
	s.t.Helper()
	return s.do(http.MethodPost, "/mcp", body, headers)
}

// statelessHeaders are the headers that a message of 2026-07-28 needs.
func statelessHeaders(message string) headerMap {
	var m struct {
		Method string
		Params struct{ Name, URI string }
	}
	if json.Unmarshal([]byte(message), &m) != nil {
		return nil
	}
	return headerMap{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": m.Method, "Mcp-Name": m.Params.Name + m.Params.URI}
}

// postStateless sends a message of 2026-07-28.
func (s *httpTestServer) postStateless(message string, headers headerMap) httpResponse {
	s.t.Helper()
	return s.post(message, statelessHeaders(message).merge(headers))
}

// initialize makes the handshake of a caller, and returns its session.
func (s *httpTestServer) initialize(caller headerMap, capabilities string) headerMap {
	s.t.Helper()
	a := s.post(strings.Replace(initializeRequest, `"capabilities":{}`, `"capabilities":`+capabilities, 1), caller)
	id := a.header.Get("Mcp-Session-Id")
	if a.status != http.StatusOK || id == "" {
		s.t.Fatalf("%+v", a)
	}
	session := caller.merge(headerMap{"Mcp-Session-Id": id})
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, session); a.status != http.StatusAccepted || a.body != "" {
		s.t.Fatalf("%+v", a)
	}
	return session
}

func (g httpResponse) message(t *testing.T) wireMessage {
	t.Helper()
	return parseWireMessage(t, g.body)
}

// sseStream is an answer that is still being written.
type sseStream struct {
	t      *testing.T
	status int
	header http.Header
	lines  *bufio.Reader
	close  func()
}

// openStream sends a message, and returns once the headers of the answer are there.
func (s *httpTestServer) openStream(message string, headers headerMap) *sseStream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	res, err := s.client.Do(s.request(ctx, http.MethodPost, "/mcp", message, headers))
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	done := func() { cancel(); _ = res.Body.Close() }
	s.t.Cleanup(done)
	return &sseStream{s.t, res.StatusCode, res.Header, bufio.NewReader(res.Body), done}
}

// next is the next message of a stream, or io.EOF at its end.
func (s *sseStream) next() (wireMessage, error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return wireMessage{}, err
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return parseWireMessage(s.t, data), nil
		}
	}
}

// read is the next message, which there must be.
func (s *sseStream) read() wireMessage {
	s.t.Helper()
	a, err := s.next()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

const readBalance = `"name":"get_balance","arguments":{}`

func TestHTTP_ProtocolVersions(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	if a := s.postStateless(statelessRequest("1", "server/discover", ""), nil); a.status != 200 || !strings.Contains(a.body, `"2026-07-28"`) || a.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%+v", a)
	}
	if a := s.postStateless(statelessRequest("2", "tools/list", ""), nil); a.status != 200 || !strings.Contains(a.body, `"send_sms"`) {
		t.Errorf("%+v", a)
	}
	if a := s.postStateless(statelessRequest(`"three"`, "tools/call", readBalance), callerHeaders("alice")); a.status != 200 || !strings.Contains(a.body, `"balance":1000000`) || string(a.message(t).ID) != `"three"` {
		t.Errorf("%+v", a)
	}
	session := s.initialize(callerHeaders("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/list"}`, session); a.status != 200 || !strings.Contains(a.body, `"send_sms"`) || string(a.message(t).ID) != "12345678901234567890" {
		t.Errorf("%+v", a)
	}
	if a := s.post(toolCall("2", "get_balance", "{}"), session); a.status != 200 || !strings.Contains(a.body, `"balance":1000000`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", a)
	}
}

func TestHTTP_Unauthenticated(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	for _, message := range []string{
		statelessRequest("1", "server/discover", ""), statelessRequest("1", "tools/list", ""), statelessRequest("1", "prompts/list", ""), statelessRequest("1", "resources/list", ""),
		statelessRequest("1", "resources/templates/list", ""), statelessRequest("1", "resources/read", `"uri":"wesendall://reference"`),
		statelessRequest("1", "completion/complete", `"ref":{"type":"ref/prompt","name":"integrate_wesendall"},"argument":{"name":"language","value":""}`),
	} {
		if a := s.postStateless(message, nil); a.status != 200 || a.message(t).Error != nil {
			t.Errorf("%s: %+v", message, a)
		}
	}
	session := s.initialize(nil, "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":2,"method":"ping"}`, session); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for name, a := range map[string]httpResponse{
		"of an older client":          s.post(toolCall("7", "get_balance", "{}"), session),
		"of a newer one":              s.postStateless(statelessRequest("7", "tools/call", readBalance), nil),
		"with nonsense":               s.postStateless(statelessRequest("7", "tools/call", readBalance), callerHeaders("nonsense")),
		"with nonsense, for the list": s.postStateless(statelessRequest("7", "tools/list", ""), callerHeaders("nonsense")),
	} {
		if e := a.message(t); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != `Basic realm="test"` || e.Error == nil || string(e.ID) != "7" {
			t.Errorf("a call %s: %+v", name, a)
		}
	}
	if a := s.postStateless(statelessRequest("7", "tools/call", readBalance), headerMap{"Authorization": "alice"}); a.status != http.StatusBadRequest || !strings.Contains(a.body, "no wallet") {
		t.Errorf("%+v", a)
	}
}

// The same bad message gets the same error whatever it comes over.
func TestHTTP_BadMessages(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	w := newStdioClient(t, newFake())
	w.initialize()
	session := s.initialize(callerHeaders("alice"), "{}")
	for _, message := range []string{
		`{`, `[1]`, `null`, `"x"`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"1.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":{},"method":"ping"}`,
		`{"jsonrpc":"2.0","ID":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"method":7}`, `{"jsonrpc":"2.0","id":1,"method":"nothing"}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, toolCall("1", "send_sm", "{}"), toolCall("1", "", "{}"), toolCall("1", "send_sms", "[]"),
		toolCall("1", "send_sms", `{"amount":1e999}`), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"send_sms"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"wesendall://nothing"}}`, `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"nothing"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}`, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\"}}",
	} {
		w.write(message)
		want, a := w.read(), s.post(message, session)
		is := a.message(t)
		if want.Error == nil || is.Error == nil || *is.Error != *want.Error || string(is.ID) != strings.TrimPrefix(string(want.ID), "null") {
			t.Errorf("%s: %s, and over stdio %s", message, a.body, want.line)
		}
		if slices.Contains([]int{-32700, -32600}, want.Error.Code) != (a.status == http.StatusBadRequest) {
			t.Errorf("%s: status %d", message, a.status)
		}
	}
}

func TestHTTP_HeaderMismatch(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	balance := statelessRequest("1", "tools/call", readBalance)
	for name, c := range map[string]struct {
		message      string
		headers      headerMap
		status, code int
	}{
		"another method":         {balance, headerMap{"Mcp-Method": "tools/list"}, 400, -32020},
		"no method":              {balance, headerMap{"Mcp-Method": ""}, 400, -32020},
		"another tool":           {balance, headerMap{"Mcp-Name": "send_sms"}, 400, -32020},
		"no tool":                {balance, headerMap{"Mcp-Name": ""}, 400, -32020},
		"an older version":       {balance, headerMap{"Mcp-Protocol-Version": "2025-11-25"}, 400, -32020},
		"no version":             {balance, headerMap{"Mcp-Protocol-Version": ""}, 400, -32020},
		"a stream to resume":     {balance, headerMap{"Last-Event-ID": "1"}, 400, -32020},
		"a version not in _meta": {toolCall("1", "get_balance", "{}"), nil, 400, -32602},
		"a version to come":      {strings.Replace(balance, "2026-07-28", "2099-01-01", 1), headerMap{"Mcp-Protocol-Version": "2099-01-01"}, 400, -32022},
		"an unknown method":      {statelessRequest("1", "nothing", ""), nil, 404, -32601},
		"a handshake":            {statelessRequest("1", "initialize", `"protocolVersion":"2026-07-28"`), nil, 404, -32601},
		"an unknown tool":        {statelessRequest("1", "tools/call", `"name":"x"`), nil, 400, -32602},
		"an answer":              {`{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 400, -32600},
	} {
		a := s.post(c.message, callerHeaders("alice").merge(statelessHeaders(c.message)).merge(c.headers))
		if e := a.message(t).Error; a.status != c.status || e == nil || e.Code != c.code {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, headerMap{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	session := s.initialize(callerHeaders("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, session.merge(headerMap{"Mcp-Protocol-Version": "1999-01-01"})); a.status != http.StatusBadRequest {
		t.Errorf("%+v", a)
	}
}

func TestSessions_BoundToCaller(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	session := s.initialize(callerHeaders("alice"), "{}")
	id := headerMap{"Mcp-Session-Id": session["Mcp-Session-Id"]}
	other := startHTTPServer(t, newFake())
	forged := []byte(id["Mcp-Session-Id"])
	forged[3] ^= 1
	for name, c := range map[string]struct {
		httpResponse
		want int
	}{
		"none":                         {s.post(ping, callerHeaders("alice")), 400},
		"an invented one":              {s.post(ping, callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": "x"})), 404},
		"a forged one":                 {s.post(ping, callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": string(forged)})), 404},
		"another's":                    {s.post(ping, callerHeaders("bob").merge(id)), 404},
		"another's, to end it":         {s.do(http.MethodDelete, "/mcp", "", callerHeaders("bob").merge(id)), 404},
		"one's own for another wallet": {s.post(ping, session.merge(headerMap{tools.WalletHeader: "wal_2"})), 404},
		"one's own, as nobody":         {s.post(ping, id), 404},
		"one's own elsewhere":          {other.post(ping, session), 404},
		"one's own":                    {s.post(ping, session), 200},
		"none, to end it":              {s.do(http.MethodDelete, "/mcp", "", callerHeaders("alice")), 400},
		"an invented one, to end it":   {s.do(http.MethodDelete, "/mcp", "", callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": "x"})), 404},
	} {
		if c.status != c.want {
			t.Errorf("with %s: %+v", name, c.httpResponse)
		}
	}
	if a := s.do(http.MethodDelete, "/mcp", "", session); a.status != http.StatusNoContent {
		t.Errorf("%+v", a)
	}
	if a := s.post(ping, session); a.status != http.StatusNotFound || a.message(t).Error == nil {
		t.Errorf("a session that was ended: %+v", a)
	}
	if a := s.do(http.MethodDelete, "/mcp", "", session); a.status != http.StatusNotFound {
		t.Errorf("%+v", a)
	}
	if a := s.do(http.MethodDelete, "/mcp", "", headerMap{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("%+v", a)
	}
	if a := s.do(http.MethodGet, "/mcp", "", session); a.status != http.StatusMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("%+v", a)
	}
}

func newTestSessionStore(key string, now func() time.Time) *sessionStore {
	return newSessionStore(func(context.Context) ([]byte, error) { return []byte(key), nil }, false, now)
}

func (s *sessionStore) createAnonymous() string {
	id, _ := s.Create(context.Background(), newHTTPSession(), http.Header{})
	return id
}

func (s *sessionStore) has(id string) bool {
	session, err := s.Lookup(context.Background(), id, http.Header{})
	return session != nil && err == nil
}

// While nobody can say what names sessions, those who need none go on.
func TestSessions_KeyUnavailable(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	s := startHTTPServer(t, newFake(), func(o *HTTPOptions) {
		o.SessionKey = func(context.Context) ([]byte, error) {
			if broken.Load() {
				return nil, errors.New("the database at 10.0.0.1 is away")
			}
			return []byte("key"), nil
		}
	})
	away := s.post(initializeRequest, callerHeaders("a"))
	if away.status != http.StatusServiceUnavailable || away.header.Get("Retry-After") == "" || strings.Contains(away.body, "10.0.0.1") {
		t.Errorf("%+v", away)
	}
	if a := s.postStateless(statelessRequest("2", "tools/list", ""), nil); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, callerHeaders("a").merge(headerMap{"Mcp-Session-Id": newTestSessionStore("key", time.Now).createAnonymous()})); a.status != http.StatusServiceUnavailable {
		t.Errorf("%+v", a)
	}
	broken.Store(false)
	if a := s.post(initializeRequest, callerHeaders("a")); a.status != http.StatusOK || a.header.Get("Mcp-Session-Id") == "" {
		t.Errorf("%+v", a)
	}
}

func TestSessions_TTL(t *testing.T) {
	t.Parallel()
	at := time.Now()
	v := newTestSessionStore("key", func() time.Time { return at })
	id := v.createAnonymous()
	at = at.Add(sessionTTL - time.Minute)
	if !v.has(id) {
		t.Error("it ended too early")
	}
	at = at.Add(2 * time.Minute)
	if v.has(id) {
		t.Error("it did not end")
	}
}

func TestSessions_Eviction(t *testing.T) {
	t.Parallel()
	v := newTestSessionStore("key", time.Now)
	for range maxSessions + 100 {
		id := v.createAnonymous()
		if !v.has(id) {
			t.Fatal("a new session is not known")
		}
		v.Terminate(v.createAnonymous())
	}
	if len(v.sessions) > maxSessions || len(v.revoked) > maxSessions {
		t.Errorf("%d and %d are remembered", len(v.sessions), len(v.revoked))
	}
}

// A flood of sessions ends no session of a caller with credentials, and none with a
// running request.
func TestSessions_Flood(t *testing.T) {
	t.Parallel()
	v := newTestSessionStore("key", time.Now)
	known := http.Header{"Authorization": {"Basic x"}}
	own, err := v.Create(t.Context(), newHTTPSession(), known)
	if err != nil {
		t.Fatal(err)
	}
	busy := newHTTPSession()
	busy.addRequest(json.RawMessage("1"), func() {})
	running, err := v.Create(t.Context(), busy, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * maxSessions {
		v.createAnonymous()
	}
	if found, err := v.Lookup(t.Context(), own, known); found == nil || err != nil {
		t.Error("a caller's session is gone")
	}
	if !v.has(running) {
		t.Error("a session with a request that runs is gone")
	}
}

func FuzzSessionID(f *testing.F) {
	v := newTestSessionStore("key", time.Now)
	f.Add(v.createAnonymous())
	f.Add("a.b")
	known := newTestSessionStore("other", time.Now)
	f.Fuzz(func(t *testing.T, id string) {
		if known.has(id) {
			t.Errorf("%q is taken", id)
		}
	})
}

func TestOriginPolicy(t *testing.T) {
	t.Parallel()
	list := func(o *HTTPOptions) {
		o.AllowedHosts, o.AllowedOrigins = []string{"mcp.example.com"}, []string{"https://app.example.com"}
	}
	proxied := func(o *HTTPOptions) { o.BehindProxy = true }
	plain, listed, behind, both := startHTTPServer(t, newFake()), startHTTPServer(t, newFake(), list), startHTTPServer(t, newFake(), proxied), startHTTPServer(t, newFake(), list, proxied)
	port := func(s *httpTestServer) string { return s.url[strings.LastIndex(s.url, ":"):] }
	for name, c := range map[string]struct {
		s            *httpTestServer
		host, origin string
		in           bool
	}{
		"nobody's page":                   {plain, "127.0.0.1" + port(plain), "", true},
		"localhost":                       {plain, "LOCALHOST" + port(plain), "", true},
		"the other loopback":              {plain, "[::1]" + port(plain), "", true},
		"another port":                    {plain, "127.0.0.1:1", "", false},
		"no port":                         {plain, "localhost", "", false},
		"a name that leads here":          {plain, "evil.example" + port(plain), "", false},
		"a name that begins like ours":    {plain, "localhost.evil.example" + port(plain), "", false},
		"a page of ours":                  {plain, "127.0.0.1" + port(plain), "http://localhost" + port(plain), true},
		"a page of ours by TLS":           {plain, "127.0.0.1" + port(plain), "https://localhost" + port(plain), false},
		"a page of another port":          {plain, "127.0.0.1" + port(plain), "http://localhost:1", false},
		"a page of somebody":              {plain, "127.0.0.1" + port(plain), "https://evil.example", false},
		"no page's origin":                {plain, "127.0.0.1" + port(plain), "null", false},
		"a page that leads here":          {plain, "127.0.0.1" + port(plain), "http://evil.example" + port(plain), false},
		"a listed name":                   {listed, "MCP.example.com", "", true},
		"a listed name and its port":      {listed, "mcp.example.com:443", "", true},
		"a listed name at another port":   {listed, "mcp.example.com:8443", "", true},
		"no listed name at a port":        {listed, "evil.example:8443", "", false},
		"a name that is not listed":       {listed, "evil.example", "", false},
		"loopback beside a list":          {listed, "localhost" + port(listed), "", true},
		"a listed page":                   {listed, "mcp.example.com", "https://app.example.com", true},
		"a listed page in the clear":      {listed, "mcp.example.com", "http://app.example.com", false},
		"a page within a listed one":      {listed, "mcp.example.com", "https://app.example.com.evil.example", false},
		"any name behind a proxy":         {behind, "mcp.example.com", "", true},
		"the same page behind a proxy":    {behind, "evil.example", "https://evil.example", false},
		"a listed name behind a proxy":    {both, "mcp.example.com", "https://mcp.example.com", true},
		"an unlisted name behind a proxy": {both, "evil.example", "", false},
	} {
		headers := callerHeaders("alice").merge(headerMap{"Host": c.host})
		if c.origin != "" {
			headers["Origin"] = c.origin
		}
		a := c.s.postStateless(statelessRequest("1", "tools/call", readBalance), headers)
		if want := map[bool]int{true: 200, false: 403}[c.in]; a.status != want || a.message(t).Error == nil != c.in {
			t.Errorf("%s: %+v", name, a)
		}
		if c.origin != "" && (a.header.Get("Access-Control-Allow-Origin") == c.origin) != c.in {
			t.Errorf("%s: %v", name, a.header)
		}
	}
	a := listed.do(http.MethodOptions, "/mcp", "", headerMap{"Host": "mcp.example.com", "Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"})
	for _, name := range []string{"Authorization", "X-Wesendall-Wallet", "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID", "Content-Type"} {
		if a.status != http.StatusNoContent || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), name) || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Mcp-Session-Id") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := listed.do(http.MethodOptions, "/mcp", "", headerMap{"Host": "mcp.example.com", "Origin": "https://evil.example"}); a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
}

func TestHTTP_InvalidMessages(t *testing.T) {
	t.Parallel()
	s := startHTTPServer(t, newFake())
	list := statelessRequest("1", "tools/list", "")
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", maxRequestBytes) + `"}}`
	for name, c := range map[string]struct {
		httpResponse
		want int
	}{
		"another path":          {s.do(http.MethodPost, "/", list, nil), 404},
		"a path below":          {s.do(http.MethodPost, "/mcp/x", list, nil), 404},
		"another method":        {s.do(http.MethodPut, "/mcp", list, nil), 405},
		"another kind":          {s.post(list, headerMap{"Content-Type": "text/plain"}), 415},
		"no kind":               {s.post(list, headerMap{"Content-Type": ""}), 415},
		"an answer that is not": {s.post(list, headerMap{"Accept": "text/html"}), 406},
		"nothing":               {s.post("", nil), 400},
		"too much":              {s.post(long, nil), 413},
	} {
		if c.status != c.want || c.header.Get("Content-Type") != "application/json" || c.message(t).Error == nil {
			t.Errorf("%s: %+v", name, c.httpResponse)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "application/json;q=1, text/event-stream;q=0.5"} {
		if a := s.postStateless(list, headerMap{"Accept": accept}); a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %+v", accept, a)
		}
	}
	if a := s.postStateless(list, headerMap{"Accept": "text/event-stream"}); a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(a.body, "event: message\ndata: {") {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.do(http.MethodGet, path, "", headerMap{"Host": "10.0.0.1"}); a.status != 200 || a.body != "{\"status\":\"ok\"}\n" {
			t.Errorf("%s: %+v", path, a)
		}
	}
}
