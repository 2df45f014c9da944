package guard

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// DoNotTextList is a file of phone numbers that are never texted, one a line. What
// follows a # is a comment. The nil list is empty. It is safe for concurrent use.
type DoNotTextList struct {
	path      string
	countries []string // allowed calling codes

	mu      sync.Mutex
	sum     [sha256.Size]byte // of the file that numbers are from
	numbers map[string]bool   // in E.164
}

// NewDoNotTextList returns the list in a file; nil if path is "". It reads nothing.
// countries are the allowed calling codes: their numbers may be without a plus, as in
// the recipients of a send.
func NewDoNotTextList(path string, countries []string) *DoNotTextList {
	if path == "" {
		return nil
	}
	return &DoNotTextList{path: path, countries: countries}
}

// maxDoNotTextBytes is how much of a list is read.
const maxDoNotTextBytes = 32 << 20

// Check returns how many numbers are in the list, or why it cannot be used. Its
// error names the bad line.
func (l *DoNotTextList) Check() (count int, err error) {
	numbers, err := l.read()
	return len(numbers), err
}

// read reads the file. It is parsed only if it has changed.
func (l *DoNotTextList) read() (map[string]bool, error) {
	if l == nil {
		return nil, nil
	}
	info, err := os.Stat(l.path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // a pipe would be read once, or never end
		return nil, errors.New("it is not a regular file")
	case info.Size() > maxDoNotTextBytes:
		return nil, fmt.Errorf("it is larger than %d MiB", maxDoNotTextBytes>>20)
	}
	text, err := os.ReadFile(l.path)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := sha256.Sum256(text)
	if l.numbers != nil && sum == l.sum {
		return l.numbers, nil
	}
	numbers, err := parseDoNotText(string(text), l.countries)
	if err != nil {
		return nil, err
	}
	l.sum, l.numbers = sum, numbers
	return numbers, nil
}

func parseDoNotText(text string, countries []string) (map[string]bool, error) {
	numbers := map[string]bool{}
	lineNumber := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		lineNumber++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		phones := parseNumbers([]string{line}, countries)
		if len(phones.e164) != 1 || len(phones.rejected) > 0 {
			return nil, fmt.Errorf("line %d is not one phone number", lineNumber)
		}
		numbers[phones.e164[0]] = true
	}
	return numbers, nil
}

// recipientFilter are the recipients of a send that the do-not-text list names.
type recipientFilter struct {
	allowed, blocked []string
}

func (o recipientFilter) nobodyLeft() bool { return len(o.allowed) == 0 && len(o.blocked) > 0 }

// readOptOuts reads the do-not-text list for a send. A group cannot be filtered, but
// a list that cannot be used stops it too.
func (g *Guard) readOptOuts(c spendCall) (recipientFilter, error) {
	if g.options.DoNotText == nil || c.intent.Kind != ledger.KindSend {
		return recipientFilter{allowed: c.intent.Targets}, nil
	}
	numbers, err := g.options.DoNotText.read()
	if err != nil {
		return recipientFilter{}, g.doNotTextError(err)
	}
	if c.intent.Tool != client.ToolSendSMS {
		return recipientFilter{allowed: c.intent.Targets}, nil
	}
	var o recipientFilter
	for _, target := range c.intent.Targets {
		if numbers[target] {
			o.blocked = append(o.blocked, target)
		} else {
			o.allowed = append(o.allowed, target)
		}
	}
	return o, nil
}

// doNotTextError is the refusal of a send without a usable list. A server's caller
// does not see the path.
func (g *Guard) doNotTextError(err error) *Error {
	g.options.Logger.Error("the do-not-text list cannot be used; nothing is sent", "error", err)
	where, reason := "WESENDALL_DO_NOT_TEXT", err.Error()
	if g.callerID == "" {
		where += "=" + g.options.DoNotText.path
	}
	if _, isPath := errors.AsType[*os.PathError](err); isPath && g.callerID != "" {
		reason = "the file cannot be read"
	}
	return NewError(CodeNotConfigured, fmt.Sprintf("Nothing was sent: the do-not-text list (%s) cannot be used: %s. "+
		"The operator must fix it. Reading works.", where, reason))
}

// withOptOuts adds to a cost which recipients are on the do-not-text list, and what a
// quote says about it. The list is read each time. A quote covers the numbers on it
// too: the list may change before the send.
func (g *Guard) withOptOuts(c spendCall, cost spendCost) (spendCost, error) {
	o, err := g.readOptOuts(c)
	if err != nil {
		return spendCost{}, err
	}
	cost.optOuts, cost.optOutNote = o, ""
	switch {
	case len(o.blocked) > 0:
		cost.optOutNote = fmt.Sprintf("%s not be texted, because the operator's do-not-text list (WESENDALL_DO_NOT_TEXT) "+
			"names them: %s. The quote covers the whole list.",
			pluralizeNumbers(len(o.blocked), "will", "will"), listNumbers(o.blocked))
		if reached := cost.withoutOptOuts(c); reached.targets != nil {
			cost.optOutNote += fmt.Sprintf(" Now it would reach %s for about UGX %s.",
				sanitize.Pluralize(reached.recipients, "recipient"), sanitize.FormatThousands(reached.totalUGX))
		}
	case g.options.DoNotText != nil && c.intent.Tool == client.ToolSendGroupSMS:
		cost.optOutNote = "The do-not-text list (WESENDALL_DO_NOT_TEXT) does not apply to a group: its numbers cannot be listed."
	}
	return cost, nil
}

// withoutOptOuts returns the cost of a send to the recipients that are not on the
// do-not-text list; the cost itself if nobody is left.
func (cost spendCost) withoutOptOuts(c spendCall) spendCost {
	o := cost.optOuts
	switch {
	case o.nobodyLeft() || cost.targets != nil:
		return cost
	case len(o.blocked) == 0:
		cost.optOutNote = ""
		return cost
	}
	cost.targets, cost.recipients, cost.quotedUGX = o.allowed, len(o.allowed), cost.totalUGX
	cost.totalUGX = estimateTotal(c.intent.Units, cost.recipients, cost.unitUGX)
	cost.audience = formatRecipients(o.allowed)
	cost.optOutNote = fmt.Sprintf("%s dropped, because the operator's do-not-text list (WESENDALL_DO_NOT_TEXT) names them: %s.",
		pluralizeNumbers(len(o.blocked), "was", "were"), listNumbers(o.blocked))
	return cost
}

func nobodyLeftError(count int) *Error {
	return NewError(CodeDestinationNotAllowed, fmt.Sprintf(
		"Nothing was sent: %s on the operator's do-not-text list (WESENDALL_DO_NOT_TEXT), and nobody is left.",
		pluralizeNumbers(count, "is", "are")))
}

func pluralizeNumbers(n int, singular, plural string) string {
	verb := plural
	if n == 1 {
		verb = singular
	}
	return sanitize.Pluralize(n, "number") + " " + verb
}
