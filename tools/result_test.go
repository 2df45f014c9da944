package tools

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

func TestResults_Derived(t *testing.T) {
	t.Parallel()
	balance := func(data string) toolResult {
		return newTestEnv(t, Options{Wallet: "wal_1", Sandbox: true},
			respondWith(200, `{"success":true,"data":`+data+`}`)).call(t, "get_balance", `{}`)
	}
	if got := balance(`{"balance":5000,"cost_per_sms":35}`); got.get("affordable_units") != "142" ||
		!strings.Contains(got.get("summary"), "UGX 5,000; at UGX 35 a unit") || got.get("sandbox") != "true" ||
		!strings.Contains(got.get("summary"), "Sandbox") {
		t.Error(got.text)
	}
	for _, strange := range []string{`{"balance":5000}`, `{"balance":"5000","cost_per_sms":35}`, `[]`, `null`,
		`{"balance":1,"cost_per_sms":-1}`} {
		if got := balance(strange); got.isError || got.get("affordable_units") != "" ||
			string(got.structured["data"]) != strange {
			t.Errorf("%s: %s", strange, got.text)
		}
	}
	r := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	message := strings.Repeat("a", 161)
	got := r.call(t, "send_sms",
		`{"recipient":["0700000010","0700 000 010","0700000011"],"message":"`+message+`"}`)
	if got.get("recipients") != "2" || got.get("units") != "2" || got.get("estimated_cost") != "140" ||
		!strings.HasPrefix(got.get("summary"), "Accepted for 2 recipients, 2 units each: about UGX 140. "+
			"The wallet then holds about UGX 99,860. No confirmation was needed. The operator's limit for today, which is not the balance") {
		t.Error(got.text)
	}
}

// Data that is nested too deeply is left out, because a host may read it recursively.
func TestResults_NestedTooDeep(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	r := newTestEnv(t, Options{Wallet: "wal_1"},
		respondWith(200, `{"success":true,"data":{"a":`+nested(5000)+`,"b":1.10},"more":`+nested(5000)+`}`))
	got := r.call(t, "list_groups", `{}`)
	want := `{"a":` + strings.Repeat("[", 63) + `"[nested deeper than 64 levels: left out]"` + strings.Repeat("]", 63) + `,"b":1.10}`
	if got.isError || got.get("data") != want || strings.Contains(got.text, nested(66)) {
		t.Error(got.text)
	}
	r = newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, nested(64)))
	if got := r.call(t, "list_groups", `{}`); got.get("data") != nested(64) {
		t.Error(got.text)
	}
}

func TestSanitize_Results(t *testing.T) {
	t.Parallel()
	dirty := "a\u202eb\u200b\u00adc\u0007\u001b[31md\ufe0f\U000e0041\u2066\nnew\tline <b>&"
	literal, err := json.Marshal(dirty)
	if err != nil {
		t.Fatal(err)
	}
	r := newTestEnv(t, Options{Wallet: "wal_1"},
		respondWith(200, `{"data":{"m":`+string(literal)+`,"n":1.50,"q":"a\"\u0041"}}`))
	got := r.call(t, "list_sms_history", `{}`)
	if want := `{"data":{"m":"abc[31md\nnew\tline <b>&","n":1.50,"q":"a\"\u0041"}}`; got.get("data") != want {
		t.Errorf("%s", got.get("data"))
	}
	r = newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(404, `{"message":`+string(literal)+`}`))
	if got := r.call(t, "list_groups", `{}`); strings.ContainsAny(got.get("message"), "\u202e\u200b\u0007") ||
		got.get("message") == "" {
		t.Error(got.text)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\u200bb\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		literal, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Skip() // not a text
		}
		got := sanitize.JSON(literal)
		var back map[string]string
		if err := json.Unmarshal(got, &back); err != nil || len(back) != 1 {
			t.Fatalf("%s of %q: %v", got, text, err)
		}
		for name, value := range back {
			if name != value || sanitize.Text(value) != value {
				t.Errorf("%q of %q", value, text)
			}
		}
	})
}
