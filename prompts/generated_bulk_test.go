package prompts_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

func TestGeneratedPrograms_Bulk(t *testing.T) {
	t.Parallel()
	runPerLanguage(t, "bulk", "go", func(_ *testing.T, program *generatedProgram) {
		p := bulkProgram{program}
		p.checkPlans()
		p.checkResume()
		p.checkRefusals()
		p.checkKilled()
	})
}

type bulkProgram struct{ *generatedProgram }

func (p bulkProgram) journal() string { return filepath.Join(p.dir, "journal.json") }

// plan plans a send and expects the number of people and the cost that the program shows.
func (p bulkProgram) plan(people, cost int64, numbers ...string) {
	p.Helper()
	list := filepath.Join(p.dir, "list.txt")
	if err := os.WriteFile(list, []byte(strings.Join(numbers, "\n")+"\n"), 0o600); err != nil {
		p.Fatal(err)
	}
	got := p.program.Run(p.T, p.front.URL, p.key, p.env, "plan", list, "Market day is on Friday", p.journal())
	var planned struct{ People, Units, Cost, Balance int64 }
	err := json.Unmarshal([]byte(got.Stdout), &planned)
	if err != nil || got.Exit != 0 || planned.People != people || planned.Cost != cost || planned.Units == 0 {
		p.Fatalf("exit %d, %s%s", got.Exit, got.Stdout, got.Stderr)
	}
	p.expectPosts(0)
}

// send sends what was planned, with the agreed cost.
func (p bulkProgram) send(exit int, cost string) map[string]json.RawMessage {
	p.Helper()
	got := p.program.Run(p.T, p.front.URL, p.key, p.env, "send", p.journal(), cost)
	var answer map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.Stdout), &answer); err != nil || got.Exit != exit {
		p.Fatalf("exit %d, want %d: %s%s", got.Exit, exit, got.Stdout, got.Stderr)
	}
	return answer
}

// expectCounts expects the number of batches in each state.
func (p bulkProgram) expectCounts(got map[string]json.RawMessage, sent, refused, unknown, pending string) {
	p.Helper()
	if textOf(got["sent"]) != sent || textOf(got["refused"]) != refused || textOf(got["unknown"]) != unknown ||
		textOf(got["pending"]) != pending {
		p.Errorf("%s, want sent %s, refused %s, unknown %s, pending %s", got, sent, refused, unknown, pending)
	}
}

func (p bulkProgram) checkPlans() {
	p.reset(5000, "BULK_BATCH=2")
	p.plan(3, 105, "0700 000 010", "+256700000010", "256-700-000-011", "", "12345", "(0700) 000.012")
	if got := p.send(1, "140"); textOf(got["status"]) != "stopped" {
		p.Errorf("%s", got)
	}
	p.expectPosts(0)
	p.expectCounts(p.send(0, "105"), "2", "0", "0", "0")
	p.expectSent(5000, 3)
	p.send(0, "105")
	p.expectPosts(2)

	// A Ugandan number is +256 and nine digits; none begins with 1, so these belong to nobody.
	p.reset(5000)
	p.plan(2, 70, "0100000010", "256100000010", "0700000010", "+14155550100", "0014155550100", "14155550100",
		"+254 700 000 010")
	p.expectCounts(p.send(0, "70"), "2", "0", "0", "0")
	p.expectSent(5000, 2)

	p.reset(100)
	p.plan(3, 105, "0700000010", "0700000011", "0700000012")
	if got := p.send(1, "105"); textOf(got["status"]) != "stopped" {
		p.Errorf("%s", got)
	}
	p.expectPosts(0)
}

func (p bulkProgram) checkResume() {
	p.reset(5000)
	p.plan(3, 105, "0700000010", "0700000408", "0700000012")
	p.expectCounts(p.send(3, "105"), "1", "0", "1", "1")
	p.expectPosts(2)
	p.expectCounts(p.send(3, "105"), "2", "0", "1", "0")
	p.expectPosts(3)
	p.expectSent(5000, 3)
	p.send(3, "105")
	p.expectPosts(3)
}

func (p bulkProgram) checkRefusals() {
	p.reset(5000, "BULK_BATCH=2")
	p.plan(5, 175, "0700000010", "0700000011", "0700000502", "0700000012", "0700000013")
	p.expectCounts(p.send(1, "175"), "1", "1", "0", "1")
	p.expectPosts(2) // a batch is never repeated
	p.expectCounts(p.send(1, "175"), "2", "1", "0", "0")
	p.expectPosts(3)

	p.reset(5000)
	p.plan(2, 70, "0700000010", "0700000011")
	if got := p.program.Run(p.T, p.front.URL, "sk_test_revoked", p.env, "send", p.journal(), "70"); got.Exit != 1 {
		p.Errorf("%+v", got)
	}
	p.expectSent(5000, 0)
}

// checkKilled kills the program while its first batch is on the wire; it must not send that
// batch again.
func (p bulkProgram) checkKilled() {
	p.reset(5000)
	p.plan(2, 70, "0700000010", "0700000011")
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	hanging := sampletest.NewFaultProxy(p.T, p.api.URL, false, func(w http.ResponseWriter, r *http.Request) {
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
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	args := append(append([]string{}, p.program[1:]...), "send", p.journal(), "70")
	first := exec.CommandContext(ctx, p.program[0], args...) //nolint:gosec // the tests' own
	first.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WESENDALL_BASE_URL=" + hanging.URL,
		"WESENDALL_API_KEY=" + sandbox.APIKey,
		"WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
	}, p.env...)
	if err := first.Start(); err != nil {
		p.Fatal(err)
	}
	select {
	case <-arrived:
	case <-ctx.Done():
		p.Fatal("it never sent")
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	close(release)
	p.expectCounts(p.send(3, "70"), "1", "0", "1", "0")
	p.expectPosts(1)
	p.expectSent(5000, 1)
}
