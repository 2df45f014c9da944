package prompts_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

// The programs in testdata/generated were written from a generated prompt only, by readers who
// had seen nothing else. The .txt files are the details that the prompt was generated with, so
// that one runner fits all programs.
var generatedExtensions = map[string]string{"python": "py", "javascript": "mjs", "php": "php", "go": "go"}

func TestGeneratedPrograms_DetailsFit(t *testing.T) {
	t.Parallel()
	for _, useCase := range []string{"otp", "bulk"} {
		details, err := os.ReadFile(filepath.Join("testdata", "generated", useCase+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for language := range generatedExtensions {
			text, err := prompts.All(reference.New())[0].Text(prompts.Values{
				"language": language, "framework": "none", "use_case": useCase, "details": string(details),
			})
			if err != nil || !strings.Contains(text, string(details)) || strings.Contains(text, "left out") {
				t.Errorf("%s, %s: %v", language, useCase, err)
			}
		}
	}
}

// runPerLanguage runs a test on the program of each language in CI, and elsewhere on the one in
// the usual language.
func runPerLanguage(t *testing.T, name, usual string, test func(*testing.T, *generatedProgram)) {
	t.Helper()
	for language, extension := range generatedExtensions {
		if language != usual && !sampletest.RunAll() {
			continue
		}
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			sampletest.SkipUnlessInstalled(t, language)
			source, err := os.ReadFile(filepath.Join("testdata", "generated", name+"."+extension))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.ToLower(string(source[:300])), "prompt") {
				t.Error("it does not say that it was written from the prompt")
			}
			test(t, &generatedProgram{T: t, program: sampletest.Build(t, language, extension, string(source))})
		})
	}
}

// generatedProgram is a generated program with its own sandbox.
type generatedProgram struct {
	*testing.T
	program sampletest.Command
	api     *sampletest.Sandbox
	front   *sampletest.FaultProxy
	key     string
	env     []string
	dir     string
}

// reset starts a new sandbox and empties the store.
func (p *generatedProgram) reset(balance int64, env ...string) {
	p.Helper()
	p.api = sampletest.NewSandbox(p.T, balance)
	p.front = sampletest.NewFaultProxy(p.T, p.api.URL, false, nil)
	p.key, p.dir = sandbox.APIKey, p.TempDir()
	p.env = append([]string{"OTP_STORE=" + filepath.Join(p.dir, "store.json"), "OTP_KEY=for the tests", "BULK_BATCH=1"},
		env...)
}

// run runs the program and expects a status and an exit code.
func (p *generatedProgram) run(status string, exit int, args ...string) map[string]json.RawMessage {
	p.Helper()
	got := p.program.Run(p.T, p.front.URL, p.key, p.env, args...)
	lines := strings.Split(strings.TrimSpace(got.Stdout), "\n")
	var answer map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &answer); err != nil {
		p.Fatalf("%v: exit %d, %s%s", args, got.Exit, got.Stdout, got.Stderr)
	}
	if textOf(answer["status"]) != status || got.Exit != exit {
		p.Errorf("%v: want %s and exit %d: exit %d, %s%s", args, status, exit, got.Exit, got.Stdout, got.Stderr)
	}
	if strings.Contains(got.Stdout+got.Stderr, sandbox.APISecret) {
		p.Error("it prints the secret")
	}
	return answer
}

func textOf(raw json.RawMessage) string {
	var value string
	if json.Unmarshal(raw, &value) == nil {
		return value
	}
	return string(raw)
}

// expectPosts expects a number of POST requests.
func (p *generatedProgram) expectPosts(posts int) {
	p.Helper()
	if got := p.front.RequestCount(http.MethodPost); got != posts {
		p.Errorf("%d sends were asked for, want %d", got, posts)
	}
}

// expectSent expects a number of charged messages and returns their texts, the newest first.
func (p *generatedProgram) expectSent(from int64, count int) []string {
	p.Helper()
	history, err := p.api.Client.History(p.Context(), client.HistoryRequest{WalletID: sandbox.WalletID})
	if err != nil {
		p.Fatal(err)
	}
	balance, err := p.api.Client.Balance(p.Context(), client.BalanceRequest{WalletID: sandbox.WalletID})
	if err != nil {
		p.Fatal(err)
	}
	var data struct {
		Balance  int64
		Messages []struct{ Message, Status, Phone string }
	}
	if json.Unmarshal(history.Data, &data) != nil || json.Unmarshal(balance.Data, &data) != nil {
		p.Fatalf("%s %s", history.Data, balance.Data)
	}
	if want := from - int64(count)*sandbox.CostPerSMS; data.Balance != want {
		p.Errorf("the wallet holds %d, want %d", data.Balance, want)
	}
	var texts []string
	for _, m := range data.Messages {
		texts = append(texts, m.Message)
	}
	return texts
}
