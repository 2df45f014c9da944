package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	api "github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestCallers_Isolation(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	l := h.useEveryTool(a)
	before := h.snapshot(a)
	for tool, results := range h.tryAccess(b, l, "grp_of_b") {
		for _, r := range results {
			for _, secret := range l.secrets {
				// B may see its own arguments again, in its own quotes and questions.
				if !strings.Contains(l.arguments[tool], secret) && strings.Contains(r.text, secret) &&
					!strings.Contains(secret, "UGX 777") {
					t.Errorf("%s tells B of %q: %s", tool, secret, r.text)
				}
			}
			if r.get("code") == guard.CodeDuplicateSend || strings.Contains(r.text, "repeats") ||
				strings.Contains(r.text, "earlier") {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
	}
	if asked := h.takeQuestions(); strings.Contains(asked, "repeats") || strings.Contains(asked, "54,") || asked == "" {
		t.Error(asked)
	}
	if after := h.snapshot(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.expectUnaffected(a, l)
	if strings.Contains(h.snapshot(b), a.ID) {
		t.Error(h.snapshot(b))
	}
}

func TestCallers_WrongCredentials(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	l := h.useEveryTool(a)
	before := h.snapshot(a)
	bOnA := b
	bOnA.Wallet = walletA
	for code, caller := range map[string]Caller{"invalid_credentials": h.caller("key_a", "ws_secret_of_nobody",
		walletA), "wallet_forbidden": bOnA} {
		for tool, results := range h.tryAccess(caller, l, "grp_1") {
			for _, r := range results {
				if r.get("code") != code || r.get("money") != "not_charged" {
					t.Errorf("%s, %s: %s", code, tool, r.text)
				}
				for _, secret := range l.secrets {
					if strings.Contains(r.text, secret) {
						t.Errorf("%s tells of %q: %s", tool, secret, r.text)
					}
				}
			}
		}
	}
	if asked := h.takeQuestions(); asked != "" {
		t.Error(asked)
	}
	if after := h.snapshot(a); after != before {
		t.Errorf("A had\n%s\nand has\n%s", before, after)
	}
	h.expectUnaffected(a, l)
}

// Another key of the same wallet sees what was sent, but cannot use A's quotes.
func TestCallers_QuotesPerKey(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, _, c := h.callers()
	l := h.useEveryTool(a)
	for tool, arguments := range l.arguments {
		none := h.stateless(c, false).call(tool, arguments+`,"quote":"none"}`, "", "").get("message")
		for _, id := range l.quotes[tool] {
			for _, r := range []toolResult{
				h.stateless(c, false).call(tool, arguments+`,"quote":"`+id+`"}`, "", ""),
				h.stateless(c, true).call(tool, arguments+`}`, id, "accept"),
				h.callAs(c, tool, arguments+`,"quote":"`+id+`"}`),
			} {
				if r.get("message") != none || !strings.Contains(none, "there is no such quote") {
					t.Errorf("%s: %s", tool, r.text)
				}
			}
			if r := h.stateless(c, true).call(tool, arguments+`}`, id, "decline"); r.get("code") != guard.CodeDeclined {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		r := h.callAs(c, tool, arguments+`}`)
		if r.get("code") != guard.CodeDuplicateSend {
			t.Errorf("%s: %s", tool, r.text)
		}
		r.text += h.stateless(c, true).call(tool, arguments+`,"allow_duplicate":true}`, "", "").text +
			h.stateless(c, false).call(tool, arguments+`,"dry_run":true,"allow_duplicate":true}`, "", "").text
		for _, id := range append(l.quotes[tool], a.ID) {
			if strings.Contains(r.text, id) {
				t.Errorf("%s hands out %s: %s", tool, id, r.text)
			}
		}
	}
	h.expectUnaffected(a, l)
}

func TestCallers_WalletHeader(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, func(o *Options) { o.Wallet = "" })
	a, _, _ := h.callers()
	none := a
	none.Wallet = ""
	unnamed := a
	unnamed.ID = ""
	for tool, arguments := range validArguments {
		for _, wallet := range []string{walletA, walletB} {
			given := strings.Replace(strings.Replace(arguments, "{", `{"walletId":"`+wallet+`",`, 1), ",}", "}", 1)
			if r := h.callAs(a, tool, given); r.get("code") != guard.CodeInvalidArguments ||
				!strings.Contains(r.get("message"), `unknown argument "walletId"`) || !strings.Contains(r.text, WalletHeader) {
				t.Errorf("%s: %s", tool, r.text)
			}
		}
		for what, r := range map[string]toolResult{
			"no wallet": h.callAs(none, tool, arguments), "no caller": h.call(t.Context(), tool, arguments),
			"no id": h.callAs(unnamed, tool, arguments), "no API": h.callAs(Caller{ID: "x", Wallet: walletA}, tool, arguments),
		} {
			if r.get("code") != guard.CodeNotConfigured || !strings.Contains(r.text, WalletHeader) ||
				strings.Contains(r.text, "WESENDALL_") {
				t.Errorf("%s, %s: %s", tool, what, r.text)
			}
		}
	}
	for _, t := range h.toolset.tools {
		if strings.Contains(string(t.inputSchema), walletIDParam) {
			h.Errorf("%s has the wallet in its schema", t.Name)
		}
	}
	if r := h.callAs(a, "get_balance", `{}`); r.isError || !strings.Contains(r.text, walletA) {
		t.Error(r.text)
	}
}

func TestCallers_ReadOnlyToken(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, nil)
	a, b, _ := h.callers()
	before := h.snapshot(a)
	reader := a
	reader.ReadOnly = true
	for _, tool := range h.toolset.tools {
		arguments := validArguments[tool.Name]
		r := h.callAs(reader, tool.Name, arguments)
		if reads := tool.Endpoint.Effect == api.EffectRead; reads == r.isError ||
			!reads && r.get("code") != guard.CodeReadOnly {
			t.Errorf("%s: %s", tool.Name, r.text)
		}
		if !h.toolset.IsServed(tool.Name) {
			t.Errorf("%s is not listed", tool.Name)
		}
	}
	if h.snapshot(a) != before {
		t.Error(h.snapshot(a))
	}
	if r := h.callAs(b, "create_group", `{"title":"T"}`); r.isError {
		t.Error(r.text)
	}
}

func TestCallers_TokenLimits(t *testing.T) {
	t.Parallel()
	h := newMultiUserEnv(t, func(o *Options) { o.GuardOptions.Limits.ConfirmAbove = 1000 })
	a, _, _ := h.callers()
	limits := guard.Unlimited()
	limits.PerDay = 35
	a.ID, a.Limits = "clinic", &limits
	if r := h.callAs(a, "send_sms", validArguments["send_sms"]); r.isError || !strings.Contains(r.text, "allows UGX 0 more") {
		t.Error(r.text)
	}
	if r := h.callAs(a, "send_sms",
		`{"recipient":"0700000011","message":"Ho"}`); r.get("code") != guard.CodeLimitExceeded ||
		!strings.Contains(r.text, "of this token") {
		t.Error(r.text)
	}
	spends, err := h.ledger.List(t.Context(), time.Time{})
	if err != nil || len(spends) != 1 || spends[0].Caller != "clinic" {
		t.Errorf("%+v, %v", spends, err)
	}
	text, err := json.Marshal(spends[0])
	if err != nil || !strings.Contains(string(text), `"caller":"clinic"`) {
		t.Errorf("%s, %v", text, err)
	}
}
