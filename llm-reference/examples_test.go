package reference_test

import (
	"cmp"
	"encoding/json"
	"go/format"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// expectedEffects checks what each endpoint's example leaves in a new sandbox with UGX 5,000, or
// answers.
var expectedEffects = map[string]func(*testing.T, *sampletest.Sandbox, string){
	"get_balance": func(t *testing.T, _ *sampletest.Sandbox, out string) {
		expectContains(t, out, `"balance"`, `5000`, `"cost_per_sms"`)
	},
	"topup_wallet": func(t *testing.T, a *sampletest.Sandbox, _ string) {
		if got := balance(t, a); got != 10000 {
			t.Errorf("the wallet holds %d", got)
		}
	},
	"send_sms": func(t *testing.T, a *sampletest.Sandbox, _ string) {
		expectSent(t, a, 2, "Hello from Kampala", "+256700000011")
	},
	"send_group_sms": func(t *testing.T, a *sampletest.Sandbox, _ string) {
		expectSent(t, a, 2, "Market day is on Friday", "+256700000013")
	},
	"list_sms_history": func(t *testing.T, _ *sampletest.Sandbox, out string) {
		expectContains(t, out, `"messages"`, `"per_page"`, `20`)
	},
	"list_groups": func(t *testing.T, _ *sampletest.Sandbox, out string) { expectContains(t, out, `"grp_customers"`) },
	"create_group": func(t *testing.T, a *sampletest.Sandbox, _ string) {
		expectContains(t, groupsJSON(t, a), `"description":"Everyone who buys on market days"`)
	},
	"add_contacts": func(t *testing.T, a *sampletest.Sandbox, _ string) {
		expectContains(t, groupsJSON(t, a), `"contact_count":4`)
	},
}

func expectContains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func balance(t *testing.T, a *sampletest.Sandbox) (balance int64) {
	t.Helper()
	r, err := a.Client.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Balance int64 }
	if err := json.Unmarshal(r.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data.Balance
}

// expectSent expects messages in the history, each charged once, with these texts.
func expectSent(t *testing.T, a *sampletest.Sandbox, count int64, wants ...string) {
	t.Helper()
	r, err := a.Client.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	if got := balance(t, a); got != 5000-count*sandbox.CostPerSMS {
		t.Errorf("the wallet holds %d", got)
	}
	expectContains(t, string(r.Data), wants...)
}

func groupsJSON(t *testing.T, a *sampletest.Sandbox) string {
	t.Helper()
	r, err := a.Client.Groups(t.Context(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Data)
}

// endpointsToRun returns the endpoints whose samples are run in the language with
// this index, and whether with every undocumented body too. That is all of them in
// CI. Elsewhere it is send_sms and one or two others, so that each language and
// each endpoint runs.
func endpointsToRun(language int) map[string]bool {
	endpoints := map[string]bool{client.ToolSendSMS: sampletest.RunAll()}
	for i, e := range client.Endpoints() {
		if sampletest.RunAll() || i%len(reference.Languages()) == language {
			endpoints[e.Name] = true
		}
	}
	return endpoints
}

// Every sample makes one request, however the call ends.
func TestSamples_Run(t *testing.T) {
	t.Parallel()
	d := reference.New()
	var mu sync.Mutex
	ran := map[string]bool{}
	t.Cleanup(func() {
		want := 0
		for i, l := range reference.Languages() {
			if missing, checked := ran[l.Name]; checked && !missing {
				want += len(endpointsToRun(i))
				delete(ran, l.Name)
			}
		}
		if len(ran) != want {
			t.Errorf("%d samples were run, want %d: %v", len(ran), want, slices.Sorted(maps.Keys(ran)))
		}
	})
	for i, l := range reference.Languages() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			sampletest.SkipUnlessInstalled(t, l.Name)
			mu.Lock()
			ran[l.Name] = false
			mu.Unlock()
			endpoints := endpointsToRun(i)
			for _, e := range client.Endpoints() {
				undocumented, runs := endpoints[e.Name]
				if !runs {
					continue
				}
				t.Run(e.Name, func(t *testing.T) {
					source, ok := d.Example(l.Name, e.Name)
					if !ok {
						t.Fatal("there is no such sample")
					}
					if formatted, err := format.Source([]byte(source)); l.Name == "go" && string(formatted) != source {
						t.Errorf("gofmt would change it: %v", err)
					}
					runAllOutcomes(t, sampletest.Build(t, l.Name, l.Extension, source), e, undocumented)
					mu.Lock()
					ran[l.Name+" "+e.Name] = true
					mu.Unlock()
				})
			}
		})
	}
}

// outcome is one way in which a call can end, and how the sample must report it.
type outcome struct {
	name    string
	balance int64
	key     string           // "" is the sandbox's
	lose    bool             // the response
	instead http.HandlerFunc // answers in the sandbox's place
	exit    int
	stderr  string
	effect  bool // the call took effect
}

func respondWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// outcomesOf returns the ways in which a call of an endpoint can end.
func outcomesOf(e client.Endpoint, undocumented bool) []outcome {
	changes := e.Effect == client.EffectSpend || e.Effect == client.EffectCreate
	unknown, exit := "failed: ", 1
	if changes {
		unknown, exit = "unknown: ", 3
	}
	respondWithHTML := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>Bad Gateway</html>"))
	}
	outcomes := []outcome{
		{name: "it works", balance: 5000, effect: true},
		{name: "the key is revoked", key: "sk_test_revoked", exit: 1, stderr: "refused: key_revoked"},
		{name: "the answer is lost", balance: 5000, lose: true, exit: exit, stderr: unknown + "no_answer", effect: changes},
		{name: "the answer is HTML", instead: respondWithHTML, exit: exit, stderr: unknown},
		{name: "an internal error", exit: exit, stderr: unknown + "internal_error",
			instead: respondWith(500, `{"success":false,"error":{"code":"internal_error","message":"x"}}`)},
		{name: "a code on another status", instead: respondWith(500, `{"code":"key_revoked","message":"x"}`), exit: exit,
			stderr: unknown + "key_revoked"},
		{name: "a code beside a text", instead: respondWith(401, `{"error":"x","code":"key_revoked"}`), exit: 1,
			stderr: "refused: key_revoked"},
		{name: "a 200 that failed", instead: respondWith(200, `{"success": false, "error": {"code": "odd"}}`), exit: exit,
			stderr: unknown + "odd"},
		{name: "a 200 that is no JSON", instead: respondWith(200, `OK`), exit: exit, stderr: unknown},
		{name: "a redirect", instead: respondWith(307, ``), exit: exit, stderr: unknown},
	}
	oneOfEachKind := []string{client.ToolSendSMS, client.ToolListGroups, client.ToolAddContacts}
	if undocumented && slices.Contains(oneOfEachKind, e.Name) {
		for _, a := range undocumentedBodies {
			o := outcome{name: "a 200 that is " + a.body, instead: respondWith(200, a.body)}
			if !a.done && (e.Effect != client.EffectRead || !a.read) {
				o.exit, o.stderr = exit, unknown
			}
			outcomes = append(outcomes, o)
		}
	}
	if strings.Contains(e.Name, "_sms") && e.Effect == client.EffectSpend {
		outcomes[1].balance, outcomes[1].key, outcomes[1].stderr = 0, "", "refused: insufficient_balance"
	}
	return outcomes
}

// runAllOutcomes runs one sample with every way in which a call can end.
func runAllOutcomes(t *testing.T, sample sampletest.Command, e client.Endpoint, undocumented bool) {
	t.Helper()
	for _, o := range outcomesOf(e, undocumented) {
		a := sampletest.NewSandbox(t, o.balance)
		front := sampletest.NewFaultProxy(t, a.URL, o.lose, o.instead)
		got := sample.Run(t, front.URL, cmp.Or(o.key, sandbox.APIKey), nil)
		if got.Exit != o.exit || !strings.Contains(got.Stderr, o.stderr) {
			t.Errorf("%s: exit %d, %s%s", o.name, got.Exit, got.Stdout, got.Stderr)
			continue
		}
		if front.RequestCount("") != 1 {
			t.Errorf("%s: %d requests", o.name, front.RequestCount(""))
		}
		if got.Exit == 0 && !json.Valid([]byte(got.Stdout)) {
			t.Errorf("it prints %s", got.Stdout)
		}
		if strings.Contains(got.Stdout+got.Stderr, sandbox.APISecret) {
			t.Errorf("%s: it prints the secret", o.name)
		}
		if o.effect {
			expectedEffects[e.Name](t, a, got.Stdout)
		}
	}
	got := sample.Run(t, "http://127.0.0.1:2", sandbox.APIKey, nil)
	if got.Exit != 1 || !strings.Contains(got.Stderr, "failed: no_answer") {
		t.Errorf("nobody there: exit %d, %s", got.Exit, got.Stderr)
	}
}
