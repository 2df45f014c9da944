package reference_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

// allPages returns all texts that users and models see: the reference and a briefing for each
// use case.
func allPages(t *testing.T) map[string]string {
	t.Helper()
	d := reference.New()
	pages := map[string]string{"the reference": d.Full()}
	briefing := prompts.All(d)[0]
	for _, useCase := range briefing.Complete("use_case", "", nil) {
		text, err := briefing.Text(prompts.Values{"language": "Go", "framework": "none", "use_case": useCase})
		if err != nil {
			t.Fatal(err)
		}
		pages[useCase] = text
	}
	return pages
}

// The pages state the sandbox's values correctly.
func TestSections_SandboxValues(t *testing.T) {
	t.Parallel()
	a := sampletest.NewSandbox(t, sandbox.DefaultBalance)
	answer, err := a.Client.Groups(t.Context(), client.GroupsRequest{WalletID: sandbox.WalletID})
	if err != nil {
		t.Fatal(err)
	}
	var groups struct {
		Groups []struct {
			ID       string
			Contacts int `json:"contact_count"`
		}
	}
	if err := json.Unmarshal(answer.Data, &groups); err != nil || len(groups.Groups) != 1 {
		t.Fatalf("%s, %v", answer.Data, err)
	}
	contacts := []string{"no", "one", "two", "three"}[groups.Groups[0].Contacts]
	allowedValues := map[string][]string{
		`\bsk_test_[a-z]+`: {sandbox.APIKey, "sk_test_revoked"},
		`\bws_test_[a-z]+`: {sandbox.APISecret},
		`\bgrp_[a-z]+`:     {groups.Groups[0].ID},
		`\bwal_[a-z]+`:     {sandbox.WalletID, "wal_other"},
		`UGX [0-9,]+(?:, [0-9]+ a unit| \(` + "`--balance`" + `\))`: {
			fmt.Sprintf("UGX %s, %d a unit", sanitize.FormatThousands(sandbox.DefaultBalance), sandbox.CostPerSMS),
			fmt.Sprintf("UGX %s (`--balance`)", sanitize.FormatThousands(sandbox.DefaultBalance)),
		},
		`a unit costs [0-9]+`:         {fmt.Sprint("a unit costs ", sandbox.CostPerSMS)},
		`units × recipients × [0-9]+`: {fmt.Sprint("units × recipients × ", sandbox.CostPerSMS)},
		`(?:with|has|of) (?:no|one|two|three|four|five|six|seven|eight|nine|ten) contacts`: {
			"with " + contacts + " contacts", "has " + contacts + " contacts", "of " + contacts + " contacts",
		},
		"`--[a-z]+":                           {"`--balance", "`--db", "`--addr"},
		`wesendall-mcp sandbox(?: --[a-z]+)?`: {"wesendall-mcp sandbox", "wesendall-mcp sandbox --addr"},
	}
	for page, text := range allPages(t) {
		for pattern, allowed := range allowedValues {
			for _, match := range regexp.MustCompile(pattern).FindAllString(text, -1) {
				if !slices.Contains(allowed, match) {
					t.Errorf("%s says %q, and not one of %q", page, match, allowed)
				}
			}
		}
	}
}

// The table of units follows the rule above it.
func TestSections_UnitsTable(t *testing.T) {
	t.Parallel()
	parseNumber := func(text string) int {
		n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	rowPattern := regexp.MustCompile(`(?m)^\| ([0-9,]+) to ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \|$`)
	rows := rowPattern.FindAllStringSubmatch(sectionText(t, "units-and-price"), -1)
	if len(rows) < 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		from, to, units := parseNumber(row[1]), parseNumber(row[2]), parseNumber(row[3])
		if (from+159)/160 != units || (to+159)/160 != units || (from-1)%160 != 0 || to%160 != 0 ||
			parseNumber(row[4]) != units*sandbox.CostPerSMS || parseNumber(row[5]) != 200*units*sandbox.CostPerSMS {
			t.Errorf("%s", row[0])
		}
	}
}
