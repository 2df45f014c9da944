package reference

import (
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
)

// RetryAdvice returns what a program should do about a documented code of an endpoint. It is
// Wesendall's retry column, made safe for money.
func RetryAdvice(c client.ErrorCode, e client.Endpoint) string {
	repeatable := e.Effect == client.EffectRead || e.Effect == client.EffectIdempotentWrite
	switch {
	case c.Advice == client.RetryNever:
		return "Stop, and tell the operator."
	case c.Advice == client.RetryAfterTopUp:
		return "Nothing was sent. Top the wallet up, then call again."
	case c.Advice == client.RetryAfterFix:
		return "Nothing was done. Fix the request; the same one fails again."
	case repeatable:
		return "Repeat once, after about half a second."
	case c.Money == client.MoneyRefunded && e.Name == client.ToolSendSMS:
		return "Refunded. One recipient: repeat once. " +
			"Several: some may have got it, so a person looks at the history first."
	case c.Money == client.MoneyRefunded && e.Name == client.ToolSendGroupSMS:
		return "Refunded. Some of the group may have got it: a person looks at the history before it is sent again."
	case e.Effect == client.EffectSpend:
		return "Outcome unknown. Never repeat automatically. " + VerifyAdvice(e)
	default:
		return "Outcome unknown. " + VerifyAdvice(e)
	}
}

// SummaryAdvice returns the advice about a code in one line, for all endpoints together.
func SummaryAdvice(c client.ErrorCode, endpoints []client.Endpoint) string {
	var advice []string
	repeatableCalls := "A GET"
	for _, e := range endpoints {
		if !slices.Contains(EndpointCodes(e), c) {
			continue
		}
		if e.Effect == client.EffectIdempotentWrite {
			repeatableCalls = "A GET, or adding contacts"
		}
		if line := RetryAdvice(c, e); !slices.Contains(advice, line) {
			advice = append(advice, line)
		}
	}
	switch {
	case len(advice) == 1:
		return advice[0]
	case c.Money == client.MoneyUnknown:
		return repeatableCalls + ": repeat once. All else: outcome unknown; never repeat."
	default: // a send to numbers and one to a group
		return "Refunded. One recipient: repeat once. " +
			"Several, or a group: some may have got it, so a person looks at the history first."
	}
}

// VerifyAdvice returns how to find out whether a call of unknown outcome happened.
func VerifyAdvice(e client.Endpoint) string {
	switch {
	case e.Name == client.ToolTopUpWallet:
		return "Read the balance, and ask the payer what the phone shows."
	case e.Effect == client.EffectCreate:
		return "List the groups before creating it again."
	default:
		return "Look at the history and the balance first."
	}
}

// EndpointCodes returns the documented codes that a call of an endpoint may fail with.
// Wesendall does not say which; their meaning does: only a send can lack balance or be refused
// by the provider.
func EndpointCodes(e client.Endpoint) []client.ErrorCode {
	sends := e.Name == client.ToolSendSMS || e.Name == client.ToolSendGroupSMS
	return slices.DeleteFunc(client.ErrorCodes(), func(c client.ErrorCode) bool {
		return !sends && (c.Advice == client.RetryAfterTopUp || c.Money == client.MoneyRefunded)
	})
}
