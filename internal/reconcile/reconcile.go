// Package reconcile looks for evidence of spends with an unknown outcome in Wesendall's
// history and balance. It only reads. It may suggest that a spend was sent, and never
// that it failed: what the history does not show may still arrive.
package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// API is what is read; *client.Client implements it.
type API interface {
	Balance(context.Context, client.BalanceRequest) (*client.Response, error)
	History(context.Context, client.HistoryRequest) (*client.Response, error)
}

// Options say where to look.
type Options struct {
	API      API
	Ledger   *ledger.Ledger
	BaseURL  string
	WalletID string
}

// Report is the evidence for every open spend of the ledger. Money is in UGX.
type Report struct {
	BalanceUGX *int64    `json:"balance,omitempty"` // now; absent if it cannot be read
	History    *Search   `json:"history,omitempty"` // absent if no open spend can be in it
	Spends     []Finding `json:"spends"`
}

// Search is which part of the history was read.
type Search struct {
	Entries  int        `json:"entries"`
	From     *time.Time `json:"from,omitempty"` // of the oldest entry with a time
	To       *time.Time `json:"to,omitempty"`
	Complete bool       `json:"complete"` // back to the oldest open spend, or to the end
}

// Finding is what was found for one open spend. Money is in UGX.
type Finding struct {
	ID               string    `json:"id"`
	At               time.Time `json:"at"`
	Tool             string    `json:"tool"`
	Recipients       int       `json:"recipients,omitempty"`
	Units            int       `json:"units,omitempty"`
	TotalUGX         int64     `json:"total"`
	BalanceBeforeUGX *int64    `json:"balance_before,omitempty"` // absent if it was not read
	Suggestion       string    `json:"suggestion,omitempty"`     // sent, or nothing
	Summary          string    `json:"summary"`
	Matches          []Match   `json:"matches,omitempty"` // the first maxMatches
	MatchCount       int       `json:"match_count"`
}

// Match is an entry of the history with the same text and recipient as an open spend,
// and newer than it. It names neither the text nor the whole number.
type Match struct {
	At     *time.Time `json:"at,omitempty"` // absent if it cannot be read
	Phone  string     `json:"phone,omitempty"`
	Status string     `json:"status,omitempty"`
}

const (
	// maxMatches is how many matches of a spend a report lists.
	maxMatches = 5
	maxPages   = 50
	perPage    = 100 // the most that the API allows
)

// Run looks for all open spends of the ledger.
func Run(ctx context.Context, o Options) (Report, error) {
	report := Report{Spends: []Finding{}}
	open, err := o.Ledger.ListOpen(ctx)
	if err != nil || len(open) == 0 {
		return report, err
	}
	report.BalanceUGX = o.readBalance(ctx)
	account := ledger.AccountKey(client.CanonicalBaseURL(o.BaseURL), o.WalletID)
	var oldest time.Time
	for _, s := range open {
		if s.Account == account && s.Kind == ledger.KindSend && (oldest.IsZero() || s.At.Before(oldest)) {
			oldest = s.At
		}
	}
	var entries []entry
	if !oldest.IsZero() {
		var complete bool
		if entries, complete, err = o.readHistory(ctx, oldest); err != nil {
			return report, fmt.Errorf("the history cannot be read: %w", err)
		}
		report.History = newSearch(entries, complete)
	}
	index := newHistoryIndex(o.Ledger, account, entries)
	for _, s := range open {
		f := Finding{
			ID: s.ID, At: s.At, Tool: s.Tool, Recipients: s.Recipients, Units: s.Units, TotalUGX: s.TotalUGX,
			BalanceBeforeUGX: s.BalanceBeforeUGX,
		}
		switch {
		case s.Account != account:
			f.Summary = "It belongs to another wallet or base URL, so nothing was looked up."
		case s.Kind == ledger.KindTopUp:
			f.Summary = "The history does not show top-ups. Compare the balance, and ask the payer what the phone shows."
		default:
			found, err := index.find(ctx, s)
			if err != nil {
				return report, err
			}
			f.describe(found, *report.History)
		}
		report.Spends = append(report.Spends, f)
	}
	return report, nil
}

func (o Options) readBalance(ctx context.Context) *int64 {
	response, err := o.API.Balance(ctx, client.BalanceRequest{WalletID: o.WalletID})
	if err != nil {
		return nil
	}
	var data struct {
		Balance *float64 `json:"balance"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil {
		return nil
	}
	balanceUGX := int64(*data.Balance)
	return &balanceUGX
}

// readHistory reads the history back to a time, or to its end. complete is false if
// there is more than maxPages.
func (o Options) readHistory(ctx context.Context, since time.Time) (entries []entry, complete bool, err error) {
	seen := map[string]bool{} // a message that is sent meanwhile moves entries to the next page
	for page := int64(1); page <= maxPages; page++ {
		request := client.HistoryRequest{WalletID: o.WalletID, Page: page, PerPage: perPage}
		response, err := o.API.History(ctx, request)
		if err != nil {
			return nil, false, err
		}
		count := len(entries)
		for _, e := range readEntries(response.Data) {
			if !seen[e.key] {
				seen[e.key] = true
				entries = append(entries, e)
			}
		}
		if len(entries) == count { // no more, or always the same page
			return entries, true, nil
		}
		if isNewestFirst(entries) && entries[len(entries)-1].at.Before(since.Add(-maxEntryDelay)) {
			return entries, true, nil
		}
	}
	return entries, false, nil
}

// isNewestFirst reports whether all entries have a time, and none is newer than the
// one before it. The order of the history is not documented.
func isNewestFirst(entries []entry) bool {
	isSorted := slices.IsSortedFunc(entries, func(a, b entry) int { return b.at.Compare(a.at) })
	return isSorted && !slices.ContainsFunc(entries, func(e entry) bool { return e.at.IsZero() })
}

func newSearch(entries []entry, complete bool) *Search {
	s := &Search{Entries: len(entries), Complete: complete}
	for _, e := range entries {
		if e.at.IsZero() {
			continue
		}
		at := e.at.In(ledger.KampalaZone)
		if s.From == nil || at.Before(*s.From) {
			s.From = &at
		}
		if s.To == nil || at.After(*s.To) {
			s.To = &at
		}
	}
	return s
}
