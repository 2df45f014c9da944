package prompts_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

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
			text, err := prompts.All(reference.New())[0].Text(prompts.Values{"language": language, "framework": "none",
				"use_case": useCase, "details": string(details)})
			if err != nil || !strings.Contains(text, string(details)) || strings.Contains(text, "left out") {
				t.Errorf("%s, %s: %v", language, useCase, err)
			}
		}
	}
}

// runPerLanguage runs a test on the program of each language in CI, and elsewhere on
// that of one language.
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
func (i *generatedProgram) reset(balance int64, env ...string) {
	i.Helper()
	i.api = sampletest.NewSandbox(i.T, balance)
	i.front = sampletest.NewFaultProxy(i.T, i.api.URL, false, nil)
	i.key, i.dir = sandbox.APIKey, i.TempDir()
	i.env = append([]string{"OTP_STORE=" + filepath.Join(i.dir, "store.json"), "OTP_KEY=for the tests", "BULK_BATCH=1"},
		env...)
}

// run runs the program and expects a status and an exit code.
func (i *generatedProgram) run(status string, exit int, args ...string) map[string]json.RawMessage {
	i.Helper()
	got := i.program.Run(i.T, i.front.URL, i.key, i.env, args...)
	lines := strings.Split(strings.TrimSpace(got.Stdout), "\n")
	var answer map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &answer); err != nil {
		i.Fatalf("%v: exit %d, %s%s", args, got.Exit, got.Stdout, got.Stderr)
	}
	if textOf(answer["status"]) != status || got.Exit != exit {
		i.Errorf("%v: want %s and exit %d: exit %d, %s%s", args, status, exit, got.Exit, got.Stdout, got.Stderr)
	}
	if strings.Contains(got.Stdout+got.Stderr, sandbox.APISecret) {
		i.Error("it prints the secret")
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
func (i *generatedProgram) expectPosts(posts int) {
	i.Helper()
	if got := i.front.RequestCount(http.MethodPost); got != posts {
		i.Errorf("%d sends were asked for, want %d", got, posts)
	}
}

// expectSent expects a number of charged messages and returns their texts, the newest first.
func (i *generatedProgram) expectSent(from int64, count int) []string {
	i.Helper()
	history, err := i.api.Client.History(i.Context(), client.HistoryRequest{WalletID: sandbox.WalletID})
	if err != nil {
		i.Fatal(err)
	}
	balance, err := i.api.Client.Balance(i.Context(), client.BalanceRequest{WalletID: sandbox.WalletID})
	if err != nil {
		i.Fatal(err)
	}
	var data struct {
		Balance  int64
		Messages []struct{ Message, Status, Phone string }
	}
	if json.Unmarshal(history.Data, &data) != nil || json.Unmarshal(balance.Data, &data) != nil {
		i.Fatalf("%s %s", history.Data, balance.Data)
	}
	if want := from - int64(count)*sandbox.CostPerSMS; data.Balance != want {
		i.Errorf("the wallet holds %d, want %d", data.Balance, want)
	}
	var texts []string
	for _, m := range data.Messages {
		texts = append(texts, m.Message)
	}
	return texts
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

func TestGeneratedPrograms_OTP(t *testing.T) {
	t.Parallel()
	runPerLanguage(t, "otp", "python", func(t *testing.T, i *generatedProgram) {
		setNow := func(seconds int) { i.env = append(i.env, "OTP_NOW="+strconv.Itoa(1_700_000_000+seconds)) }
		code := func(from int64, count int) string {
			t.Helper()
			texts := i.expectSent(from, count)
			if len(texts) == 0 || sixDigits.FindString(texts[0]) == "" || len(texts[0]) > 160 {
				t.Fatalf("no code in %q", texts)
			}
			return sixDigits.FindString(texts[0])
		}
		otherCode := func(code string) string {
			if code == "000000" {
				return "111111"
			}
			return "000000"
		}

		i.reset(5000)
		setNow(0)
		i.run("sent", 0, "request", "0700 000-010")
		correct := code(5000, 1)
		store, err := os.ReadFile(filepath.Join(i.dir, "store.json"))
		if err != nil || strings.Contains(string(store), correct) {
			t.Errorf("the store has the code, or is not there: %v", err)
		}
		setNow(30)
		i.run("limited", 1, "request", "+256700000010")
		i.expectPosts(1)
		i.run("wrong", 1, "verify", "+256700000010", otherCode(correct))
		i.run("right", 0, "verify", "256700000010", correct)
		i.run("ended", 1, "verify", "+256700000010", correct)
		i.run("ended", 1, "verify", "+256700000011", correct)

		i.reset(5000)
		for n := range 5 {
			setNow(61 * n)
			i.run("sent", 0, "request", "+256700000010")
		}
		setNow(61 * 5)
		i.run("limited", 1, "request", "+256700000010")
		i.expectPosts(5)
		correct = code(5000, 5)
		for range 5 {
			i.program.Run(t, i.front.URL, i.key, i.env, "verify", "+256700000010", otherCode(correct))
		}
		i.run("ended", 1, "verify", "+256700000010", correct)
		setNow(3700 + 61*5)
		i.run("sent", 0, "request", "+256700000010")
		correct = code(5000, 6)
		setNow(3700 + 61*5 + 301)
		i.run("expired", 1, "verify", "+256700000010", correct)

		i.reset(5000)
		setNow(0)
		i.run("unknown", 3, "request", "+256700000408")
		i.expectPosts(1)
		i.run("limited", 1, "request", "+256700000408")
		i.run("right", 0, "verify", "+256700000408", code(5000, 1))

		i.reset(5000)
		if got := i.run("unknown", 3, "request", "+256700000500"); textOf(got["code"]) != "internal_error" {
			t.Errorf("%s", got)
		}
		i.expectPosts(1)
		i.expectSent(5000, 0)

		i.reset(5000)
		if got := i.run("refused", 1, "request", "+256700000502"); textOf(got["code"]) != "send_failed" ||
			i.front.RequestCount(http.MethodPost) > 2 {
			t.Errorf("%s, %d requests", got, i.front.RequestCount(http.MethodPost))
		}
		i.run("ended", 1, "verify", "+256700000502", "123456")

		i.reset(0)
		if got := i.run("refused", 1, "request", "+256700000010"); textOf(got["code"]) != "insufficient_balance" {
			t.Errorf("%s", got)
		}
		i.reset(5000)
		i.key = "sk_test_revoked"
		if got := i.run("refused", 1, "request", "+256700000010"); textOf(got["code"]) != "key_revoked" {
			t.Errorf("%s", got)
		}
		i.expectPosts(1)
		i.reset(5000)
		i.run("invalid", 1, "request", "12345")
		i.run("invalid", 1, "request", "+14155550100")
		i.run("invalid", 1, "request", "0700 000 010, 0700 000 011")
		i.expectPosts(0)
		i.run("sent", 0, "request", "0100000010")
		i.front = &sampletest.FaultProxy{URL: "http://127.0.0.1:2"}
		i.run("failed", 1, "request", "+256700000010")
	})
}

func TestGeneratedPrograms_Bulk(t *testing.T) {
	t.Parallel()
	runPerLanguage(t, "bulk", "go", func(t *testing.T, i *generatedProgram) {
		journal := func() string { return filepath.Join(i.dir, "journal.json") }
		plan := func(people, cost int64, numbers ...string) {
			t.Helper()
			list := filepath.Join(i.dir, "list.txt")
			if err := os.WriteFile(list, []byte(strings.Join(numbers, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			got := i.program.Run(t, i.front.URL, i.key, i.env, "plan", list, "Market day is on Friday", journal())
			var planned struct{ People, Units, Cost, Balance int64 }
			if err := json.Unmarshal([]byte(got.Stdout), &planned); err != nil || got.Exit != 0 || planned.People != people ||
				planned.Cost != cost || planned.Units == 0 {
				t.Fatalf("exit %d, %s%s", got.Exit, got.Stdout, got.Stderr)
			}
			i.expectPosts(0)
		}
		expectCounts := func(got map[string]json.RawMessage, sent, refused, unknown, pending string) {
			t.Helper()
			if textOf(got["sent"]) != sent || textOf(got["refused"]) != refused || textOf(got["unknown"]) != unknown ||
				textOf(got["pending"]) != pending {
				t.Errorf("%s, want sent %s, refused %s, unknown %s, pending %s", got, sent, refused, unknown, pending)
			}
		}
		send := func(exit int, cost string) map[string]json.RawMessage {
			t.Helper()
			got := i.program.Run(t, i.front.URL, i.key, i.env, "send", journal(), cost)
			var answer map[string]json.RawMessage
			if err := json.Unmarshal([]byte(got.Stdout), &answer); err != nil || got.Exit != exit {
				t.Fatalf("exit %d, want %d: %s%s", got.Exit, exit, got.Stdout, got.Stderr)
			}
			return answer
		}

		i.reset(5000, "BULK_BATCH=2")
		plan(3, 105, "0700 000 010", "+256700000010", "256-700-000-011", "", "12345", "(0700) 000.012")
		if got := send(1, "140"); textOf(got["status"]) != "stopped" {
			t.Errorf("%s", got)
		}
		i.expectPosts(0)
		expectCounts(send(0, "105"), "2", "0", "0", "0")
		i.expectSent(5000, 3)
		send(0, "105")
		i.expectPosts(2)

		// A Ugandan number is +256 and nine digits; none begins with 1, so these belong to nobody.
		i.reset(5000)
		plan(2, 70, "0100000010", "256100000010", "0700000010", "+14155550100", "0014155550100", "14155550100",
			"+254 700 000 010")
		expectCounts(send(0, "70"), "2", "0", "0", "0")
		i.expectSent(5000, 2)

		i.reset(100)
		plan(3, 105, "0700000010", "0700000011", "0700000012")
		if got := send(1, "105"); textOf(got["status"]) != "stopped" {
			t.Errorf("%s", got)
		}
		i.expectPosts(0)

		i.reset(5000)
		plan(3, 105, "0700000010", "0700000408", "0700000012")
		expectCounts(send(3, "105"), "1", "0", "1", "1")
		i.expectPosts(2)
		expectCounts(send(3, "105"), "2", "0", "1", "0")
		i.expectPosts(3)
		i.expectSent(5000, 3)
		send(3, "105")
		i.expectPosts(3)

		i.reset(5000, "BULK_BATCH=2")
		plan(5, 175, "0700000010", "0700000011", "0700000502", "0700000012", "0700000013")
		expectCounts(send(1, "175"), "1", "1", "0", "1")
		i.expectPosts(2) // a batch is never repeated
		expectCounts(send(1, "175"), "2", "1", "0", "0")
		i.expectPosts(3)

		i.reset(5000)
		plan(2, 70, "0700000010", "0700000011")
		if got := i.program.Run(t, i.front.URL, "sk_test_revoked", i.env, "send", journal(), "70"); got.Exit != 1 {
			t.Errorf("%+v", got)
		}
		i.expectSent(5000, 0)

		// A program that is killed while its first batch is on the wire does not send it again.
		i.reset(5000)
		plan(2, 70, "0700000010", "0700000011")
		arrived, release := make(chan struct{}, 8), make(chan struct{})
		hanging := sampletest.NewFaultProxy(t, i.api.URL, false, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = w.Write([]byte(`{"success":true,"data":{"wallet_id":"wal_sandbox","balance":5000,` +
					`"currency":"UGX","cost_per_sms":35}}`))
				return
			}
			arrived <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		first := exec.CommandContext(ctx, i.program[0], append(append([]string{}, i.program[1:]...), "send", journal(),
			"70")...) //nolint:gosec // the tests' own
		first.Env = append([]string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WESENDALL_BASE_URL=" + hanging.URL,
			"WESENDALL_API_KEY=" + sandbox.APIKey,
			"WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
		}, i.env...)
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Fatal("it never sent")
		}
		_ = first.Process.Kill()
		_ = first.Wait()
		close(release)
		expectCounts(send(3, "70"), "1", "0", "1", "0")
		i.expectPosts(1)
		i.expectSent(5000, 1)
	})
}
