package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// The tools' names. Each of the eight endpoints has the name of the tool that calls it.
const (
	ToolGetBalance     = "get_balance"
	ToolTopUpWallet    = "topup_wallet"
	ToolSendSMS        = "send_sms"
	ToolSendGroupSMS   = "send_group_sms"
	ToolListSMSHistory = "list_sms_history"
	ToolListGroups     = "list_groups"
	ToolCreateGroup    = "create_group"
	ToolAddContacts    = "add_contacts"
)

// Where a parameter goes.
const (
	ParamInPath  = "path"
	ParamInQuery = "query"
	ParamInBody  = "body"
)

// Effect is what a call changes, and with that whether it may be repeated.
type Effect string

// The effects, from harmless to costly.
const (
	EffectRead            Effect = "reads"   // changes nothing
	EffectIdempotentWrite Effect = "adds"    // changes something once, however often it is repeated
	EffectCreate          Effect = "creates" // makes one more of something each time
	EffectSpend           Effect = "spends"  // moves money each time
)

// Endpoint is one of the API's endpoints as Wesendall documents it.
type Endpoint struct {
	Name    string // of the tool that calls it
	Method  string
	Path    string // with path parameters in braces
	Summary string
	Effect  Effect
	Params  []Param
	// ExampleResponse is the data of a success; nil if the documents do not show it.
	ExampleResponse json.RawMessage
}

// Param is one parameter of an endpoint.
type Param struct {
	Name        string
	Location    string // ParamInPath, ParamInQuery or ParamInBody
	Type        string // as documented: string, number or array
	Required    bool
	Description string
	Example     any
	// Min and Max limit the value of a number, the UTF-16 code units of a string and
	// the items of an array. 0 is no limit.
	Min, Max int64
	Default  int64 // of a number; 0 is none
}

func walletIDParam(location string) Param {
	return Param{
		Name: "walletId", Location: location, Type: "string", Required: true, Min: 1,
		Description: "The wallet's id, shown beside the API keys.",
		Example:     "wal_sandbox",
	}
}

func messageParam(example string) Param {
	return Param{
		Name: "message", Location: ParamInBody, Type: "string", Required: true, Min: 1, Max: MaxMessageLength,
		Description: fmt.Sprintf("The text, up to %d UTF-16 code units; each %d begun are one billed unit.",
			MaxMessageLength, UnitSize),
		Example: example,
	}
}

func groupIDParam(location string) Param {
	return Param{
		Name: "groupId", Location: location, Type: "string", Required: true, Min: 1,
		Description: "The id of a saved group.", Example: "grp_customers",
	}
}

// The eight endpoints. Their limits are the documented ones. Where the documents
// have no minimum and an empty value makes no sense, it is 1.
var (
	endpointGetBalance = Endpoint{
		Name: ToolGetBalance, Method: http.MethodGet, Path: apiRoot + "/account/balance", Effect: EffectRead,
		Summary:         "The wallet's balance, its currency and the cost of one SMS unit.",
		Params:          []Param{walletIDParam(ParamInQuery)},
		ExampleResponse: json.RawMessage(`{"wallet_id":"wal_sandbox","balance":5000,"currency":"UGX","cost_per_sms":35}`),
	}
	endpointTopUpWallet = Endpoint{
		Name: ToolTopUpWallet, Method: http.MethodPost, Path: apiRoot + "/account/topup", Effect: EffectSpend,
		Summary: "Charges a Mobile Money account; the wallet is credited when the payer approves on the phone.",
		Params: []Param{
			walletIDParam(ParamInBody),
			{
				Name: "amount", Location: ParamInBody, Type: "number", Required: true, Min: minTopUpUGX, Max: maxTopUpUGX,
				Description: "Amount in UGX, 500 to 10,000,000.", Example: 5000,
			},
			{
				Name: "phone_number", Location: ParamInBody, Type: "string", Required: true, Min: 1,
				Description: "The payer's phone: +256…, 256… or 0XXXXXXXXX.", Example: "+256700000010",
			},
			{
				Name: "description", Location: ParamInBody, Type: "string",
				Description: "What the payment is for.", Example: "Wallet top-up",
			},
		},
	}
	endpointSendSMS = Endpoint{
		Name: ToolSendSMS, Method: http.MethodPost, Path: apiRoot + "/sms/send", Effect: EffectSpend,
		Summary: "Sends one message to one number or to many.",
		Params: []Param{
			walletIDParam(ParamInBody),
			messageParam("Hello from Kampala"),
			{
				Name: "recipient", Location: ParamInBody, Type: "string", Required: true, Min: 1,
				Description: "One phone number, an array of them, or a list separated by commas or spaces.",
				Example:     []string{"+256700000010", "+256700000011"},
			},
		},
	}
	endpointSendGroupSMS = Endpoint{
		Name: ToolSendGroupSMS, Method: http.MethodPost, Path: apiRoot + "/sms/group", Effect: EffectSpend,
		Summary: "Sends one message to every contact of a saved group.",
		Params:  []Param{walletIDParam(ParamInBody), groupIDParam(ParamInBody), messageParam("Market day is on Friday")},
	}
	endpointListSMSHistory = Endpoint{
		Name: ToolListSMSHistory, Method: http.MethodGet, Path: apiRoot + "/sms/history", Effect: EffectRead,
		Summary: "What the wallet has sent, a page at a time.",
		Params: []Param{
			walletIDParam(ParamInQuery),
			{
				Name: "page", Location: ParamInQuery, Type: "number", Min: 1, Default: 1,
				Description: "Page number, from 1.", Example: 1,
			},
			{
				Name: "per_page", Location: ParamInQuery, Type: "number", Min: 1, Max: maxPerPage, Default: defaultPerPage,
				Description: "Results on a page, 1 to 100.", Example: 20,
			},
		},
	}
	endpointListGroups = Endpoint{
		Name: ToolListGroups, Method: http.MethodGet, Path: apiRoot + "/groups", Effect: EffectRead,
		Summary: "The wallet's contact groups, with how many contacts each has.",
		Params:  []Param{walletIDParam(ParamInQuery)},
	}
	endpointCreateGroup = Endpoint{
		Name: ToolCreateGroup, Method: http.MethodPost, Path: apiRoot + "/groups", Effect: EffectCreate,
		Summary: "Creates an empty contact group.",
		Params: []Param{
			walletIDParam(ParamInBody),
			{
				Name: "title", Location: ParamInBody, Type: "string", Required: true, Min: 1, Max: maxGroupTitleLength,
				Description: "The group's title, 1 to 120 UTF-16 code units.", Example: "Customers",
			},
			{
				Name: "description", Location: ParamInBody, Type: "string",
				Description: "What the group is for.", Example: "Everyone who buys on market days",
			},
		},
	}
	endpointAddContacts = Endpoint{
		Name: ToolAddContacts, Method: http.MethodPost, Path: apiRoot + "/groups/{groupId}/contacts",
		Effect:  EffectIdempotentWrite,
		Summary: "Adds contacts to a group; numbers that it already has are skipped silently.",
		Params: []Param{
			groupIDParam(ParamInPath),
			walletIDParam(ParamInBody),
			{
				Name: "contacts", Location: ParamInBody, Type: "array", Required: true, Min: 1,
				Description: "Objects with phone and, if known, name.",
				Example:     []Contact{{Phone: "+256700000010", Name: "Sarah"}, {Phone: "+256700000011"}},
			},
		},
	}
)

// FindEndpoint returns the endpoint of a tool.
func FindEndpoint(tool string) (Endpoint, bool) {
	endpoints := Endpoints()
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == tool })
	if i < 0 {
		return Endpoint{}, false
	}
	return endpoints[i], true
}

// Endpoints returns the eight endpoints in the order of the documents.
func Endpoints() []Endpoint {
	return []Endpoint{
		endpointGetBalance, endpointTopUpWallet, endpointSendSMS, endpointSendGroupSMS,
		endpointListSMSHistory, endpointListGroups, endpointCreateGroup, endpointAddContacts,
	}
}
