package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// historyArgs are those of the API, and two of ours that make a search of the call.
type historyArgs struct {
	client.HistoryRequest
	PhoneNumber string `json:"phone_number,omitempty" jsonschema_description:"Searches up to 10 pages."`
	Status      string `json:"status,omitempty" jsonschema_description:"Searches up to 10 pages."`
}

// HistoryResult is the result of list_sms_history.
type HistoryResult struct {
	Result
	Page  int  `json:"page,omitempty"`  // that data is
	Count *int `json:"count,omitempty"` // entries in data or matches; nil if the list is not recognised

	// Of a search, which has no data if the list is recognised.
	Matches   []json.RawMessage `json:"matches,omitzero"` // entries as they came
	PagesRead int               `json:"pages_read,omitempty"`
	Complete  *bool             `json:"complete,omitempty"` // whether the end of the history was read
}

func listSMSHistory(ctx context.Context, inv *invocation, r historyArgs) (HistoryResult, error) {
	if strings.TrimSpace(r.PhoneNumber+r.Status) != "" {
		return searchHistory(ctx, inv, r)
	}
	response, err := inv.guard.History(ctx, r.HistoryRequest)
	if err != nil {
		return HistoryResult{}, err
	}
	page := int(max(r.Page, 1))
	entries, ok := guard.FindEntries(response.Data)
	if !ok {
		return HistoryResult{Result: inv.newResult(response, fmt.Sprintf("Page %d of what was sent. "+
			"The shape of the list is not recognised, so its entries are not counted.", page)), Page: page}, nil
	}
	count := len(entries)
	summary := fmt.Sprintf("Page %d of what was sent, with %s.", page, countEntries(count))
	return HistoryResult{Result: inv.newResult(response, summary), Page: page, Count: &count}, nil
}

func searchHistory(ctx context.Context, inv *invocation, r historyArgs) (HistoryResult, error) {
	filter := guard.HistoryFilter{PhoneNumber: r.PhoneNumber, Status: r.Status}
	found, err := inv.guard.SearchHistory(ctx, r.HistoryRequest, filter)
	if err != nil {
		return HistoryResult{}, err
	}
	if !found.Recognized {
		summary := fmt.Sprintf("The shape of the list is not recognised, so nothing was searched. "+
			"This is page %d as it is.", found.LastPage)
		return HistoryResult{
			Result: inv.newResult(found.Last, summary), Page: found.LastPage, PagesRead: 1, Complete: &found.Complete,
		}, nil
	}
	result := HistoryResult{
		Result:  inv.newResult(found.Last, searchSummary(found)),
		Matches: found.Entries, PagesRead: found.PagesRead, Complete: &found.Complete,
	}
	count := len(found.Entries)
	result.Count, result.Data, result.Meta = &count, nil, nil
	for i := range result.Matches {
		result.Matches[i] = sanitize.LimitDepth(result.Matches[i], maxDataDepth)
	}
	return result, nil
}

// searchSummary says how much was found, and whether there may be more.
func searchSummary(found guard.HistoryMatches) string {
	summary := fmt.Sprintf("%s found on %s, up to page %d.",
		countEntries(len(found.Entries)), sanitize.Pluralize(found.PagesRead, "page"), found.LastPage)
	switch {
	case found.Complete:
		return summary + " That is the whole history from the first of these pages. What was sent a moment ago may be missing."
	case found.Failure != nil:
		summary += " The next page could not be read: " + strings.TrimSuffix(found.Failure.Error(), ".") + "."
	}
	return summary + fmt.Sprintf(" There may be more: call again with page: %d.", found.LastPage+1)
}

func countEntries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
