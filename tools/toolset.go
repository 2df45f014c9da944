package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// Options say which tools are served, and with which API.
type Options struct {
	API                 guard.API      // nil: every tool answers not_configured
	GuardOptions        *guard.Options // nil: the defaults
	NotConfiguredReason string         // what the operator must set, if API is nil
	Wallet              string         // "": only reads work, and take the wallet as an argument
	Sandbox             bool           // API is the sandbox; results say so
	ReadOnly            bool           // only reads work
	Names               []string       // of the tools to serve; nil: all
	// MultiUser means that each call's context brings its own Caller, which
	// replaces API and Wallet.
	MultiUser bool
	Logger    *slog.Logger
	// OnCall is called when a tool call begins, and returns the context for it.
	// onDone gets the error code of the call, or "ok". May be nil.
	OnCall           func(ctx context.Context, tool string) (callCtx context.Context, onDone func(outcome string))
	ProgressInterval time.Duration // 0: defaultProgressInterval
}

// WalletHeader is the HTTP header that names the wallet in a server for many
// callers.
const WalletHeader = "X-Wesendall-Wallet"

// Caller is who makes a call in a server for many callers.
type Caller struct {
	// ID names the caller in the ledger and scopes its quotes, rate limit and
	// prices. It is not secret and reveals no secret: it is the name of a token
	// or the result of Toolset.CallerID.
	ID     string
	Client guard.API // with the caller's credentials
	Wallet string
	// Limits tighten the server's limits for this caller; see guard.Unlimited.
	// If nil, the caller's spends are not counted separately.
	Limits   *guard.Limits
	ReadOnly bool
	// OnVerified is called when Wesendall has accepted the caller's credentials. May
	// be nil.
	OnVerified func()
}

type callerKey struct{}

// WithCaller returns a context for the calls of a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerID names a caller by a keyed hash of all parts of its credentials.
func (s *Toolset) CallerID(ctx context.Context, parts ...string) (string, error) {
	return s.guard.CallerID(ctx, parts...)
}

// DeriveKey returns a key for one purpose. Every process with the same ledger
// gets the same key.
func (s *Toolset) DeriveKey(ctx context.Context, purpose string) ([]byte, error) {
	return s.guard.DeriveKey(ctx, purpose)
}

// Toolset is the tools as they are served. It is safe for concurrent use.
type Toolset struct {
	options  Options
	guard    *guard.Guard
	tools    []registeredTool
	running  chan struct{}
	admitted chan struct{}
	callers  callerSlots

	acquireTimeout time.Duration // how long a call waits for a slot
}

// registeredTool is a tool with its schemas.
type registeredTool struct {
	Tool
	multiUser    bool
	inputSchema  json.RawMessage
	outputSchema json.RawMessage
	argNames     []string
	validator    func() *jsonschema.Schema // compiled at the first call, to keep the start fast
}

// New makes a toolset. It fails on an unknown name in Options.Names.
func New(o Options) (*Toolset, error) {
	s := &Toolset{
		options: o, running: make(chan struct{}, maxRunning), admitted: make(chan struct{}, maxRunning+maxWaiting),
		callers: callerSlots{byCaller: map[string]*callerSlot{}}, acquireTimeout: 10 * time.Second,
	}
	if o.API != nil || o.MultiUser {
		if o.GuardOptions == nil {
			defaults := guard.DefaultOptions()
			o.GuardOptions = &defaults
		}
		s.guard = guard.New(o.API, *o.GuardOptions)
	}
	var names []string
	for _, t := range AllTools() {
		names = append(names, t.Name)
		if o.Names == nil || slices.Contains(o.Names, t.Name) {
			s.tools = append(s.tools, newRegisteredTool(t, o))
		}
	}
	for _, name := range o.Names {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("no tool is called %q; the tools are %s", name, strings.Join(names, ", "))
		}
	}
	return s, nil
}

func newRegisteredTool(t Tool, o Options) registeredTool {
	walletIsArgument := o.Wallet == "" && !o.MultiUser && t.Endpoint.Effect == client.EffectRead
	r := registeredTool{Tool: t, multiUser: o.MultiUser}
	r.inputSchema, r.outputSchema, r.argNames = t.buildSchemas(walletIsArgument)
	r.validator = sync.OnceValue(func() *jsonschema.Schema { return mustCompile(t.Name, r.inputSchema) })
	return r
}

// Names are the names of the tools that answer, in order.
func (s *Toolset) Names() []string {
	names := make([]string, len(s.tools))
	for i, t := range s.tools {
		names[i] = t.Name
	}
	return names
}

// IsListed tells whether tools/list shows a tool. A read-only server hides the
// tools that change anything, but answers them with read_only, because a model
// may remember them from another server.
func (s *Toolset) IsListed(t Tool) bool {
	return !s.options.ReadOnly || t.Endpoint.Effect == client.EffectRead
}

// LimiterStats counts the calls and their limits.
type LimiterStats struct{ Running, MaxRunning, Waiting, MaxWaiting int }

// Stats counts the calls. A call that waits for a user's answer counts as waiting.
func (s *Toolset) Stats() LimiterStats {
	running := len(s.running)
	return LimiterStats{running, cap(s.running), max(0, len(s.admitted)-running), cap(s.admitted) - cap(s.running)}
}

// LedgerSnapshot reads the ledger for metrics. Without an API there is no ledger.
func (s *Toolset) LedgerSnapshot(ctx context.Context) (guard.Snapshot, error) {
	if s.guard == nil {
		return guard.Snapshot{}, errors.New("there is no ledger, since " + s.options.NotConfiguredReason)
	}
	return s.guard.Snapshot(ctx)
}

// Close closes the guard.
func (s *Toolset) Close() error {
	if s.guard == nil {
		return nil
	}
	return s.guard.Close()
}

// IsServed tells whether a tool with this name is served and listed.
func (s *Toolset) IsServed(name string) bool {
	return slices.ContainsFunc(s.tools, func(t registeredTool) bool { return t.Name == name && s.IsListed(t.Tool) })
}
