// Package tools holds the inventory of tools. A tool is a typed Go function and
// one declaration; the package makes an MCP tool of it: schemas, decoding and
// validation of arguments, limits on running calls, and results.
//
// It knows no transport, and it must never log an argument.
package tools

import (
	"context"
	"reflect"
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// Tool is one endpoint as a tool.
type Tool struct {
	Name, Title string
	// Description is for a model: when to use the tool, what it costs, what it
	// must not assume. It stands by itself, because some hosts drop the
	// server's instructions.
	Description string
	Endpoint    client.Endpoint // its parameters are the tool's arguments

	inputType, outputType reflect.Type
	run                   func(ctx context.Context, inv *invocation, args map[string]any) (any, error)
}

// Annotations are the four annotations of the protocol.
type Annotations struct{ ReadOnly, Destructive, Idempotent, OpenWorld bool }

// Annotations follow from the endpoint's effect. Some hosts run read-only tools
// without asking the user, so a tool that changes anything is never read-only.
func (t Tool) Annotations() Annotations {
	switch t.Endpoint.Effect {
	case client.EffectRead:
		return Annotations{ReadOnly: true, Idempotent: true}
	case client.EffectIdempotentWrite:
		return Annotations{Idempotent: true}
	case client.EffectCreate:
		return Annotations{}
	default: // real phones and real money
		return Annotations{Destructive: true, OpenWorld: true}
	}
}

// AllTools returns every tool, in the order of the documents. Each family
// declares its tools at the head of its own file.
func AllTools() []Tool {
	return slices.Concat(accountTools(), smsTools(), groupTools())
}

// newTool makes a tool of a function. In is the request of the client, its JSON
// names are the arguments. Out is a Result, possibly with more fields.
func newTool[In, Out any](
	name, title, description string, run func(context.Context, *invocation, In) (Out, error),
) Tool {
	endpoint, _ := client.FindEndpoint(name)
	return Tool{
		Name: name, Title: title, Description: description, Endpoint: endpoint,
		inputType: reflect.TypeFor[In](), outputType: reflect.TypeFor[Out](),
		run: func(ctx context.Context, inv *invocation, args map[string]any) (any, error) {
			var in In
			if err := fillStruct(reflect.ValueOf(&in).Elem(), args); err != nil {
				return nil, guard.NewError(guard.CodeInvalidArguments, "Nothing was sent. "+err.Error())
			}
			return run(ctx, inv, in)
		},
	}
}
