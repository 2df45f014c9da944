package guard

import "time"

// ForCaller returns a guard for one of many callers. It shares limits and ledger,
// but has its own quotes, prices and rate. The id names the caller in the ledger:
// it must be made of all credentials, the secret included.
//
// The caller's own limits only tighten the operator's. What it spends is counted
// for it from the first call with such limits, so a caller that may ever have some
// always has them, at least Unlimited.
func (g *Guard) ForCaller(api API, id string, limits *Limits) *Guard {
	bound := *g
	bound.api, bound.callerID, bound.callerLimits = api, id, limits
	return &bound
}

// Unlimited is a caller's limits that tighten nothing.
func Unlimited() Limits {
	const unlimited = 1 << 53
	return Limits{PerCall: unlimited, PerDay: unlimited, TopUp: unlimited, Recipients: 1 << 30, ConfirmAbove: unlimited}
}

// CallerLimitName is the name of a caller's own limit, which no setting has.
const CallerLimitName = "the limit of this token"

// maxRecipients is how many recipients one call may reach, and the limit's name.
func (g *Guard) maxRecipients() (maxCount int, limitName string) {
	if maxCount = g.options.Limits.Recipients; g.callerLimits != nil && g.callerLimits.Recipients < maxCount {
		return g.callerLimits.Recipients, CallerLimitName
	}
	return maxCount, "WESENDALL_MAX_RECIPIENTS"
}

func (g *Guard) effectiveDuplicateWindow() time.Duration {
	if g.callerLimits == nil {
		return g.options.Limits.DuplicateWindow
	}
	return max(g.callerLimits.DuplicateWindow, g.options.Limits.DuplicateWindow)
}
