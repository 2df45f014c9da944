package prompts_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

// integrateTexts returns the briefings of all use cases.
func integrateTexts(t *testing.T) map[string]string {
	t.Helper()
	p := prompts.All(reference.New())[0]
	texts := map[string]string{}
	for _, useCase := range p.Complete("use_case", "", nil) {
		text, err := p.Text(prompts.Values{"language": "Go", "framework": "none", "use_case": useCase})
		if err != nil {
			t.Fatal(err)
		}
		texts[useCase] = text
	}
	return texts
}

// postJSON makes a POST to the sandbox and returns the status and the code.
func postJSON(t *testing.T, a *sampletest.Sandbox, key, path, body string) (status int, code string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, sandbox.APISecret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	var answer struct{ Error struct{ Code string } }
	_ = json.Unmarshal(text, &answer)
	return res.StatusCode, answer.Error.Code
}

// The sandbox does what a briefing says of it.
func TestIntegrate_SandboxValues(t *testing.T) {
	t.Parallel()
	magic := regexp.MustCompile("`((?:\\+2567000005|\\+2567000004|\\+2567000000|sk_test_|wal_|grp_|--b)[^`x]*)`(?: " +
		"[(]|: |,|)(?:(\\d{3}) `(\\w+)`)?")
	want := map[string]bool{
		"+256700000502": true, "+256700000500": true, "+256700000408": true, "+256700000001": true, "+256700000002": true,
		"sk_test_revoked": true, "wal_other": true, "grp_customers": true, "--balance 0": true,
	}
	group, err := sampletest.NewSandbox(t, 0).Client.Groups(t.Context(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err != nil || !strings.Contains(string(group.Data), `"contact_count":2`) ||
		!strings.Contains(string(group.Data), sandbox.GroupID) {
		t.Fatalf("%+v, %v", group, err)
	}
	for useCase, text := range integrateTexts(t) {
		_, tests, _ := strings.Cut(text, "\n## Tests\n")
		tests, _, _ = strings.Cut(tests, "\n## Checklist")
		contains := func(wants ...string) {
			t.Helper()
			for _, want := range wants {
				if !strings.Contains(tests, want) {
					t.Errorf("%s: no %q in\n%s", useCase, want, tests)
				}
			}
		}
		contains(fmt.Sprintf("UGX %s, %d a unit.", sanitize.FormatThousands(sandbox.DefaultBalance), sandbox.CostPerSMS),
			"```sh\n"+reference.InstallCommand+" # once\nwesendall-mcp sandbox")
		if strings.Contains(text, "/api/v1/sms/send\n") || strings.Contains(text, "/api/v1/sms/group\n") {
			contains(fmt.Sprintf("units × recipients × %d from", sandbox.CostPerSMS))
		}
		if strings.Contains(text, "/api/v1/sms/group\n") {
			contains(fmt.Sprintf("`%s` has two contacts: a send to it costs 2 × %d a unit", sandbox.GroupID, sandbox.CostPerSMS))
		}
		for _, m := range magic.FindAllStringSubmatch(tests, -1) {
			value, status, code := m[1], m[2], m[3]
			if !want[value] {
				t.Errorf("%s: the sandbox has no %s", useCase, value)
			}
			if status == "" {
				continue
			}
			key, wallet, recipient, balance := sandbox.APIKey, sandbox.WalletID, "+256700000010", int64(5000)
			switch value[0] {
			case '+':
				recipient = value
			case 's':
				key = value
			case 'w':
				wallet = value
			case '-':
				balance = 0
			}
			got, gotCode := postJSON(t, sampletest.NewSandbox(t, balance), key, "/api/v1/sms/send",
				fmt.Sprintf(`{"walletId": %q, "message": "Hi", "recipient": %q}`, wallet, recipient))
			if fmt.Sprint(got) != status || gotCode != code {
				t.Errorf("%s: %s is answered with %d %s, the briefing has %s %s", useCase, value, got, gotCode, status, code)
			}
		}
	}
}

// The request with which a briefing fills the history works.
func TestIntegrate_ReportingTests(t *testing.T) {
	t.Parallel()
	text := integrateTexts(t)["reporting"]
	m := regexp.MustCompile("twice `POST (/\\S+)` with `([^`]+)`").FindStringSubmatch(text)
	if m == nil || !strings.Contains(text, "a stub of your own") {
		t.Fatal(text)
	}
	var numbers []string
	for n := range 51 {
		numbers = append(numbers, fmt.Sprintf(`"+2567000000%02d"`, n))
	}
	a := sampletest.NewSandbox(t, sandbox.DefaultBalance)
	for range 2 {
		if status, code := postJSON(t, a, sandbox.APIKey, m[1],
			strings.ReplaceAll(m[2], "51 numbers", strings.Join(numbers, ","))); status != http.StatusOK {
			t.Fatalf("%d %s", status, code)
		}
	}
	for page, want := range map[int64]int{1: 100, 2: 2} {
		r, err := a.Client.History(t.Context(), client.HistoryRequest{WalletID: sandbox.WalletID, Page: page, PerPage: 100})
		if err != nil {
			t.Fatal(err)
		}
		var data struct{ Messages []any }
		if err := json.Unmarshal(r.Data, &data); err != nil || len(data.Messages) != want {
			t.Errorf("page %d has %d entries, %v", page, len(data.Messages), err)
		}
	}
}

// No briefing has a rule for endpoints that are not its own.
func TestIntegrate_NoContradictions(t *testing.T) {
	t.Parallel()
	for useCase, text := range integrateTexts(t) {
		singleRecipient, adds := strings.Contains(text, "/api/v1/sms/send\n"), strings.Contains(text, "/contacts\n")
		for _, phrase := range []string{"One recipient: repeat once", "one repeat for a single number", "to **one** number"} {
			if strings.Contains(text, phrase) != singleRecipient {
				t.Errorf("%s says %q: %v", useCase, phrase, !singleRecipient)
			}
		}
		if strings.Contains(text, "adding contacts") != adds {
			t.Errorf("%s speaks of adding contacts: %v", useCase, !adds)
		}
		if strings.Contains(text, "PIN") {
			t.Errorf("%s: a PIN is a guess", useCase)
		}
	}
	all := integrateTexts(t)
	for useCase, wants := range map[string][]string{
		"otp": {"The result must be `+256` and nine digits",
			"no `error` but `null`, and no `success` that is `false` (after a POST: none but `true`)"},
		"groups": {"|Refunded. Some of the group may have got it", "refunded; no repeat; then refused",
			"assume that each call makes one more"},
		"transactional": {"A call that **failed** makes its event `pending` again",
			"whose row is past `pending` is not sent again"},
		"reporting": {"|500|`internal_error`|Repeat once, after about half a second.|"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[useCase], want) {
				t.Errorf("%s: no %q in\n%s", useCase, want, all[useCase])
			}
		}
	}
}
