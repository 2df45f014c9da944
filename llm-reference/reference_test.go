package reference_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/programs"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

func section(t *testing.T, name string) string {
	t.Helper()
	s, ok := reference.New().Section(name)
	if !ok {
		t.Fatalf("no section is called %s", name)
	}
	return s.Text
}

func TestTheReferenceFitsItsBudget(t *testing.T) {
	t.Parallel()
	d := reference.New()
	for _, s := range d.Sections() {
		if n := utf8.RuneCountInString(s.Text); n > 6000 || n < 500 {
			t.Errorf("%s has %d characters", s.Name, n)
		}
		if !strings.HasPrefix(s.Text, "# "+s.Title) || s.Description == "" || strings.Contains(s.Text, "<no value>") {
			t.Errorf("%s begins with %.60q", s.Name, s.Text)
		}
		if !strings.Contains(d.Whole(), s.Text) || !strings.Contains(d.Index(), s.URI()) {
			t.Errorf("%s is not in the whole or not in the index", s.Name)
		}
	}
	if n := utf8.RuneCountInString(d.Whole()); n > 60_000 {
		t.Errorf("the whole has %d characters", n)
	}
}

func TestEachEndpointHasASectionOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		text := section(t, e.Name)
		contains(t, text, e.Method+" "+e.Path, e.Summary, "**Request**", "**Response**", "**What can go wrong**")
		for _, p := range e.Params {
			contains(t, text, fmt.Sprintf("| `%s` | %s | %s | %s | %s |", p.Name, p.In, p.Type, map[bool]string{true: "yes", false: "no"}[p.Required], reference.Limits(p)))
		}
		for _, c := range reference.Codes(e) {
			contains(t, text, fmt.Sprintf("| %d | `%s` | %s |", c.Status, c.Name, reference.Advice(c, e)))
		}
		if documented := e.Name == "get_balance"; strings.Contains(text, "**Not documented.**") == documented {
			t.Errorf("%s: the answer is documented: %v", e.Name, documented)
		}
		for _, l := range reference.Languages() {
			contains(t, reference.New().Index(), reference.ExampleURI(l.Name, e.Name))
		}
	}
	for _, c := range client.Codes() {
		contains(t, section(t, "errors"), fmt.Sprintf("| %d | `%s` | %s |", c.Status, c.Name, c.Meaning), c.VendorRetry)
	}
}

func TestLimitsAreInWords(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]client.Param{
		"500 to 10,000,000":            {Type: "number", Min: 500, Max: 10_000_000},
		"1 to 1,600 UTF-16 code units": {Type: "string", Min: 1, Max: 1600},
		"1 to 100; default 50":         {Type: "number", Min: 1, Max: 100, Default: 50},
		"from 1; default 1":            {Type: "number", Min: 1, Default: 1},
		"not empty":                    {Type: "array", Min: 1},
		"default 7":                    {Type: "number", Default: 7},
		"":                             {Type: "string"},
	} {
		if got := reference.Limits(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNothingUnknownHasAnAnswer(t *testing.T) {
	t.Parallel()
	d := reference.New()
	for _, pair := range [][2]string{{"cobol", "send_sms"}, {"go", "delete_group"}, {"", ""}, {"../go", "send_sms"}} {
		if text, ok := d.Example(pair[0], pair[1]); ok {
			t.Errorf("%v: %.40s", pair, text)
		}
	}
	if s, ok := d.Section("faq"); ok {
		t.Errorf("%+v", s)
	}
}

// blocks are the code blocks of a text in a language.
func blocks(text, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// The raw requests of the sections are read as HTTP and made.
func TestTheRequestsAreTakenAsTheyStand(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		found := blocks(section(t, e.Name), "http")
		if len(found) != 1 {
			t.Fatalf("%s has %d requests", e.Name, len(found))
		}
		a := programs.NewAPI(t, 5000)
		head, body, _ := strings.Cut(strings.TrimSuffix(found[0], "\n"), "\n\n")
		raw := strings.ReplaceAll(head, "base64(API_KEY:API_SECRET)",
			base64.StdEncoding.EncodeToString([]byte(sandbox.APIKey+":"+sandbox.APISecret)))
		raw = strings.ReplaceAll(raw+fmt.Sprintf("\nContent-Length: %d\n\n", len(body)), "\n", "\r\n") + body
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil || req.Host != strings.TrimPrefix(client.DefaultBaseURL, "https://") {
			t.Fatalf("%s: %v\n%s", e.Name, err, raw)
		}
		out, err := http.NewRequestWithContext(t.Context(), req.Method, a.URL+req.RequestURI, req.Body)
		if err != nil {
			t.Fatal(err)
		}
		out.Header = req.Header
		res, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		_, err = answer.ReadFrom(res.Body)
		if res.Body.Close() != nil || err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", e.Name, res.StatusCode, answer.String())
		}
		effects[e.Name](t, a, answer.String())
	}
}

func TestTheQuickstartSendsAnSMS(t *testing.T) {
	t.Parallel()
	programs.Needs(t, "curl")
	found := blocks(section(t, "overview"), "bash")
	if len(found) != 1 {
		t.Fatalf("%d commands", len(found))
	}
	a := programs.NewAPI(t, 5000)
	if got := programs.Prepare(t, "curl", "sh", found[0]).Run(t, a.URL, sandbox.APIKey, nil); got.Exit != 0 {
		t.Errorf("%+v", got)
	}
	sent(t, a, 1, "Hello from Kampala", "+256700000010")
}

// What is fenced as one shell's can be read by that shell.
func TestTheCommandsAreWhatTheirFencesSay(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash"} {
		found := blocks(reference.New().Whole(), shell)
		for _, block := range found {
			cmd := exec.CommandContext(t.Context(), shell, "-n") //nolint:gosec // the tests' own
			cmd.Stdin = strings.NewReader(block)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", shell, err, out, block)
			}
		}
		if len(found) == 0 {
			t.Errorf("no command is fenced as %s", shell)
		}
	}
}

// The ways to count that the section names give the number that the API counts.
func TestTheWaysToCountUnitsAgree(t *testing.T) {
	t.Parallel()
	text := "“Webale” 😀 ñandú"
	want := fmt.Sprint(len(utf16.Encode([]rune(text))))
	for language, way := range map[string]struct{ extension, expression, program string }{
		"nodejs": {"mjs", "text.length", "const text = %q;\nconsole.log(%s)"},
		"python": {"py", `len(text.encode("utf-16-le")) // 2`, "text = %q\nprint(%s)"},
		"php":    {"php", "strlen(iconv('UTF-8', 'UTF-16LE', $text)) / 2", "<?php $text = %q; echo %s;"},
		"go":     {"go", "len(utf16.Encode([]rune(text)))", "package main\nimport (\"fmt\"; \"unicode/utf16\")\nconst text = %q\nfunc main() { fmt.Println(%s) }"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			programs.Needs(t, language)
			contains(t, section(t, "units-and-price"), "`"+way.expression+"`")
			got := programs.Prepare(t, language, way.extension, fmt.Sprintf(way.program, text, way.expression)).Run(t, "", "", nil)
			if strings.TrimSpace(got.Out) != want {
				t.Errorf("%+v, want %s", got, want)
			}
		})
	}
}

// What the section on testing promises of the sandbox is what it does.
func TestTheSandboxIsAsDescribed(t *testing.T) {
	t.Parallel()
	text := section(t, "testing")
	contains(t, text, "WESENDALL_API_KEY="+sandbox.APIKey+"\n", "WESENDALL_API_SECRET="+sandbox.APISecret+"\n",
		"WESENDALL_WALLET_ID="+sandbox.WalletID+"\n", "UGX 5,000", "`"+sandbox.GroupID+"`, with two contacts", "a unit costs 35")
	if sandbox.DefaultBalance != 5000 || sandbox.CostPerSMS != 35 {
		t.Error("the balance or the price is another")
	}
	endpoints := client.Endpoints()
	topUp, send := endpoints[1], endpoints[2]
	keyed := func(words, key string, balance int64, want int) {
		t.Helper()
		contains(t, text, words)
		values := map[string]any{}
		for _, p := range send.Params {
			values[p.Name] = p.Example
		}
		if status, body := askAs(t, programs.NewAPI(t, balance), send, values, key, sandbox.APISecret); status != want {
			t.Errorf("%s: %d %s", words, status, body)
		}
	}
	keyed("| key `sk_test_revoked` | 401 `key_revoked` |", "sk_test_revoked", 5000, http.StatusUnauthorized)
	keyed("| `--balance 0`, or send until it is empty | 402 `insufficient_balance` |", sandbox.APIKey, 0, http.StatusPaymentRequired)
	for _, row := range []struct {
		words       string
		endpoint    client.Endpoint
		name, value string
		status      int
		balance     int64 // afterwards
	}{
		{"| recipient `+256700000502` | 502 `send_failed`, refunded |", send, "recipient", "+256700000502", 502, 5000},
		{"| recipient `+256700000500` | 500 `internal_error`, nothing charged |", send, "recipient", "+256700000500", 500, 5000},
		{"| payer `+256700000001` | declines |", topUp, "phone_number", "+256700000001", 200, 5000},
		{"| payer `+256700000002` | never answers |", topUp, "phone_number", "+256700000002", 200, 5000},
		{"| any other payer | approves after a second |", topUp, "phone_number", "+256700000003", 200, 10000},
		{"| wallet `wal_other` | 403 `wallet_forbidden` |", send, "walletId", "wal_other", 403, 5000},
	} {
		contains(t, text, row.words)
		a := programs.NewAPI(t, 5000)
		values := map[string]any{}
		for _, p := range row.endpoint.Params {
			values[p.Name] = p.Example
		}
		values[row.name] = row.value
		if status, body := ask(t, a, row.endpoint, values); status != row.status {
			t.Errorf("%s: %d %s", row.words, status, body)
		}
		if got := balance(t, a); got != row.balance {
			t.Errorf("%s: the wallet holds %d", row.words, got)
		}
	}
	contains(t, text, "| recipient `+256700000408` | charged and sent, then the connection drops |")
	a := programs.NewAPI(t, 5000)
	_, err := a.Client.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: "Hi", Recipient: client.Recipients{"+256700000408"}})
	if err == nil {
		t.Error("the send was answered")
	}
	sent(t, a, 1, "+256700000408")
}
