package client

import (
	"net/http"
	"strings"
	"testing"
)

func TestError_MoneyState(t *testing.T) {
	t.Parallel()
	const spends = "topup_wallet, send_sms to one, send_sms to several, send_group_sms"
	const free = "get_balance, list_sms_history, list_groups, add_contacts"
	for _, c := range []struct {
		name, calls string
		answer      http.HandlerFunc
		money       MoneyState
		retry       RetryAdvice
		unknown     bool
	}{
		{"bad credentials", spends + ", create_group, " + free, respondWithCode(401, "invalid_credentials"), MoneyNotCharged,
			RetryNever, false},
		{"a revoked key", spends + ", create_group, " + free, respondWithCode(401, "key_revoked"), MoneyNotCharged,
			RetryNever, false},
		{"another's wallet", spends + ", create_group, " + free, respondWithCode(403, "wallet_forbidden"), MoneyNotCharged,
			RetryNever, false},
		{"an empty wallet", spends + ", create_group, " + free, respondWithCode(402, "insufficient_balance"), MoneyNotCharged,
			RetryAfterTopUp, false},
		{"a refused value", spends + ", create_group, " + free, respondWithCode(422, "validation_failed"), MoneyNotCharged,
			RetryAfterFix, false},
		{"a refusal by the provider, one number", "send_sms to one", respondWithCode(502, "send_failed"), MoneyRefunded,
			RetryLater, false},
		{"a refusal by the provider, several", "send_sms to several, send_sms to a list, send_group_sms",
			respondWithCode(502, "send_failed"), MoneyRefunded, RetryCheckFirst, false},
		{"a refused charge, of which nothing is documented", "topup_wallet", respondWithCode(502, "send_failed"),
			MoneyUnknown, RetryCheckFirst, true},
		{"an internal error", spends, respondWithCode(500, "internal_error"), MoneyUnknown, RetryCheckFirst, true},
		{"a known code under another status", spends, respondWithCode(422, "insufficient_balance"), MoneyUnknown,
			RetryCheckFirst, true},
		{"a 402 without a code", spends, respondWith(402, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 422 with a code of its own", spends, respondWithCode(422, "too_strange"), MoneyUnknown, RetryCheckFirst, true},
		{"too many requests", spends, respondWith(429, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 502 that is no JSON", spends, respondWith(502, "Bad gateway"), MoneyUnknown, RetryCheckFirst, true},
		{"a redirect", spends, respondWith(302, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a 404", spends, respondWith(404, ""), MoneyUnknown, RetryCheckFirst, true},
		{"a success that cannot be read", spends, respondWith(200, "{"), MoneyUnknown, RetryCheckFirst, true},
		{"a success that says false", spends, respondWithCode(200, "insufficient_balance"), MoneyUnknown, RetryCheckFirst,
			true},
		{"a lost connection", spends, dropConnection, MoneyUnknown, RetryCheckFirst, true},
		{"an internal error", "create_group", respondWithCode(500, "internal_error"), MoneyNotCharged, RetryCheckFirst, true},
		{"a lost connection", "create_group", dropConnection, MoneyNotCharged, RetryCheckFirst, true},
		{"an internal error", free, respondWithCode(500, "internal_error"), MoneyNotCharged, RetryLater, false},
		{"too many requests", free, respondWith(429, ""), MoneyNotCharged, RetryLater, false},
		{"a lost connection", free, dropConnection, MoneyNotCharged, RetryLater, false},
		{"a 404", free, respondWith(404, ""), MoneyNotCharged, RetryNever, false},
		{"a redirect", free, respondWith(302, ""), MoneyNotCharged, RetryNever, false},
		{"a success that cannot be read", free, respondWith(200, "{"), MoneyNotCharged, RetryNever, false},
	} {
		for call := range strings.SplitSeq(c.calls, ", ") {
			t.Run(c.name+", "+call, func(t *testing.T) {
				t.Parallel()
				e := newTestEnv(t, c.answer).expectError(t, call)
				if e.Money != c.money || e.Advice != c.retry || e.OutcomeUnknown() != c.unknown {
					t.Errorf("%s, %s, unknown %v: %v", e.Money, e.Advice, e.OutcomeUnknown(), e)
				}
			})
		}
	}
}
