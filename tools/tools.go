// Package tools has the eight tools: one inventory, one file a family, and one
// adapter that makes an MCP tool of a typed Go function.
//
// It checks and decodes what a model wrote, calls the guard, and writes down
// what came, for a model to read. It knows nothing of transports, and it must
// never write an argument to the log.
package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/guard"
)

// Tool is one endpoint as a tool.
type Tool struct {
	Name, Title string
	// Description is for a model: when to use the tool, what it costs, what it
	// must not assume. It stands alone, for some hosts drop the instructions.
	Description string
	Endpoint    client.Endpoint // its parameters are the tool's arguments

	in, out reflect.Type
	run     func(context.Context, *call, json.RawMessage) (any, error)
}

// Hints are the four annotations of the protocol.
type Hints struct{ ReadOnly, Destructive, Idempotent, OpenWorld bool }

// Hints follow from what the endpoint does. Some hosts run whatever is read-only
// without asking, so nothing that changes anything is.
func (t Tool) Hints() Hints {
	switch t.Endpoint.Effect {
	case client.Reads:
		return Hints{ReadOnly: true, Idempotent: true}
	case client.Adds:
		return Hints{Idempotent: true}
	case client.Creates:
		return Hints{}
	default: // real phones and real money
		return Hints{Destructive: true, OpenWorld: true}
	}
}

// Inventory is every tool, in the documents' order.
func Inventory() []Tool {
	return []Tool{
		balance(), topUp(), send(), sendGroup(), history(), groups(), createGroup(), addContacts(),
	}
}

// define makes a tool of a function. In is the request of the client, whose
// JSON names are the arguments; Out is a Result with what else is derived.
func define[In, Out any](name, title, description string, run func(context.Context, *call, In) (Out, error)) Tool {
	endpoints := client.Endpoints()
	at := slices.IndexFunc(endpoints, func(e client.Endpoint) bool { return e.Name == name })
	return Tool{
		Name: name, Title: title, Description: description, Endpoint: endpoints[at],
		in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		run: func(ctx context.Context, c *call, args json.RawMessage) (any, error) {
			var in In
			if err := json.Unmarshal(args, &in); err != nil {
				// What is of the right kind, and yet does not fit.
				fault := "arguments: " + err.Error()
				if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
					fault = wrong.Field + ": is a number that is too large"
				}
				return nil, guard.Fail(guard.InvalidArguments, "Nothing was sent. "+fault)
			}
			return run(ctx, c, in)
		},
	}
}

// Options say which tools are served, and on what.
type Options struct {
	API      guard.API      // nil answers not_configured
	Guard    *guard.Options // nil is its defaults
	Missing  string         // what must be set, where API is nil
	Wallet   string         // pins the wallet; "" leaves only the reads, with an argument
	Sandbox  bool           // results say so
	ReadOnly bool           // keeps the reads
	Only     []string       // names; nil is all
	// Callers says that each call brings its own with its context, in place of API
	// and Wallet: one server for many.
	Callers bool
	Log     *slog.Logger
	// Observe is told of each call, and gives it a context; what it returns is told
	// the code that the call ended in, or ok. nil is nobody.
	Observe func(ctx context.Context, tool string) (context.Context, func(outcome string))
	Pace    time.Duration // between two notes on the progress of a call; 0 is 5 s
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
	API    guard.API // with the credentials that the caller's calls are made with
	Wallet string
	// Limits are of the caller itself, and only tighten the server's; see
	// guard.NoLimits. With nil its spends are not counted for it besides.
	Limits   *guard.Limits
	ReadOnly bool
}

type callerKey struct{}

// WithCaller says whose calls those with this context are.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerID names a caller by a keyed hash of its credentials, all of them.
func (s *Set) CallerID(ctx context.Context, parts ...string) (string, error) {
	return s.guard.CallerID(ctx, parts...)
}

// Key is one that every process on the same ledger has, for one purpose.
func (s *Set) Key(ctx context.Context, purpose string) ([]byte, error) {
	return s.guard.Key(ctx, purpose)
}

// Set is the tools as they are served. It is safe for concurrent use.
type Set struct {
	options Options
	guard   *guard.Guard
	served  []served
	slots   chan struct{}
	queue   chan struct{}
	shares  shares

	patience time.Duration // for how long a call waits for a slot
}

// served is a tool with its schemas.
type served struct {
	Tool
	callers       bool // many, each with its own wallet
	input, output json.RawMessage
	names         []string                  // of the arguments
	schema        func() *jsonschema.Schema // made at the first call: it takes longer than the rest of the start
}

// New chooses the tools. It fails on a name that is no tool's.
func New(o Options) (*Set, error) {
	s := &Set{options: o, slots: make(chan struct{}, atOnce), queue: make(chan struct{}, atOnce+waiting), shares: shares{of: map[string]*share{}}, patience: 10 * time.Second}
	if o.API != nil || o.Callers {
		if o.Guard == nil {
			defaults := guard.Defaults()
			o.Guard = &defaults
		}
		s.guard = guard.New(o.API, *o.Guard)
	}
	var names []string
	for _, t := range Inventory() {
		names = append(names, t.Name)
		if o.Only != nil && !slices.Contains(o.Only, t.Name) {
			continue
		}
		input, output, arguments := t.schemas(o.Wallet == "" && !o.Callers && t.Endpoint.Effect == client.Reads)
		s.served = append(s.served, served{t, o.Callers, input, output, arguments, sync.OnceValue(func() *jsonschema.Schema { return compile(t.Name, input) })})
	}
	for _, name := range o.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("no tool is called %q; the tools are %s", name, strings.Join(names, ", "))
		}
	}
	return s, nil
}

// Names are the tools that answer, in order.
func (s *Set) Names() []string {
	names := make([]string, len(s.served))
	for i, t := range s.served {
		names[i] = t.Name
	}
	return names
}

// Listed tells whether a tool is shown: read-only hides what changes anything,
// and still answers it, for a model may remember it from another server.
func (s *Set) Listed(t Tool) bool { return !s.options.ReadOnly || t.Endpoint.Effect == client.Reads }

// Load is how many calls there are, and may be.
type Load struct{ Running, MostRunning, Waiting, MostWaiting int }

// Load counts the calls. One that waits for a person's answer is among those that
// wait.
func (s *Set) Load() Load {
	running := len(s.slots)
	return Load{running, cap(s.slots), max(0, len(s.queue)-running), cap(s.queue) - cap(s.slots)}
}

// Watch reads the ledger for who watches; there is none without an API.
func (s *Set) Watch(ctx context.Context) (guard.Watched, error) {
	if s.guard == nil {
		return guard.Watched{}, errors.New("there is no ledger, since " + s.options.Missing)
	}
	return s.guard.Watch(ctx)
}

// Close closes what the guard opened.
func (s *Set) Close() error {
	if s.guard == nil {
		return nil
	}
	return s.guard.Close()
}

// Shows tells whether the tool of a name is served and shown.
func (s *Set) Shows(name string) bool {
	return slices.ContainsFunc(s.served, func(t served) bool { return t.Name == name && s.Listed(t.Tool) })
}
