package mcpserver

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/tools"
)

const (
	// sessionTTL is the lifetime of a session, from its initialize request.
	sessionTTL = 24 * time.Hour
	// maxSessions limits the known sessions, and the ids of those that were ended.
	maxSessions = 10_000
)

// sessionStore keeps the sessions of clients that make a handshake. A session grants
// nothing: every request brings its own credentials. Its id is signed together
// with the credentials, so that every replica accepts it, but only from the same
// caller. The client's capabilities, and whether the session was ended, are known
// only to the replica where that happened.
type sessionStore struct {
	key func(context.Context) ([]byte, error)
	// multiReplica means that the answer to an elicitation may arrive at another
	// replica.
	multiReplica bool
	now          func() time.Time

	mu        sync.Mutex
	sessions  map[string]*httpSession
	revoked   map[string]struct{}
	nextSweep time.Time // when expired sessions are looked for again in a full table
}

// httpSession is what this replica knows of a session.
type httpSession struct {
	elicitations *pendingElicitations

	mu           sync.Mutex
	verified     bool // its credentials are known to be valid
	clientInfo   mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	inFlight     map[string]context.CancelFunc // by request id, as it was written
}

func newSessionStore(key func(context.Context) ([]byte, error), multiReplica bool, now func() time.Time) *sessionStore {
	return &sessionStore{
		key: key, multiReplica: multiReplica, now: now,
		sessions: map[string]*httpSession{}, revoked: map[string]struct{}{},
	}
}

func newHTTPSession() *httpSession {
	return &httpSession{elicitations: newPendingElicitations(), inFlight: map[string]context.CancelFunc{}}
}

// Create stores a session and returns its id. h are the headers of its first request.
func (s *sessionStore) Create(ctx context.Context, session *httpSession, h http.Header) (id string, err error) {
	payload := make([]byte, 24)
	_, _ = rand.Read(payload[:16])                                   // never fails
	binary.BigEndian.PutUint64(payload[16:], uint64(s.now().Unix())) //nolint:gosec // after 1970
	signature, err := s.sign(ctx, payload, h)
	if err != nil {
		return "", err
	}
	id = base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(signature)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(id, session)
	return id, nil
}

// sign computes the signature of an id for the caller that sent these headers.
func (s *sessionStore) sign(ctx context.Context, payload []byte, h http.Header) ([]byte, error) {
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("session"))
	mac.Write(payload)
	for _, name := range []string{"Authorization", tools.WalletHeader} {
		value := sha256.Sum256([]byte(h.Get(name)))
		mac.Write(value[:])
	}
	return mac.Sum(nil), nil
}

// Lookup returns the session with this id, if the caller that sent these headers
// owns it, or nil.
func (s *sessionStore) Lookup(ctx context.Context, id string, h http.Header) (*httpSession, error) {
	encodedPayload, encodedSignature, _ := strings.Cut(id, ".")
	payload, err := base64.RawURLEncoding.DecodeString(encodedPayload)
	if err != nil || len(payload) != 24 {
		return nil, nil
	}
	expected, err := s.sign(ctx, payload, h)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(encodedSignature)
	if err != nil || !hmac.Equal(signature, expected) || s.expired(payload) {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, revoked := s.revoked[id]; revoked {
		return nil, nil
	}
	session := s.sessions[id]
	if session == nil { // it began at another replica, or when the table was full
		session = newHTTPSession()
		s.put(id, session)
	}
	return session, nil
}

func (s *sessionStore) expired(payload []byte) bool {
	createdAt := time.Unix(int64(binary.BigEndian.Uint64(payload[16:])), 0) //nolint:gosec // it is signed
	return s.now().Sub(createdAt) > sessionTTL
}

// put stores a session. In a full table it evicts expired sessions, and for a session
// with verified credentials also idle ones without. If there is still no room, the
// session is not stored: its id stays valid, but its client cannot be asked and its
// requests cannot be cancelled by a notification. So a caller with made-up credentials
// cannot end the sessions of others.
func (s *sessionStore) put(id string, session *httpSession) {
	if now := s.now(); len(s.sessions) >= maxSessions && !now.Before(s.nextSweep) {
		s.nextSweep = now.Add(time.Minute) // it reads the whole table
		evict(s.sessions, func(id string, _ *httpSession) bool { return s.idExpired(id) })
	}
	if session.isVerified() {
		evict(s.sessions, func(_ string, candidate *httpSession) bool { return !candidate.isVerified() && candidate.isIdle() })
	}
	if len(s.sessions) < maxSessions {
		s.sessions[id] = session
	}
}

// MarkVerified notes that the credentials of a session are valid.
func (s *sessionStore) MarkVerified(id string, session *httpSession) {
	if session.isVerified() {
		return
	}
	session.setVerified()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, revoked := s.revoked[id]
	if _, stored := s.sessions[id]; !stored && !revoked {
		s.put(id, session)
	}
}

func (s *httpSession) isVerified() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verified
}

func (s *httpSession) setVerified() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified = true
}

func (s *httpSession) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inFlight) == 0
}

// Terminate ends a session. Its id is remembered as revoked.
func (s *sessionStore) Terminate(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	isExpired := func(id string, _ struct{}) bool { return s.idExpired(id) }
	always := func(string, struct{}) bool { return true }
	evict(s.revoked, isExpired, always)
	s.revoked[id] = struct{}{}
}

func (s *sessionStore) idExpired(id string) bool {
	encodedPayload, _, _ := strings.Cut(id, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(encodedPayload)
	return s.expired(payload)
}

// evict removes entries from a full table until a tenth of it is free, so that it
// need not run at each insertion. The rules say what may go, the first rule first.
func evict[V any](table map[string]V, rules ...func(id string, value V) bool) {
	if len(table) < maxSessions {
		return
	}
	for _, evictable := range rules {
		for id, value := range table {
			if len(table) <= maxSessions*9/10 {
				return
			}
			if evictable(id, value) {
				delete(table, id)
			}
		}
	}
}

// addRequest registers a running request, so that a notification can cancel it. It
// fails if a request with the same id is still running.
func (s *httpSession) addRequest(id json.RawMessage, cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, inUse := s.inFlight[string(id)]; inUse {
		return false
	}
	s.inFlight[string(id)] = cancel
	return true
}

func (s *httpSession) removeRequest(id json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inFlight, string(id))
}

// cancelRequest cancels the request that a notification names.
func (s *httpSession) cancelRequest(m *rpcMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel, ok := s.inFlight[string(m.members["requestId"])]; ok {
		cancel()
	}
}

// saveClientInfo stores what the client declared in its handshake.
func (s *httpSession) saveClientInfo(client *clientSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clientInfo, s.capabilities = client.GetClientInfo(), client.GetClientCapabilities()
	s.version = client.ProtocolVersion()
}

// applyTo copies what is known of the client to the session of one request.
func (s *httpSession) applyTo(client *clientSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client.elicitations = s.elicitations
	client.SetClientInfo(s.clientInfo)
	client.SetClientCapabilities(s.capabilities)
	client.SetProtocolVersion(s.version)
}
