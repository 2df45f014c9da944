package reference_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// The client repeats a read after the statuses that the sections name, and no others.
func TestRetryableStatuses(t *testing.T) {
	t.Parallel()
	for _, e := range client.Endpoints() {
		row := regexp.MustCompile(`(?m)^\| any other answer, or none \|.*$`).FindString(sectionText(t, e.Name))
		want := "Never repeat automatically."
		if e.Effect == client.EffectRead || e.Effect == client.EffectIdempotentWrite {
			want = "epeat once after " + reference.RetryableStatuses + " or a lost connection"
		}
		if !strings.Contains(row, want) || strings.Contains(row, "5xx") {
			t.Errorf("%s: %s", e.Name, row)
		}
	}
	expectContains(t, sectionText(t, "errors"), "on "+reference.RetryableStatuses+" or a lost connection")
	for _, status := range []int{400, 401, 404, 408, 422, 429, 500, 501, 502, 503, 504, 505} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			front := sampletest.NewFaultProxy(t, "", false,
				func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			c, err := client.New(client.Options{BaseURL: front.URL, APIKey: sandbox.APIKey,
				APISecret: client.NewSecret(sandbox.APISecret)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Balance(t.Context(), client.BalanceRequest{WalletID: sandbox.WalletID}); err == nil {
				t.Error("it is a success")
			}
			want := 1
			if strings.Contains(reference.RetryableStatuses, strconv.Itoa(status)) {
				want = 2
			}
			if got := front.RequestCount(""); got != want {
				t.Errorf("%d requests, want %d", got, want)
			}
		})
	}
}

// These are not documented, so no page may state them as facts.
func TestSections_NoUndocumentedClaims(t *testing.T) {
	t.Parallel()
	fullText := reference.New().Full()
	for _, guess := range []string{"PIN", "There is no key with", "in whole shillings", "Each call makes a new group"} {
		if strings.Contains(fullText, guess) {
			t.Errorf("%q is a guess", guess)
		}
	}
	expectContains(t, fullText, "No key with fewer rights is documented", "Assume that each call makes a new group",
		"at most one message")
}

func TestInstallCommand(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	module, _, _ := strings.Cut(strings.TrimPrefix(string(mod), "module "), "\n")
	if _, err := os.Stat("../cmd/wesendall-mcp/main.go"); err != nil ||
		reference.InstallCommand != fmt.Sprintf("go install %s/cmd/wesendall-mcp@latest", module) {
		t.Errorf("%s, %v", reference.InstallCommand, err)
	}
	expectContains(t, sectionText(t, "testing"), "```sh\n"+reference.InstallCommand+" # once\nwesendall-mcp sandbox")
}
