package server

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

	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// names are callers who say who they are, and all use one API.
type names struct{ api guard.API }

func (names) Challenge() string { return `Basic realm="test"` }

func (n names) Identify(h http.Header) (Who, error) {
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
		return tools.Caller{ID: name, API: n.api, Wallet: h.Get(tools.WalletHeader)}, nil
	}, nil
}

// site is a server on loopback, and a client of it.
type site struct {
	t      *testing.T
	http   *HTTP
	url    string
	client *http.Client
	stop   func()
	ended  <-chan error
}

// serve serves an API over HTTP on loopback.
func serve(t *testing.T, api guard.API, change ...func(*HTTPOptions)) *site {
	t.Helper()
	o := guard.Defaults()
	o.Rate = 0
	set, err := tools.New(tools.Options{Callers: true, Guard: &o, Pace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	options := HTTPOptions{Callers: names{api}, Log: log}
	for _, each := range change {
		each(&options)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	h := New(Options{Version: "test", Tools: set, Log: log}).HTTP(l.Addr(), options)
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, l); close(ended) }()
	s := &site{t, h, "http://" + l.Addr().String(), &http.Client{Transport: &http.Transport{}}, stop, ended}
	if options.TLS != nil {
		s.url = "https://" + l.Addr().String()
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.client.CloseIdleConnections()
		_ = set.Close()
	})
	return s
}

// with are headers of a request, as pairs.
type with map[string]string

// as are the headers of a caller.
func as(name string) with { return with{"Authorization": name, tools.WalletHeader: "wal_1"} }

// and adds headers to others.
func (w with) and(more with) with {
	all := with{}
	maps.Copy(all, w)
	maps.Copy(all, more)
	return all
}

func (s *site) request(ctx context.Context, method, path, body string, headers with) *http.Request {
	s.t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range headers {
		if name == "Host" {
			q.Host = value
			continue
		}
		q.Header.Set(name, value)
		if value == "" {
			q.Header.Del(name)
		}
	}
	return q
}

// got is a whole answer.
type got struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(method, path, body string, headers with) got {
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
	return got{res.StatusCode, res.Header, string(text)}
}

// post sends a message.
func (s *site) post(body string, headers with) got {
	s.t.Helper()
	return s.do(http.MethodPost, "/mcp", body, headers)
}

// now are the headers that a message of 2026-07-28 needs.
func now(message string) with {
	var m struct {
		Method string
		Params struct{ Name, URI string }
	}
	if json.Unmarshal([]byte(message), &m) != nil {
		return nil
	}
	return with{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": m.Method, "Mcp-Name": m.Params.Name + m.Params.URI}
}

// ask sends a message of 2026-07-28.
func (s *site) ask(message string, headers with) got {
	s.t.Helper()
	return s.post(message, now(message).and(headers))
}

// begin makes the handshake of a caller, and returns its session.
func (s *site) begin(caller with, capabilities string) with {
	s.t.Helper()
	a := s.post(strings.Replace(hello, `"capabilities":{}`, `"capabilities":`+capabilities, 1), caller)
	id := a.header.Get("Mcp-Session-Id")
	if a.status != http.StatusOK || id == "" {
		s.t.Fatalf("%+v", a)
	}
	session := caller.and(with{"Mcp-Session-Id": id})
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, session); a.status != http.StatusAccepted || a.body != "" {
		s.t.Fatalf("%+v", a)
	}
	return session
}

func (g got) answer(t *testing.T) answer {
	t.Helper()
	return parseAnswer(t, g.body)
}

// stream is an answer that is still being written.
type stream struct {
	t      *testing.T
	status int
	header http.Header
	lines  *bufio.Reader
	close  func()
}

// open sends a message, and returns once the headers of the answer are there.
func (s *site) open(message string, headers with) *stream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	res, err := s.client.Do(s.request(ctx, http.MethodPost, "/mcp", message, headers))
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	done := func() { cancel(); _ = res.Body.Close() }
	s.t.Cleanup(done)
	return &stream{s.t, res.StatusCode, res.Header, bufio.NewReader(res.Body), done}
}

// next is the next message of a stream, or io.EOF at its end.
func (s *stream) next() (answer, error) {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return answer{}, err
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return parseAnswer(s.t, data), nil
		}
	}
}

// read is the next message, which there must be.
func (s *stream) read() answer {
	s.t.Helper()
	a, err := s.next()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

const readBalance = `"name":"get_balance","arguments":{}`

func TestBothErasAreServedAtOneAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	if a := s.ask(modern("1", "server/discover", ""), nil); a.status != 200 || !strings.Contains(a.body, `"2026-07-28"`) || a.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%+v", a)
	}
	if a := s.ask(modern("2", "tools/list", ""), nil); a.status != 200 || !strings.Contains(a.body, `"send_sms"`) {
		t.Errorf("%+v", a)
	}
	if a := s.ask(modern(`"three"`, "tools/call", readBalance), as("alice")); a.status != 200 || !strings.Contains(a.body, `"balance":1000000`) || string(a.answer(t).ID) != `"three"` {
		t.Errorf("%+v", a)
	}
	session := s.begin(as("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/list"}`, session); a.status != 200 || !strings.Contains(a.body, `"send_sms"`) || string(a.answer(t).ID) != "12345678901234567890" {
		t.Errorf("%+v", a)
	}
	if a := s.post(call("2", "get_balance", "{}"), session); a.status != 200 || !strings.Contains(a.body, `"balance":1000000`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", a)
	}
}

func TestWithoutCredentialsDocumentsAreOpenAndCallsAreNot(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	for _, message := range []string{
		modern("1", "server/discover", ""), modern("1", "tools/list", ""), modern("1", "prompts/list", ""), modern("1", "resources/list", ""),
		modern("1", "resources/templates/list", ""), modern("1", "resources/read", `"uri":"wesendall://reference"`),
		modern("1", "completion/complete", `"ref":{"type":"ref/prompt","name":"integrate_wesendall"},"argument":{"name":"language","value":""}`),
	} {
		if a := s.ask(message, nil); a.status != 200 || a.answer(t).Error != nil {
			t.Errorf("%s: %+v", message, a)
		}
	}
	session := s.begin(nil, "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":2,"method":"ping"}`, session); a.status != 200 {
		t.Errorf("%+v", a)
	}
	for name, a := range map[string]got{
		"of an older client":          s.post(call("7", "get_balance", "{}"), session),
		"of a newer one":              s.ask(modern("7", "tools/call", readBalance), nil),
		"with nonsense":               s.ask(modern("7", "tools/call", readBalance), as("nonsense")),
		"with nonsense, for the list": s.ask(modern("7", "tools/list", ""), as("nonsense")),
	} {
		if e := a.answer(t); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != `Basic realm="test"` || e.Error == nil || string(e.ID) != "7" {
			t.Errorf("a call %s: %+v", name, a)
		}
	}
	if a := s.ask(modern("7", "tools/call", readBalance), with{"Authorization": "alice"}); a.status != http.StatusBadRequest || !strings.Contains(a.body, "no wallet") {
		t.Errorf("%+v", a)
	}
}

// The same bad message gets the same error whatever it comes over.
func TestBadMessagesAreAnsweredAsOverStdio(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	w := dial(t, newFake())
	w.shake()
	session := s.begin(as("alice"), "{}")
	for _, message := range []string{
		`{`, `[1]`, `null`, `"x"`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"1.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":{},"method":"ping"}`,
		`{"jsonrpc":"2.0","ID":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"method":7}`, `{"jsonrpc":"2.0","id":1,"method":"nothing"}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, call("1", "send_sm", "{}"), call("1", "", "{}"), call("1", "send_sms", "[]"),
		call("1", "send_sms", `{"amount":1e999}`), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"send_sms"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"wesendall://nothing"}}`, `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"nothing"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}`, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xff\"}}",
	} {
		w.write(message)
		want, a := w.read(), s.post(message, session)
		is := a.answer(t)
		if want.Error == nil || is.Error == nil || *is.Error != *want.Error || string(is.ID) != strings.TrimPrefix(string(want.ID), "null") {
			t.Errorf("%s: %s, and over stdio %s", message, a.body, want.line)
		}
		if slices.Contains([]int{-32700, -32600}, want.Error.Code) != (a.status == http.StatusBadRequest) {
			t.Errorf("%s: status %d", message, a.status)
		}
	}
}

func TestAHeaderThatSaysOtherwiseIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	balance := modern("1", "tools/call", readBalance)
	for name, c := range map[string]struct {
		message      string
		headers      with
		status, code int
	}{
		"another method":         {balance, with{"Mcp-Method": "tools/list"}, 400, -32020},
		"no method":              {balance, with{"Mcp-Method": ""}, 400, -32020},
		"another tool":           {balance, with{"Mcp-Name": "send_sms"}, 400, -32020},
		"no tool":                {balance, with{"Mcp-Name": ""}, 400, -32020},
		"an older version":       {balance, with{"Mcp-Protocol-Version": "2025-11-25"}, 400, -32020},
		"no version":             {balance, with{"Mcp-Protocol-Version": ""}, 400, -32020},
		"a stream to resume":     {balance, with{"Last-Event-ID": "1"}, 400, -32020},
		"a version not in _meta": {call("1", "get_balance", "{}"), nil, 400, -32602},
		"a version to come":      {strings.Replace(balance, "2026-07-28", "2099-01-01", 1), with{"Mcp-Protocol-Version": "2099-01-01"}, 400, -32022},
		"an unknown method":      {modern("1", "nothing", ""), nil, 404, -32601},
		"a handshake":            {modern("1", "initialize", `"protocolVersion":"2026-07-28"`), nil, 404, -32601},
		"an unknown tool":        {modern("1", "tools/call", `"name":"x"`), nil, 400, -32602},
		"an answer":              {`{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 400, -32600},
	} {
		a := s.post(c.message, as("alice").and(now(c.message)).and(c.headers))
		if e := a.answer(t).Error; a.status != c.status || e == nil || e.Code != c.code {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, with{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusAccepted {
		t.Errorf("%+v", a)
	}
	session := s.begin(as("alice"), "{}")
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, session.and(with{"Mcp-Protocol-Version": "1999-01-01"})); a.status != http.StatusBadRequest {
		t.Errorf("%+v", a)
	}
}

func TestASessionIsOneCallersUntilItIsEnded(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	session := s.begin(as("alice"), "{}")
	id := with{"Mcp-Session-Id": session["Mcp-Session-Id"]}
	other := serve(t, newFake())
	forged := []byte(id["Mcp-Session-Id"])
	forged[3] ^= 1
	for name, c := range map[string]struct {
		got
		want int
	}{
		"none":                         {s.post(ping, as("alice")), 400},
		"an invented one":              {s.post(ping, as("alice").and(with{"Mcp-Session-Id": "x"})), 404},
		"a forged one":                 {s.post(ping, as("alice").and(with{"Mcp-Session-Id": string(forged)})), 404},
		"another's":                    {s.post(ping, as("bob").and(id)), 404},
		"another's, to end it":         {s.do(http.MethodDelete, "/mcp", "", as("bob").and(id)), 404},
		"one's own for another wallet": {s.post(ping, session.and(with{tools.WalletHeader: "wal_2"})), 404},
		"one's own, as nobody":         {s.post(ping, id), 404},
		"one's own elsewhere":          {other.post(ping, session), 404},
		"one's own":                    {s.post(ping, session), 200},
		"none, to end it":              {s.do(http.MethodDelete, "/mcp", "", as("alice")), 400},
		"an invented one, to end it":   {s.do(http.MethodDelete, "/mcp", "", as("alice").and(with{"Mcp-Session-Id": "x"})), 404},
	} {
		if c.status != c.want {
			t.Errorf("with %s: %+v", name, c.got)
		}
	}
	if a := s.do(http.MethodDelete, "/mcp", "", session); a.status != http.StatusNoContent {
		t.Errorf("%+v", a)
	}
	if a := s.post(ping, session); a.status != http.StatusNotFound || a.answer(t).Error == nil {
		t.Errorf("a session that was ended: %+v", a)
	}
	if a := s.do(http.MethodDelete, "/mcp", "", session); a.status != http.StatusNotFound {
		t.Errorf("%+v", a)
	}
	if a := s.do(http.MethodDelete, "/mcp", "", with{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("%+v", a)
	}
	if a := s.do(http.MethodGet, "/mcp", "", session); a.status != http.StatusMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("%+v", a)
	}
}

func visitsOf(key string, now func() time.Time) *visits {
	return newVisits(func(context.Context) ([]byte, error) { return []byte(key), nil }, false, now)
}

func (v *visits) begun() string {
	id, _ := v.begin(context.Background(), newVisit(), http.Header{})
	return id
}

func (v *visits) knows(id string) bool {
	found, err := v.find(context.Background(), id, http.Header{})
	return found != nil && err == nil
}

// While nobody can say what names sessions, those who need none go on.
func TestWithoutTheKeyOfSessionsTheOthersGoOn(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	s := serve(t, newFake(), func(o *HTTPOptions) {
		o.SessionKey = func(context.Context) ([]byte, error) {
			if broken.Load() {
				return nil, errors.New("the database at 10.0.0.1 is away")
			}
			return []byte("key"), nil
		}
	})
	away := s.post(hello, as("a"))
	if away.status != http.StatusServiceUnavailable || away.header.Get("Retry-After") == "" || strings.Contains(away.body, "10.0.0.1") {
		t.Errorf("%+v", away)
	}
	if a := s.ask(modern("2", "tools/list", ""), nil); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, as("a").and(with{"Mcp-Session-Id": visitsOf("key", time.Now).begun()})); a.status != http.StatusServiceUnavailable {
		t.Errorf("%+v", a)
	}
	broken.Store(false)
	if a := s.post(hello, as("a")); a.status != http.StatusOK || a.header.Get("Mcp-Session-Id") == "" {
		t.Errorf("%+v", a)
	}
}

func TestASessionEndsAfterADay(t *testing.T) {
	t.Parallel()
	at := time.Now()
	v := visitsOf("key", func() time.Time { return at })
	id := v.begun()
	at = at.Add(visitTime - time.Minute)
	if !v.knows(id) {
		t.Error("it ended too early")
	}
	at = at.Add(2 * time.Minute)
	if v.knows(id) {
		t.Error("it did not end")
	}
}

func TestSessionsAreForgottenWhereThereAreTooMany(t *testing.T) {
	t.Parallel()
	v := visitsOf("key", time.Now)
	for range maxVisits + 100 {
		id := v.begun()
		if !v.knows(id) {
			t.Fatal("a new session is not known")
		}
		v.end(v.begun())
	}
	if len(v.here) > maxVisits || len(v.ended) > maxVisits {
		t.Errorf("%d and %d are remembered", len(v.here), len(v.ended))
	}
}

// Whoever floods the server with sessions ends none of those who came with
// credentials, nor one in which something runs.
func TestAFloodOfSessionsEndsNobodyElses(t *testing.T) {
	t.Parallel()
	v := visitsOf("key", time.Now)
	known := http.Header{"Authorization": {"Basic x"}}
	own, err := v.begin(t.Context(), newVisit(), known)
	if err != nil {
		t.Fatal(err)
	}
	busy := newVisit()
	busy.start(json.RawMessage("1"), func() {})
	running, err := v.begin(t.Context(), busy, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * maxVisits {
		v.begun()
	}
	if found, err := v.find(t.Context(), own, known); found == nil || err != nil {
		t.Error("a caller's session is gone")
	}
	if !v.knows(running) {
		t.Error("a session with a request that runs is gone")
	}
}

func FuzzASessionsName(f *testing.F) {
	v := visitsOf("key", time.Now)
	f.Add(v.begun())
	f.Add("a.b")
	known := visitsOf("other", time.Now)
	f.Fuzz(func(t *testing.T, id string) {
		if known.knows(id) {
			t.Errorf("%q is taken", id)
		}
	})
}

func TestOnlyKnownNamesAndPagesComeIn(t *testing.T) {
	t.Parallel()
	list := func(o *HTTPOptions) {
		o.Hosts, o.Origins = []string{"mcp.example.com"}, []string{"https://app.example.com"}
	}
	proxied := func(o *HTTPOptions) { o.Proxied = true }
	plain, listed, behind, both := serve(t, newFake()), serve(t, newFake(), list), serve(t, newFake(), proxied), serve(t, newFake(), list, proxied)
	port := func(s *site) string { return s.url[strings.LastIndex(s.url, ":"):] }
	for name, c := range map[string]struct {
		s            *site
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
		headers := as("alice").and(with{"Host": c.host})
		if c.origin != "" {
			headers["Origin"] = c.origin
		}
		a := c.s.ask(modern("1", "tools/call", readBalance), headers)
		if want := map[bool]int{true: 200, false: 403}[c.in]; a.status != want || a.answer(t).Error == nil != c.in {
			t.Errorf("%s: %+v", name, a)
		}
		if c.origin != "" && (a.header.Get("Access-Control-Allow-Origin") == c.origin) != c.in {
			t.Errorf("%s: %v", name, a.header)
		}
	}
	a := listed.do(http.MethodOptions, "/mcp", "", with{"Host": "mcp.example.com", "Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"})
	for _, name := range []string{"Authorization", "X-Wesendall-Wallet", "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID", "Content-Type"} {
		if a.status != http.StatusNoContent || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), name) || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Mcp-Session-Id") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := listed.do(http.MethodOptions, "/mcp", "", with{"Host": "mcp.example.com", "Origin": "https://evil.example"}); a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", a)
	}
}

func TestWhatIsNotAMessageIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	s := serve(t, newFake())
	list := modern("1", "tools/list", "")
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", maxBody) + `"}}`
	for name, c := range map[string]struct {
		got
		want int
	}{
		"another path":          {s.do(http.MethodPost, "/", list, nil), 404},
		"a path below":          {s.do(http.MethodPost, "/mcp/x", list, nil), 404},
		"another method":        {s.do(http.MethodPut, "/mcp", list, nil), 405},
		"another kind":          {s.post(list, with{"Content-Type": "text/plain"}), 415},
		"no kind":               {s.post(list, with{"Content-Type": ""}), 415},
		"an answer that is not": {s.post(list, with{"Accept": "text/html"}), 406},
		"nothing":               {s.post("", nil), 400},
		"too much":              {s.post(long, nil), 413},
	} {
		if c.status != c.want || c.header.Get("Content-Type") != "application/json" || c.answer(t).Error == nil {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
	for _, accept := range []string{"", "*/*", "application/json", "application/json;q=1, text/event-stream;q=0.5"} {
		if a := s.ask(list, with{"Accept": accept}); a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %+v", accept, a)
		}
	}
	if a := s.ask(list, with{"Accept": "text/event-stream"}); a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(a.body, "event: message\ndata: {") {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := s.do(http.MethodGet, path, "", with{"Host": "10.0.0.1"}); a.status != 200 || a.body != "{\"status\":\"ok\"}\n" {
			t.Errorf("%s: %+v", path, a)
		}
	}
}
