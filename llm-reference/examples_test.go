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
	"github.com/wesendall/wesendall-mcp/internal/programs"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// effects are what each endpoint's example leaves behind in a new sandbox of
// UGX 5,000, or answers.
var effects = map[string]func(*testing.T, *programs.API, string){
	"get_balance": func(t *testing.T, _ *programs.API, out string) {
		contains(t, out, `"balance"`, `5000`, `"cost_per_sms"`)
	},
	"topup_wallet": func(t *testing.T, a *programs.API, _ string) {
		if got := balance(t, a); got != 10000 {
			t.Errorf("the wallet holds %d", got)
		}
	},
	"send_sms": func(t *testing.T, a *programs.API, _ string) { sent(t, a, 2, "Hello from Kampala", "+256700000011") },
	"send_group_sms": func(t *testing.T, a *programs.API, _ string) {
		sent(t, a, 2, "Market day is on Friday", "+256700000013")
	},
	"list_sms_history": func(t *testing.T, _ *programs.API, out string) { contains(t, out, `"messages"`, `"per_page"`, `20`) },
	"list_groups":      func(t *testing.T, _ *programs.API, out string) { contains(t, out, `"grp_customers"`) },
	"create_group": func(t *testing.T, a *programs.API, _ string) {
		contains(t, groups(t, a), `"description":"Everyone who buys on market days"`)
	},
	"add_contacts": func(t *testing.T, a *programs.API, _ string) { contains(t, groups(t, a), `"contact_count":4`) },
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func balance(t *testing.T, a *programs.API) (balance int64) {
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

// sent wants so many messages in the history, each charged once, with these texts.
func sent(t *testing.T, a *programs.API, count int64, wants ...string) {
	t.Helper()
	r, err := a.Client.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	if got := balance(t, a); got != 5000-count*sandbox.CostPerSMS {
		t.Errorf("the wallet holds %d", got)
	}
	contains(t, string(r.Data), wants...)
}

func groups(t *testing.T, a *programs.API) string {
	t.Helper()
	r, err := a.Client.Groups(t.Context(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Data)
}

// Every sample is run, in every way that a call can end, and makes one request.
func TestEverySampleDoesWhatItsSectionSays(t *testing.T) {
	t.Parallel()
	d := reference.New()
	var mu sync.Mutex
	ran := map[string]bool{}
	t.Cleanup(func() {
		want := 0
		for _, l := range reference.Languages() {
			if missing, checked := ran[l.Name]; checked && !missing {
				want += len(client.Endpoints())
				delete(ran, l.Name)
			}
		}
		if len(ran) != want {
			t.Errorf("%d samples were run, want %d: %v", len(ran), want, slices.Sorted(maps.Keys(ran)))
		}
	})
	for _, l := range reference.Languages() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			programs.Needs(t, l.Name)
			mu.Lock()
			ran[l.Name] = false
			mu.Unlock()
			for _, e := range client.Endpoints() {
				t.Run(e.Name, func(t *testing.T) {
					source, ok := d.Example(l.Name, e.Name)
					if !ok {
						t.Fatal("there is no such sample")
					}
					if formatted, err := format.Source([]byte(source)); l.Name == "go" && string(formatted) != source {
						t.Errorf("gofmt would change it: %v", err)
					}
					exercise(t, programs.Prepare(t, l.Name, l.Extension, source), e)
					mu.Lock()
					ran[l.Name+" "+e.Name] = true
					mu.Unlock()
				})
			}
		})
	}
}

// exercise runs one sample in every way that a call can end.
func exercise(t *testing.T, sample programs.Program, e client.Endpoint) {
	t.Helper()
	changes := e.Effect == client.Spends || e.Effect == client.Creates
	unknown, exit := "failed: ", 1
	if changes {
		unknown, exit = "unknown: ", 3
	}
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>Bad Gateway</html>"))
	}
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	ways := []struct {
		name    string
		balance int64
		key     string
		lose    bool
		instead http.HandlerFunc
		exit    int
		stderr  string
		effect  bool
	}{
		{name: "it works", balance: 5000, effect: true},
		{name: "the key is revoked", key: "sk_test_revoked", exit: 1, stderr: "refused: key_revoked"},
		{name: "the answer is lost", balance: 5000, lose: true, exit: exit, stderr: unknown + "no_answer", effect: changes},
		{name: "the answer is HTML", instead: html, exit: exit, stderr: unknown},
		{name: "an internal error", instead: says(500, `{"success":false,"error":{"code":"internal_error","message":"x"}}`), exit: exit, stderr: unknown + "internal_error"},
		{name: "a code on another status", instead: says(500, `{"code":"key_revoked","message":"x"}`), exit: exit, stderr: unknown + "key_revoked"},
		{name: "a code beside a text", instead: says(401, `{"error":"x","code":"key_revoked"}`), exit: 1, stderr: "refused: key_revoked"},
		{name: "a 200 that failed", instead: says(200, `{"success": false, "error": {"code": "odd"}}`), exit: exit, stderr: unknown + "odd"},
		{name: "a 200 that is no JSON", instead: says(200, `OK`), exit: exit, stderr: unknown},
		{name: "a redirect", instead: says(307, ``), exit: exit, stderr: unknown},
	}
	if e.Name == "send_sms" || e.Name == "list_groups" || e.Name == "add_contacts" { // one of each kind
		for _, a := range answers {
			way := ways[0]
			way.name, way.balance, way.effect, way.instead = "a 200 that is "+a.body, 0, false, says(200, a.body)
			if !a.done && (e.Effect != client.Reads || !a.read) {
				way.exit, way.stderr = exit, unknown
			}
			ways = append(ways, way)
		}
	}
	if strings.Contains(e.Name, "_sms") && e.Effect == client.Spends {
		ways[1].balance, ways[1].key, ways[1].stderr = 0, "", "refused: insufficient_balance"
	}
	for _, way := range ways {
		a := programs.NewAPI(t, way.balance)
		front := programs.NewFront(t, a.URL, way.lose, way.instead)
		got := sample.Run(t, front.URL, cmp.Or(way.key, sandbox.APIKey), nil)
		if got.Exit != way.exit || !strings.Contains(got.Stderr, way.stderr) {
			t.Errorf("%s: exit %d, %s%s", way.name, got.Exit, got.Out, got.Stderr)
			continue
		}
		if front.Asked("") != 1 {
			t.Errorf("%s: %d requests", way.name, front.Asked(""))
		}
		if got.Exit == 0 && !json.Valid([]byte(got.Out)) {
			t.Errorf("it prints %s", got.Out)
		}
		if strings.Contains(got.Out+got.Stderr, sandbox.APISecret) {
			t.Errorf("%s: it prints the secret", way.name)
		}
		if way.effect {
			effects[e.Name](t, a, got.Out)
		}
	}
	if got := sample.Run(t, "http://127.0.0.1:2", sandbox.APIKey, nil); got.Exit != 1 || !strings.Contains(got.Stderr, "failed: no_answer") {
		t.Errorf("nobody there: exit %d, %s", got.Exit, got.Stderr)
	}
}
