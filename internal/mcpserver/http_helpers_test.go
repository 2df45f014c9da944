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
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// fakeAuthenticator takes the Authorization header as the name of the caller. All
// callers use one API.
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

// httpTestServer is a server on loopback with an HTTP client.
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
	s := &httpTestServer{t, h, "http://" + l.Addr().String(), &http.Client{Transport: &http.Transport{}}, stop, ended,
		l.(*net.TCPListener)}
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

// headerMap holds request headers. An empty value removes a header.
type headerMap map[string]string

// callerHeaders are the headers of a caller.
func callerHeaders(name string) headerMap {
	return headerMap{"Authorization": name, tools.WalletHeader: "wal_1"}
}

// merge returns both; those of other win.
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

// httpResponse is a complete answer.
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

// statelessHeaders returns the headers that a message of the stateless protocol needs.
func statelessHeaders(message string) headerMap {
	var m struct {
		Method string
		Params struct{ Name, URI string }
	}
	if json.Unmarshal([]byte(message), &m) != nil {
		return nil
	}
	return headerMap{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": m.Method, "Mcp-Name": m.Params.Name +
		m.Params.URI}
}

// postStateless sends a message of the stateless protocol.
func (s *httpTestServer) postStateless(message string, headers headerMap) httpResponse {
	s.t.Helper()
	return s.post(message, statelessHeaders(message).merge(headers))
}

// initialize makes the handshake of a caller and returns headers with its session.
func (s *httpTestServer) initialize(caller headerMap, capabilities string) headerMap {
	s.t.Helper()
	a := s.post(strings.Replace(initializeRequest, `"capabilities":{}`, `"capabilities":`+capabilities, 1), caller)
	id := a.header.Get("Mcp-Session-Id")
	if a.status != http.StatusOK || id == "" {
		s.t.Fatalf("%+v", a)
	}
	session := caller.merge(headerMap{"Mcp-Session-Id": id})
	if a := s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		session); a.status != http.StatusAccepted || a.body != "" {
		s.t.Fatalf("%+v", a)
	}
	return session
}

func (g httpResponse) message(t *testing.T) wireMessage {
	t.Helper()
	return parseWireMessage(t, g.body)
}

// sseStream is an answer that the server is still writing.
type sseStream struct {
	t      *testing.T
	status int
	header http.Header
	lines  *bufio.Reader
	close  func()
}

// openStream sends a message and returns when the headers of the answer arrive.
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

// next returns the next message of a stream, or io.EOF at its end.
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

// read returns the next message. The end of the stream fails the test.
func (s *sseStream) read() wireMessage {
	s.t.Helper()
	a, err := s.next()
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}
