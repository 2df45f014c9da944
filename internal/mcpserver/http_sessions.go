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

// Sessions of the clients that make a handshake. They carry no right to
// anything: every request brings its own credentials. A name is signed, so that
// any replica takes it, and for one caller alone. What else is known of one is
// known to the replica that it began at: what the client can do, and that it
// ended.
const (
	sessionTTL  = 24 * time.Hour
	maxSessions = 10_000 // of each kind that is remembered
)

type sessionStore struct {
	key func(context.Context) ([]byte, error)
	// shared says that an answer to a question may arrive at another replica.
	multiReplica bool
	now          func() time.Time

	mu       sync.Mutex
	sessions map[string]*httpSession
	revoked  map[string]struct{}
}

// httpSession is what this replica knows of a session.
type httpSession struct {
	elicitations  *pendingElicitations
	authenticated bool // whoever began it brought credentials

	mu           sync.Mutex
	clientInfo   mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	inFlight     map[string]context.CancelFunc // by the id as it was written
}

func newSessionStore(key func(context.Context) ([]byte, error), multiReplica bool, now func() time.Time) *sessionStore {
	return &sessionStore{key: key, multiReplica: multiReplica, now: now, sessions: map[string]*httpSession{}, revoked: map[string]struct{}{}}
}

func newHTTPSession() *httpSession {
	return &httpSession{elicitations: newPendingElicitations(), inFlight: map[string]context.CancelFunc{}}
}

// Create names a session.
func (s *sessionStore) Create(ctx context.Context, session *httpSession, h http.Header) (id string, err error) {
	payload := make([]byte, 24)
	_, _ = rand.Read(payload[:16])                                   // it never fails
	binary.BigEndian.PutUint64(payload[16:], uint64(s.now().Unix())) //nolint:gosec // after 1970
	signature, err := s.sign(ctx, payload, h)
	if err != nil {
		return "", err
	}
	id = base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(signature)
	session.authenticated = h.Get("Authorization") != ""
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(id, session)
	return id, nil
}

// sign binds a name to who brought it, by whatever those are called by.
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

// Lookup is a session of whoever sent these headers, or nil.
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
	if session == nil && s.multiReplica { // it began elsewhere
		session = newHTTPSession()
		s.put(id, session)
	}
	return session, nil
}

func (s *sessionStore) expired(payload []byte) bool {
	createdAt := time.Unix(int64(binary.BigEndian.Uint64(payload[16:])), 0) //nolint:gosec // it is signed
	return s.now().Sub(createdAt) > sessionTTL
}

// put remembers a session. Where there are too many another is forgotten, first of
// those who brought no credentials; its client begins anew, unless a replica knows it
// as one that began elsewhere. One with a request that runs is kept.
func (s *sessionStore) put(id string, session *httpSession) {
	evict(s.sessions, s.idExpired, func(_ string, candidate *httpSession) bool { return !candidate.authenticated && candidate.isIdle() }, func(_ string, candidate *httpSession) bool { return candidate.isIdle() })
	s.sessions[id] = session
}

func (s *httpSession) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inFlight) == 0
}

// Terminate forgets a session, and what it was called.
func (s *sessionStore) Terminate(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	evict(s.revoked, func(id string, _ struct{}) bool { return s.idExpired(id, nil) }, func(string, struct{}) bool { return true })
	s.revoked[id] = struct{}{}
}

func (s *sessionStore) idExpired(id string, _ *httpSession) bool {
	encodedPayload, _, _ := strings.Cut(id, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(encodedPayload)
	return s.expired(payload)
}

// evict drops from a full table what may go, in the order of kinds, until a tenth
// of it is free: so it need not be looked through each time.
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

// addRequest registers a request, so that it can be cancelled by another. It fails
// where one with the same id still runs.
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

// cancelRequest ends the request that a notification names.
func (s *httpSession) cancelRequest(m *rpcMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel, ok := s.inFlight[string(m.members["requestId"])]; ok {
		cancel()
	}
}

// saveClientInfo keeps what a client said of itself in its handshake.
func (s *httpSession) saveClientInfo(client *clientSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clientInfo, s.capabilities, s.version = client.GetClientInfo(), client.GetClientCapabilities(), client.ProtocolVersion()
}

// applyTo gives a request what is known of its client.
func (s *httpSession) applyTo(client *clientSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client.elicitations = s.elicitations
	client.SetClientInfo(s.clientInfo)
	client.SetClientCapabilities(s.capabilities)
	client.SetProtocolVersion(s.version)
}
