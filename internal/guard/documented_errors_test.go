package guard

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

// An error that the caller cannot fix says who can, and that other calls fail too.
func TestDocumentedErrors_WhoFixes(t *testing.T) {
	t.Parallel()
	const alsoOthers = "every other call will fail too"
	for code, c := range map[string]struct {
		status int
		says   []string
	}{
		"invalid_credentials": {401, []string{"the one who set them must correct them", "wesendall-mcp doctor"}},
		"key_revoked":         {401, []string{"must make a new key", "must replace it"}},
		"wallet_forbidden":    {403, []string{"does not belong to this wallet", "WESENDALL_WALLET_ID"}},
	} {
		for _, call := range []string{"get_balance", "send_sms", "topup_wallet", "create_group"} {
			e := expectToolError(t, newTestGuard(t, respondWith(c.status, code)), call)
			for _, text := range append(c.says, alsoOthers) {
				if !strings.Contains(e.Message, text) {
					t.Errorf("%s of %s: %q is not in %q", code, call, text, e.Message)
				}
			}
			if e.Retry != client.RetryNever {
				t.Errorf("%s: %s", code, e.Retry)
			}
		}
	}
}

// expectAnswer is expectError for what Wesendall answers to a request that left.
func (env *testEnv) expectAnswer(code string) func(*Receipt, *Error) expectedError {
	return func(_ *Receipt, failure *Error) expectedError {
		env.Helper()
		if failure == nil || failure.Code != code {
			env.Fatalf("want %s: %v", code, failure)
		}
		return expectedError{failure, env.TB}
	}
}

// A refunded send says how long to wait, and that allow_duplicate is not needed; and
// the repeat works without it.
func TestSendFailed_SaysHowToRepeat(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	retryAfter := ""
	env.setFault(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodPost {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			respondWith(http.StatusBadGateway, client.CodeSendFailed)(w, q)
			return
		}
		pass(w)
	})
	env.expectAnswer(client.CodeSendFailed)(env.send("Hi", SpendOptions{}, phone1)).
		says("It was tried 2 times", "Wait 60 seconds", "once more", "needs no allow_duplicate")
	env.expectAnswer(client.CodeSendFailed)(env.send("Hi", SpendOptions{}, phone1, phone2)).
		says("look at list_sms_history before", "needs no allow_duplicate")
	retryAfter = "90"
	env.expectAnswer(client.CodeSendFailed)(env.send("Hi", SpendOptions{}, phone1)).says("Wait 90 seconds")
	env.setFault(nil)
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
}

// A wallet that holds too little: the figures as fields and in the sentence, whatever
// the wallet held when the price was read.
func TestInsufficientBalance_Figures(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 100, nil)
	e := env.expectAnswer(client.CodeInsufficientBalance)(env.send("Hi", SpendOptions{}, phone1, phone2, phone3))
	e.says("It takes about UGX 105, the wallet holds UGX 100, and UGX 5 are missing", "ask before topup_wallet")
	if e.NeededUGX != 105 || e.HeldUGX == nil || *e.HeldUGX != 100 || e.MissingUGX != 5 || e.NextTool != "topup_wallet" {
		t.Errorf("%+v", e.Error)
	}
	quote := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1, phone2, phone3)).Quote
	if quote.WouldRefuse == nil || !strings.Contains(quote.WouldRefuse.Reason, "UGX 5 are missing") {
		t.Errorf("%+v", quote.WouldRefuse)
	}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1)) // nothing was counted
}

// What a user must decide has a retry value of its own.
func TestRetry_AfterUserAndSettled(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 100_000, nil)
	if e := env.expectError(CodeConfirmationRequired)(env.topUp(500, SpendOptions{}, phone1)); e.Retry != "after_user_agrees" {
		t.Error(e.Retry)
	}
	env.loseTopUp(500)
	e := env.expectError(CodeDuplicateSend)(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	if e.Retry != "after_settled" {
		t.Error(e.Retry)
	}
	env.expectOK(env.send("Hi", SpendOptions{}, phone1))
	if e := env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1)); e.Retry != "check_first" {
		t.Error(e.Retry)
	}
}
