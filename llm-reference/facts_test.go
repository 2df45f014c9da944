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
	"github.com/wesendall/wesendall-mcp/internal/programs"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// pages are all that people and models are shown: the reference, and a briefing
// for each use case.
func pages(t *testing.T) map[string]string {
	t.Helper()
	d := reference.New()
	all := map[string]string{"the reference": d.Whole()}
	briefing := prompts.All(d)[0]
	for _, useCase := range briefing.Complete("use_case", "", nil) {
		text, err := briefing.Text(prompts.Values{"language": "Go", "framework": "none", "use_case": useCase})
		if err != nil {
			t.Fatal(err)
		}
		all[useCase] = text
	}
	return all
}

// What the pages say of the sandbox in words is what it has.
func TestThePagesNameWhatTheSandboxHas(t *testing.T) {
	t.Parallel()
	a := programs.NewAPI(t, sandbox.DefaultBalance)
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
	has := map[string][]string{
		`\bsk_test_[a-z]+`: {sandbox.APIKey, "sk_test_revoked"},
		`\bws_test_[a-z]+`: {sandbox.APISecret},
		`\bgrp_[a-z]+`:     {groups.Groups[0].ID},
		`\bwal_[a-z]+`:     {sandbox.WalletID, "wal_other"},
		`UGX [0-9,]+(?:, [0-9]+ a unit| \(` + "`--balance`" + `\))`: {fmt.Sprintf("UGX %s, %d a unit", reference.Thousands(sandbox.DefaultBalance), sandbox.CostPerSMS), fmt.Sprintf("UGX %s (`--balance`)", reference.Thousands(sandbox.DefaultBalance))},
		`a unit costs [0-9]+`:         {fmt.Sprint("a unit costs ", sandbox.CostPerSMS)},
		`units × recipients × [0-9]+`: {fmt.Sprint("units × recipients × ", sandbox.CostPerSMS)},
		`(?:with|has|of) (?:no|one|two|three|four|five|six|seven|eight|nine|ten) contacts`: {"with " + contacts + " contacts", "has " + contacts + " contacts", "of " + contacts + " contacts"},
		"`--[a-z]+":                           {"`--balance", "`--db", "`--addr"},
		`wesendall-mcp sandbox(?: --[a-z]+)?`: {"wesendall-mcp sandbox", "wesendall-mcp sandbox --addr"},
	}
	for page, text := range pages(t) {
		for pattern, values := range has {
			for _, found := range regexp.MustCompile(pattern).FindAllString(text, -1) {
				if !slices.Contains(values, found) {
					t.Errorf("%s says %q, and not one of %q", page, found, values)
				}
			}
		}
	}
}

// The table of units is what the rule above it gives.
func TestTheTableOfUnitsIsRight(t *testing.T) {
	t.Parallel()
	plain := func(text string) int {
		n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	rows := regexp.MustCompile(`(?m)^\| ([0-9,]+) to ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \| ([0-9,]+) \|$`).FindAllStringSubmatch(section(t, "units-and-price"), -1)
	if len(rows) < 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		from, to, units := plain(row[1]), plain(row[2]), plain(row[3])
		if (from+159)/160 != units || (to+159)/160 != units || (from-1)%160 != 0 || to%160 != 0 ||
			plain(row[4]) != units*sandbox.CostPerSMS || plain(row[5]) != 200*units*sandbox.CostPerSMS {
			t.Errorf("%s", row[0])
		}
	}
}
