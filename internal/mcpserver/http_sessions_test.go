package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/tools"
)

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
		"none":            {s.post(ping, callerHeaders("alice")), 400},
		"an invented one": {s.post(ping, callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": "x"})), 404},
		"a forged one": {s.post(ping,
			callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": string(forged)})), 404},
		"another's":                    {s.post(ping, callerHeaders("bob").merge(id)), 404},
		"another's, to end it":         {s.do(http.MethodDelete, "/mcp", "", callerHeaders("bob").merge(id)), 404},
		"one's own for another wallet": {s.post(ping, session.merge(headerMap{tools.WalletHeader: "wal_2"})), 404},
		"one's own, as nobody":         {s.post(ping, id), 404},
		"one's own elsewhere":          {other.post(ping, session), 404},
		"one's own":                    {s.post(ping, session), 200},
		"none, to end it":              {s.do(http.MethodDelete, "/mcp", "", callerHeaders("alice")), 400},
		"an invented one, to end it": {s.do(http.MethodDelete, "/mcp", "",
			callerHeaders("alice").merge(headerMap{"Mcp-Session-Id": "x"})), 404},
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
	if a := s.do(http.MethodDelete, "/mcp", "",
		headerMap{"Mcp-Protocol-Version": "2026-07-28"}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("%+v", a)
	}
	if a := s.do(http.MethodGet, "/mcp", "", session); a.status != http.StatusMethodNotAllowed ||
		!strings.Contains(a.header.Get("Allow"), "POST") {
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

// Without the key of session ids, requests of the stateless protocol still work.
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
	if away.status != http.StatusServiceUnavailable || away.header.Get("Retry-After") == "" ||
		strings.Contains(away.body, "10.0.0.1") {
		t.Errorf("%+v", away)
	}
	if a := s.postStateless(statelessRequest("2", "tools/list", ""), nil); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if a := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		callerHeaders("a").merge(headerMap{"Mcp-Session-Id": newTestSessionStore("key",
			time.Now).createAnonymous()})); a.status != http.StatusServiceUnavailable {
		t.Errorf("%+v", a)
	}
	broken.Store(false)
	if a := s.post(initializeRequest, callerHeaders("a")); a.status != http.StatusOK ||
		a.header.Get("Mcp-Session-Id") == "" {
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

// Requests with made-up credentials, which only Wesendall can recognise, end no session of
// another caller and evict none: neither of a verified caller, nor of one that has not
// called a tool yet.
func TestSessions_FloodWithCredentials(t *testing.T) {
	t.Parallel()
	at := time.Now()
	v := newTestSessionStore("key", func() time.Time { return at })
	create := func(credentials string) (string, *httpSession) {
		t.Helper()
		session := newHTTPSession()
		id, err := v.Create(t.Context(), session, http.Header{"Authorization": {credentials}})
		if err != nil {
			t.Fatal(err)
		}
		return id, session
	}
	lookup := func(id, credentials string) *httpSession {
		t.Helper()
		found, err := v.Lookup(t.Context(), id, http.Header{"Authorization": {credentials}})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	knownID, known := create("Basic known")
	v.MarkVerified(knownID, known)
	idleID, idle := create("Basic idle")
	for i := range maxSessions + 10 {
		create("Basic made up " + strconv.Itoa(i))
	}
	if lookup(knownID, "Basic known") != known || lookup(idleID, "Basic idle") != idle || len(v.sessions) > maxSessions {
		t.Errorf("a session is gone; there are %d", len(v.sessions))
	}
	// Without room an id is valid, and the session is not kept.
	lateID, late := create("Basic late")
	if found := lookup(lateID, "Basic late"); found == nil || found == late || v.sessions[lateID] != nil {
		t.Errorf("%v", found)
	}
	if lookup(lateID, "Basic other") != nil {
		t.Error("another caller's session is found")
	}
	v.MarkVerified(lateID, late)
	if lookup(lateID, "Basic late") != late || lookup(knownID, "Basic known") != known {
		t.Error("a caller whose credentials are valid finds no place")
	}
	v.Terminate(lateID)
	if v.MarkVerified(lateID, newHTTPSession()); lookup(lateID, "Basic late") != nil {
		t.Error("a session that was ended is back")
	}
	at = at.Add(sessionTTL + 2*time.Minute)
	if newID, session := create("Basic new"); lookup(newID, "Basic new") != session {
		t.Error("expired sessions are kept")
	}
}

// A session is known to be its caller's once a tool call succeeded in it.
func TestSessions_VerifiedByCall(t *testing.T) {
	t.Parallel()
	api := newFake()
	close(api.release)
	s := startHTTPServer(t, api)
	session := s.initialize(callerHeaders("alice"), "{}")
	stored := s.handler.sessions.sessions[session["Mcp-Session-Id"]]
	if stored == nil || stored.isVerified() {
		t.Fatal("verified before a call")
	}
	const call = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`
	s.post(fmt.Sprintf(call, 1, "send_sms", `{}`), session)
	if stored.isVerified() {
		t.Error("verified by a call that failed")
	}
	if a := s.post(fmt.Sprintf(call, 2, "get_balance", `{}`), session); !stored.isVerified() {
		t.Errorf("not verified: %+v", a)
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
