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
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

func sectionText(t *testing.T, name string) string {
	t.Helper()
	s, ok := reference.New().Section(name)
	if !ok {
		t.Fatalf("no section is called %s", name)
	}
	return s.Text
}

func TestReference_Size(t *testing.T) {
	t.Parallel()
	d := reference.New()
	for _, s := range d.Sections() {
		if n := utf8.RuneCountInString(s.Text); n > 6000 || n < 500 {
			t.Errorf("%s has %d characters", s.Name, n)
		}
		if !strings.HasPrefix(s.Text, "# "+s.Title) || s.Description == "" || strings.Contains(s.Text, "<no value>") {
			t.Errorf("%s begins with %.60q", s.Name, s.Text)
		}
		if !strings.Contains(d.Full(), s.Text) || !strings.Contains(d.LLMsTxt(), s.URI()) {
			t.Errorf("%s is not in the whole or not in the index", s.Name)
		}
	}
	if n := utf8.RuneCountInString(d.Full()); n > 60_000 {
		t.Errorf("the whole has %d characters", n)
	}
}

func TestSections_PerEndpoint(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		text := sectionText(t, e.Name)
		expectContains(t, text, e.Method+" "+e.Path, e.Summary, "**Request**", "**Response**", "**What can go wrong**")
		for _, p := range e.Params {
			required := "no"
			if p.Required {
				required = "yes"
			}
			expectContains(t, text, fmt.Sprintf("| `%s` | %s | %s | %s | %s |",
				p.Name, p.Location, p.Type, required, reference.FormatLimits(p)))
		}
		for _, c := range reference.EndpointCodes(e) {
			expectContains(t, text, fmt.Sprintf("| %d | `%s` | %s |", c.Status, c.Name, reference.RetryAdvice(c, e)))
		}
		if documented := e.Name == "get_balance"; strings.Contains(text, "**Not documented.**") == documented {
			t.Errorf("%s: the answer is documented: %v", e.Name, documented)
		}
		for _, l := range reference.Languages() {
			expectContains(t, reference.New().LLMsTxt(), reference.ExampleURI(l.Name, e.Name))
		}
	}
	for _, c := range client.ErrorCodes() {
		expectContains(t, sectionText(t, "errors"), fmt.Sprintf("| %d | `%s` | %s |", c.Status, c.Name, c.Description),
			c.DocumentedRetry)
	}
}

func TestFormatLimits(t *testing.T) {
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
		if got := reference.FormatLimits(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDocument_NotFound(t *testing.T) {
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

// codeBlocks returns the code blocks of a text in a language.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// The raw requests in the sections are valid HTTP and succeed.
func TestSections_RequestsWork(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		requests := codeBlocks(sectionText(t, e.Name), "http")
		if len(requests) != 1 {
			t.Fatalf("%s has %d requests", e.Name, len(requests))
		}
		a := sampletest.NewSandbox(t, 5000)
		head, body, _ := strings.Cut(strings.TrimSuffix(requests[0], "\n"), "\n\n")
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
		expectedEffects[e.Name](t, a, answer.String())
	}
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	sampletest.SkipUnlessInstalled(t, "curl")
	commands := codeBlocks(sectionText(t, "overview"), "bash")
	if len(commands) != 1 {
		t.Fatalf("%d commands", len(commands))
	}
	a := sampletest.NewSandbox(t, 5000)
	if got := sampletest.Build(t, "curl", "sh", commands[0]).Run(t, a.URL, sandbox.APIKey, nil); got.Exit != 0 {
		t.Errorf("%+v", got)
	}
	expectSent(t, a, 1, "Hello from Kampala", "+256700000010")
}

// Each shell can parse the code blocks that carry its name.
func TestSections_ShellFences(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"sh", "bash"} {
		blocks := codeBlocks(reference.New().Full(), shell)
		for _, block := range blocks {
			cmd := exec.CommandContext(t.Context(), shell, "-n") //nolint:gosec // the tests' own
			cmd.Stdin = strings.NewReader(block)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", shell, err, out, block)
			}
		}
		if len(blocks) == 0 {
			t.Errorf("no command is fenced as %s", shell)
		}
	}
}

// The ways to count that the section names give the same number as the API.
func TestUTF16Length_Languages(t *testing.T) {
	t.Parallel()
	text := "“Webale” 😀 ñandú"
	want := fmt.Sprint(len(utf16.Encode([]rune(text))))
	for language, method := range map[string]struct{ extension, expression, program string }{
		"nodejs": {"mjs", "text.length", "const text = %q;\nconsole.log(%s)"},
		"python": {"py", `len(text.encode("utf-16-le")) // 2`, "text = %q\nprint(%s)"},
		"php":    {"php", "strlen(iconv('UTF-8', 'UTF-16LE', $text)) / 2", "<?php $text = %q; echo %s;"},
		"go": {"go", "len(utf16.Encode([]rune(text)))",
			"package main\nimport (\"fmt\"; \"unicode/utf16\")\nconst text = %q\nfunc main() { fmt.Println(%s) }"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			sampletest.SkipUnlessInstalled(t, language)
			expectContains(t, sectionText(t, "units-and-price"), "`"+method.expression+"`")
			program := fmt.Sprintf(method.program, text, method.expression)
			got := sampletest.Build(t, language, method.extension, program).Run(t, "", "", nil)
			if strings.TrimSpace(got.Stdout) != want {
				t.Errorf("%+v, want %s", got, want)
			}
		})
	}
}

// The sandbox does what the section "testing" says.
func TestSections_SandboxBehaviour(t *testing.T) {
	t.Parallel()
	text := sectionText(t, "testing")
	expectSandboxValues(t, text)
	endpoints := client.Endpoints()
	topUp, send := endpoints[1], endpoints[2]
	expectStatusWithKey := func(words, key string, balance int64, want int) {
		t.Helper()
		expectContains(t, text, words)
		values := map[string]any{}
		for _, p := range send.Params {
			values[p.Name] = p.Example
		}
		a := sampletest.NewSandbox(t, balance)
		if status, body := callEndpointWithKey(t, a, send, values, key, sandbox.APISecret); status != want {
			t.Errorf("%s: %d %s", words, status, body)
		}
	}
	expectStatusWithKey("| key `sk_test_revoked` | 401 `key_revoked` |", "sk_test_revoked", 5000, http.StatusUnauthorized)
	expectStatusWithKey("| `--balance 0`, or send until it is empty | 402 `insufficient_balance` |", sandbox.APIKey, 0,
		http.StatusPaymentRequired)
	for _, row := range []struct {
		words       string
		endpoint    client.Endpoint
		name, value string
		status      int
		balance     int64 // afterwards
	}{
		{"| recipient `+256700000502` | 502 `send_failed`, refunded |", send, "recipient", "+256700000502", 502, 5000},
		{"| recipient `+256700000500` | 500 `internal_error`, nothing charged |", send, "recipient", "+256700000500", 500,
			5000},
		{"| payer `+256700000001` | declines |", topUp, "phone_number", "+256700000001", 200, 5000},
		{"| payer `+256700000002` | never answers |", topUp, "phone_number", "+256700000002", 200, 5000},
		{"| any other payer | approves after a second |", topUp, "phone_number", "+256700000003", 200, 10000},
		{"| wallet `wal_other` | 403 `wallet_forbidden` |", send, "walletId", "wal_other", 403, 5000},
	} {
		expectContains(t, text, row.words)
		a := sampletest.NewSandbox(t, 5000)
		values := map[string]any{}
		for _, p := range row.endpoint.Params {
			values[p.Name] = p.Example
		}
		values[row.name] = row.value
		if status, body := callEndpoint(t, a, row.endpoint, values); status != row.status {
			t.Errorf("%s: %d %s", row.words, status, body)
		}
		if got := balance(t, a); got != row.balance {
			t.Errorf("%s: the wallet holds %d", row.words, got)
		}
	}
	expectContains(t, text, "| recipient `+256700000408` | charged and sent, then the connection drops |")
	a := sampletest.NewSandbox(t, 5000)
	_, err := a.Client.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: "Hi",
		Recipient: client.Recipients{"+256700000408"}})
	if err == nil {
		t.Error("the send was answered")
	}
	expectSent(t, a, 1, "+256700000408")
}

func expectSandboxValues(t *testing.T, text string) {
	t.Helper()
	expectContains(t, text, "WESENDALL_API_KEY="+sandbox.APIKey+"\n", "WESENDALL_API_SECRET="+sandbox.APISecret+"\n",
		"WESENDALL_WALLET_ID="+sandbox.WalletID+"\n", "UGX 5,000", "`"+sandbox.GroupID+"`, with two contacts",
		"a unit costs 35")
	if sandbox.DefaultBalance != 5000 || sandbox.CostPerSMS != 35 {
		t.Error("the balance or the price is another")
	}
}
