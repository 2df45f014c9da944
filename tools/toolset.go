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

// Options say which tools are served, and on what.
type Options struct {
	API                 guard.API      // nil answers not_configured
	GuardOptions        *guard.Options // nil is its defaults
	NotConfiguredReason string         // what must be set, where API is nil
	Wallet              string         // pins the wallet; "" leaves only the reads, with an argument
	Sandbox             bool           // results say so
	ReadOnly            bool           // keeps the reads
	Names               []string       // names; nil is all
	// Callers says that each call brings its own with its context, in place of API
	// and Wallet: one server for many.
	MultiUser bool
	Logger    *slog.Logger
	// Observe is told of each call, and gives it a context; what it returns is told
	// the code that the call ended in, or ok. nil is nobody.
	OnCall           func(ctx context.Context, tool string) (context.Context, func(outcome string))
	ProgressInterval time.Duration // between two notes on the progress of a call; 0 is 5 s
}

// WalletHeader is where a request names the wallet, where one server has many
// callers.
const WalletHeader = "X-Wesendall-Wallet"

// Caller is whose call it is, where one server has many callers.
type Caller struct {
	// ID names the caller in the ledger, and scopes quotes, the rate and prices. It
	// is no secret, and none can be found out from it: a token's name, or what
	// Set.CallerID makes of all the credentials.
	ID     string
	Client guard.API // with the credentials that the caller's calls are made with
	Wallet string
	// Limits are of the caller itself, and only tighten the server's; see
	// guard.Unlimited. With nil its spends are not counted for it besides.
	Limits   *guard.Limits
	ReadOnly bool
}

type callerKey struct{}

// WithCaller says whose calls those with this context are.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerID names a caller by a keyed hash of its credentials, all of them.
func (s *Toolset) CallerID(ctx context.Context, parts ...string) (string, error) {
	return s.guard.CallerID(ctx, parts...)
}

// DeriveKey is one that every process on the same ledger has, for one purpose.
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

	acquireTimeout time.Duration // for how long a call waits for a slot
}

// registeredTool is a tool with its schemas.
type registeredTool struct {
	Tool
	multiUser                 bool // many, each with its own wallet
	inputSchema, outputSchema json.RawMessage
	argNames                  []string                  // of the arguments
	validator                 func() *jsonschema.Schema // made at the first call: it takes longer than the rest of the start
}

// New chooses the tools. It fails on a name that is no tool's.
func New(o Options) (*Toolset, error) {
	s := &Toolset{options: o, running: make(chan struct{}, maxRunning), admitted: make(chan struct{}, maxRunning+maxWaiting), callers: callerSlots{byCaller: map[string]*callerSlot{}}, acquireTimeout: 10 * time.Second}
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
		if o.Names != nil && !slices.Contains(o.Names, t.Name) {
			continue
		}
		inputSchema, outputSchema, argNames := t.buildSchemas(o.Wallet == "" && !o.MultiUser && t.Endpoint.Effect == client.EffectRead)
		s.tools = append(s.tools, registeredTool{t, o.MultiUser, inputSchema, outputSchema, argNames, sync.OnceValue(func() *jsonschema.Schema { return mustCompile(t.Name, inputSchema) })})
	}
	for _, name := range o.Names {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("no tool is called %q; the tools are %s", name, strings.Join(names, ", "))
		}
	}
	return s, nil
}

// Names are the tools that answer, in order.
func (s *Toolset) Names() []string {
	names := make([]string, len(s.tools))
	for i, t := range s.tools {
		names[i] = t.Name
	}
	return names
}

// IsListed tells whether a tool is shown: read-only hides what changes anything,
// and still answers it, for a model may remember it from another server.
func (s *Toolset) IsListed(t Tool) bool {
	return !s.options.ReadOnly || t.Endpoint.Effect == client.EffectRead
}

// LimiterStats is how many calls there are, and may be.
type LimiterStats struct{ Running, MaxRunning, Waiting, MaxWaiting int }

// Stats counts the calls. One that waits for a person's answer is among those that
// wait.
func (s *Toolset) Stats() LimiterStats {
	running := len(s.running)
	return LimiterStats{running, cap(s.running), max(0, len(s.admitted)-running), cap(s.admitted) - cap(s.running)}
}

// LedgerSnapshot reads the ledger for who watches; there is none without an API.
func (s *Toolset) LedgerSnapshot(ctx context.Context) (guard.Snapshot, error) {
	if s.guard == nil {
		return guard.Snapshot{}, errors.New("there is no ledger, since " + s.options.NotConfiguredReason)
	}
	return s.guard.Snapshot(ctx)
}

// Close closes what the guard opened.
func (s *Toolset) Close() error {
	if s.guard == nil {
		return nil
	}
	return s.guard.Close()
}

// IsServed tells whether the tool of a name is served and shown.
func (s *Toolset) IsServed(name string) bool {
	return slices.ContainsFunc(s.tools, func(t registeredTool) bool { return t.Name == name && s.IsListed(t.Tool) })
}
