package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// maxStatusRunes is how much of a status is shown.
const maxStatusRunes = 40

// maxEntryDelay is how long after a send the time of its entry may be.
const maxEntryDelay = time.Hour

// historyIndex finds the entries of open spends. The ledger has only hashes, so texts and
// numbers of the history are hashed for the comparison.
type historyIndex struct {
	ledger  *ledger.Ledger
	account string
	byText  map[string][]entry // by folded text
}

func newHistoryIndex(l *ledger.Ledger, account string, entries []entry) historyIndex {
	ix := historyIndex{l, account, map[string][]entry{}}
	for _, e := range entries {
		isAdded := map[string]bool{}
		for _, text := range e.texts {
			if folded := fold.Message(text); !isAdded[folded] {
				isAdded[folded] = true
				ix.byText[folded] = append(ix.byText[folded], e)
			}
		}
	}
	return ix
}

// findings are the entries that have the text and a recipient of a spend and are newer.
type findings struct {
	evidence   []entry // can only be of this spend
	shared     []entry // may be of another spend with the same text
	unclear    []entry // have no time or number that can be read
	failed     []entry // have a status that does not say that they were sent
	phones     map[string]bool
	recipients int
}

// find finds the entries of a send.
func (ix historyIndex) find(ctx context.Context, s ledger.OpenSpend) (findings, error) {
	found := findings{phones: map[string]bool{}, recipients: s.Recipients}
	for text, entries := range ix.byText {
		if !ix.ledger.HasContent(s, text) {
			continue
		}
		attempts, err := ix.listAttempts(ctx, text)
		if err != nil {
			return found, err
		}
		if s.Tool == client.ToolSendGroupSMS { // whom it reached is not known here
			found.add(entries, candidateSpends{attempts: attempts, id: s.ID})
			continue
		}
		byPhone := map[string][]entry{}
		for _, e := range entries {
			byPhone[e.phone] = append(byPhone[e.phone], e)
		}
		for phone, ofPhone := range byPhone {
			c := ix.candidatesFor(attempts, s.ID, phone)
			switch {
			case phone == "":
				found.unclear = append(found.unclear, notOlderThan(s.At, ofPhone)...)
			case c.position() >= 0:
				found.add(ofPhone, c)
			}
		}
	}
	return found, nil
}

// listAttempts lists the sends of a text to numbers and to groups: the history does
// not tell which an entry belongs to.
func (ix historyIndex) listAttempts(ctx context.Context, text string) ([]ledger.Attempt, error) {
	var all []ledger.Attempt
	for _, tool := range []string{client.ToolSendSMS, client.ToolSendGroupSMS} {
		attempts, err := ix.ledger.ListAttempts(ctx, ix.account, tool, text)
		if err != nil {
			return nil, err
		}
		for _, a := range attempts {
			if mayHaveEntry(a) {
				all = append(all, a)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b ledger.Attempt) int { return a.At.Compare(b.At) })
	return all, nil
}

// mayHaveEntry reports whether the history may have entries of an attempt: not of one
// that was refused, or never left. A refunded one may be listed.
func mayHaveEntry(a ledger.Attempt) bool {
	return a.State != ledger.StateFailed || a.Code == ledger.ResolvedCode || a.Code == client.CodeSendFailed
}

// candidateSpends are the spends that an entry may belong to, oldest first, and the id of the
// one that is looked for.
type candidateSpends struct {
	attempts []ledger.Attempt
	id       string
}

func (ix historyIndex) candidatesFor(attempts []ledger.Attempt, id, phone string) candidateSpends {
	c := candidateSpends{id: id}
	for _, a := range attempts {
		if a.Tool == client.ToolSendGroupSMS || ix.ledger.WasAddressedTo(a, phone) {
			c.attempts = append(c.attempts, a)
		}
	}
	return c
}

func (c candidateSpends) position() int {
	return slices.IndexFunc(c.attempts, func(a ledger.Attempt) bool { return a.ID == c.id })
}

// notOlderThan are the entries that are not older than a time, which they may have in
// whole seconds.
func notOlderThan(at time.Time, entries []entry) (newer []entry) {
	for _, e := range entries {
		if e.at.IsZero() || !e.at.Before(at.Truncate(time.Second)) {
			newer = append(newer, e)
		}
	}
	return newer
}

// add sorts the entries with the right text and recipient. Those after the spend and
// before the next one with the same text are evidence, unless so few entries follow an
// earlier spend of the last hour that they may belong to it, with a late time.
func (f *findings) add(entries []entry, c candidateSpends) {
	position := c.position()
	start := c.attempts[position].At.Truncate(time.Second) // entries may have whole seconds
	var end time.Time
	if position+1 < len(c.attempts) {
		end = c.attempts[position+1].At
	}
	isBefore := func(e entry) bool { return end.IsZero() || e.at.Before(end) }
	var beforeNext []entry // before the next spend
	for _, e := range entries {
		switch {
		case e.at.IsZero():
			f.unclear = append(f.unclear, e)
		case e.at.Before(start):
			if !e.status.isFault {
				beforeNext = append(beforeNext, e)
			}
		case e.status.isFault:
			f.failed = append(f.failed, e)
		case isBefore(e):
			beforeNext = append(beforeNext, e)
		default:
			f.shared = append(f.shared, e)
		}
	}
	own := slices.DeleteFunc(slices.Clone(beforeNext), func(e entry) bool { return e.at.Before(start) })
	if len(own) == 0 {
		return
	}
	if !c.hasEnoughEntries(position, beforeNext) {
		f.shared = append(f.shared, own...)
		return
	}
	f.evidence = append(f.evidence, own...)
	for _, e := range own {
		f.phones[e.phone] = true
	}
}

// hasEnoughEntries reports whether there are entries for this spend and for each earlier one of
// the last hour.
func (c candidateSpends) hasEnoughEntries(position int, entries []entry) bool {
	current := c.attempts[position]
	for i := position - 1; i >= 0 && c.attempts[i].At.After(current.At.Add(-maxEntryDelay)); i-- {
		if current.Tool == client.ToolSendGroupSMS || c.attempts[i].Tool == client.ToolSendGroupSMS {
			return false // it is not known how many entries a send to a group has
		}
		start, count := c.attempts[i].At.Truncate(time.Second), 0
		for _, e := range entries {
			if !e.at.Before(start) {
				count++
			}
		}
		if count < position-i+1 {
			return false
		}
	}
	return true
}

// describe says what was found for a spend.
func (f *Finding) describe(found findings, searched Search) {
	all := slices.Concat(found.evidence, found.shared, found.unclear, found.failed)
	f.MatchCount = len(all)
	for _, e := range all[:min(len(all), maxMatches)] {
		m := Match{Phone: maskPhone(e.phone), Status: sanitize.Truncate(sanitize.Text(e.status.text), maxStatusRunes)}
		if at := e.at.In(ledger.KampalaZone); !e.at.IsZero() {
			m.At = &at
		}
		f.Matches = append(f.Matches, m)
	}
	switch {
	case len(found.evidence) > 0:
		f.Suggestion = string(ledger.StateSent)
		f.Summary = fmt.Sprintf("The history has this text after the send, %s.", found.describeReach())
	case len(found.shared) > 0:
		f.Summary = "The history has this text after the send, but it may belong to another send of the same text."
	case len(found.unclear) > 0:
		f.Summary = "The history has this text, but when or to whom it was sent cannot be read."
	case len(found.failed) > 0:
		f.Summary = "The history has this text after the send, with a status that does not say that it was sent. " +
			"Whether it was charged is not known."
	default:
		f.Summary = searched.noMatch()
	}
}

func (f findings) describeReach() string {
	if f.recipients == 0 || len(f.phones) > f.recipients {
		return "to " + sanitize.Pluralize(len(f.phones), "number")
	}
	return fmt.Sprintf("to %d of its %s", len(f.phones), sanitize.Pluralize(f.recipients, "recipient"))
}

// noMatch says which entries were searched without a match.
func (s Search) noMatch() string {
	text := fmt.Sprintf("No match in %d entries", s.Entries)
	if s.From != nil {
		text += fmt.Sprintf(" from %s to %s", s.From.Format(time.RFC3339), s.To.Format(time.RFC3339))
	}
	if !s.Complete {
		text += "; older entries were not read"
	}
	return text + ". This does not prove that it was not sent."
}

// maskPhone shows the last three digits of a number.
func maskPhone(phone string) string {
	if len(phone) <= 3 {
		return ""
	}
	return "…" + phone[len(phone)-3:]
}
