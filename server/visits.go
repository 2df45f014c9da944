package server

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
	visitTime = 24 * time.Hour
	maxVisits = 10_000 // of each kind that is remembered
)

type visits struct {
	key func(context.Context) ([]byte, error)
	// shared says that an answer to a question may arrive at another replica.
	shared bool
	now    func() time.Time

	mu    sync.Mutex
	here  map[string]*visit
	ended map[string]struct{}
}

// visit is what this replica knows of a session.
type visit struct {
	questions *questions
	known     bool // whoever began it brought credentials

	mu           sync.Mutex
	client       mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	open         map[string]context.CancelFunc // by the id as it was written
}

func newVisits(key func(context.Context) ([]byte, error), shared bool, now func() time.Time) *visits {
	return &visits{key: key, shared: shared, now: now, here: map[string]*visit{}, ended: map[string]struct{}{}}
}

func newVisit() *visit {
	return &visit{questions: newQuestions(), open: map[string]context.CancelFunc{}}
}

// begin names a session.
func (v *visits) begin(ctx context.Context, of *visit, h http.Header) (id string, err error) {
	ticket := make([]byte, 24)
	_, _ = rand.Read(ticket[:16])                                   // it never fails
	binary.BigEndian.PutUint64(ticket[16:], uint64(v.now().Unix())) //nolint:gosec // after 1970
	signature, err := v.sign(ctx, ticket, h)
	if err != nil {
		return "", err
	}
	id = base64.RawURLEncoding.EncodeToString(ticket) + "." + base64.RawURLEncoding.EncodeToString(signature)
	of.known = h.Get("Authorization") != ""
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keep(id, of)
	return id, nil
}

// sign binds a name to who brought it, by whatever those are called by.
func (v *visits) sign(ctx context.Context, ticket []byte, h http.Header) ([]byte, error) {
	key, err := v.key(ctx)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("session"))
	mac.Write(ticket)
	for _, name := range []string{"Authorization", tools.WalletHeader} {
		value := sha256.Sum256([]byte(h.Get(name)))
		mac.Write(value[:])
	}
	return mac.Sum(nil), nil
}

// find is a session of whoever sent these headers, or nil.
func (v *visits) find(ctx context.Context, id string, h http.Header) (*visit, error) {
	text, signature, _ := strings.Cut(id, ".")
	ticket, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(ticket) != 24 {
		return nil, nil
	}
	want, err := v.sign(ctx, ticket, h)
	if err != nil {
		return nil, err
	}
	signed, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(signed, want) || v.over(ticket) {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ended := v.ended[id]; ended {
		return nil, nil
	}
	found := v.here[id]
	if found == nil && v.shared { // it began elsewhere
		found = newVisit()
		v.keep(id, found)
	}
	return found, nil
}

func (v *visits) over(ticket []byte) bool {
	began := time.Unix(int64(binary.BigEndian.Uint64(ticket[16:])), 0) //nolint:gosec // it is signed
	return v.now().Sub(began) > visitTime
}

// keep remembers a session. Where there are too many another is forgotten, first of
// those who brought no credentials; its client begins anew, unless a replica knows it
// as one that began elsewhere. One with a request that runs is kept.
func (v *visits) keep(id string, of *visit) {
	makeRoom(v.here, v.overByID, func(_ string, s *visit) bool { return !s.known && s.idle() }, func(_ string, s *visit) bool { return s.idle() })
	v.here[id] = of
}

func (v *visit) idle() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.open) == 0
}

// end forgets a session, and what it was called.
func (v *visits) end(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.here, id)
	makeRoom(v.ended, func(id string, _ struct{}) bool { return v.overByID(id, nil) }, func(string, struct{}) bool { return true })
	v.ended[id] = struct{}{}
}

func (v *visits) overByID(id string, _ *visit) bool {
	text, _, _ := strings.Cut(id, ".")
	ticket, _ := base64.RawURLEncoding.DecodeString(text)
	return v.over(ticket)
}

// makeRoom drops from a full table what may go, in the order of kinds, until a tenth
// of it is free: so it need not be looked through each time.
func makeRoom[V any](table map[string]V, kinds ...func(id string, value V) bool) {
	if len(table) < maxVisits {
		return
	}
	for _, may := range kinds {
		for id, value := range table {
			if len(table) <= maxVisits*9/10 {
				return
			}
			if may(id, value) {
				delete(table, id)
			}
		}
	}
}

// start registers a request, so that it can be cancelled by another. It fails
// where one with the same id still runs.
func (v *visit) start(id json.RawMessage, cancel context.CancelFunc) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, taken := v.open[string(id)]; taken {
		return false
	}
	v.open[string(id)] = cancel
	return true
}

func (v *visit) finish(id json.RawMessage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, string(id))
}

// cancel ends the request that a notification names.
func (v *visit) cancel(m *message) {
	var params struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(m.params, &params) != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if cancel, ok := v.open[string(params.RequestID)]; ok {
		cancel()
	}
}

// learn keeps what a client said of itself in its handshake.
func (v *visit) learn(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.client, v.capabilities, v.version = s.GetClientInfo(), s.GetClientCapabilities(), s.ProtocolVersion()
}

// tell gives a request what is known of its client.
func (v *visit) tell(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s.questions = v.questions
	s.SetClientInfo(v.client)
	s.SetClientCapabilities(v.capabilities)
	s.SetProtocolVersion(v.version)
}
