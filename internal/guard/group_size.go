package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// readGroup reads how many contacts a group has.
func (g *Guard) readGroup(ctx context.Context, c spendCall) (spendCost, error) {
	response, err := callRateLimited(ctx, g, g.api.Groups, client.GroupsRequest{WalletID: c.walletID})
	if err != nil {
		e := *toError(err)
		e.Message = "Nothing was sent: the group could not be read. " + e.Message
		return spendCost{}, &e
	}
	list := parseGroupList(response)
	matches := list.find(c.groupID)
	if len(matches) == 0 {
		if lacks, groups := list.isCertainlyMissing(c.groupID); lacks {
			return spendCost{}, noSuchGroup(c.groupID, groups)
		}
	}
	if len(matches) != 1 {
		return newGroupCost(c, "", 0, false), nil
	}
	size, known := groupSize(matches[0])
	maxCount, _ := g.maxRecipients()
	switch {
	case known && size == 0:
		return spendCost{}, NewError(CodeInvalidArguments,
			"Nothing was sent. groupId: the group has no contacts; add_contacts adds them")
	case known && size > maxCount:
		return spendCost{}, g.recipientsError(fmt.Sprintf("the group has %d contacts", size),
			"Use a smaller group, or send_sms to its numbers in several calls.")
	}
	title := sanitize.Truncate(firstText(matches[0], groupTitleNames), maxTitleRunes)
	return newGroupCost(c, title, size, known), nil
}

// maxTitleRunes is how much of a group's title a quote and a confirmation show.
const maxTitleRunes = 80

func noSuchGroup(id string, groups []listedGroup) *Error {
	e := NewError(CodeInvalidArguments, "Nothing was sent. groupId: no group has this id; "+suggestGroups(id, groups))
	e.NextTool = client.ToolListGroups
	return e
}

// newGroupCost is the cost of a send to a group, without the price.
func newGroupCost(c spendCall, title string, size int, known bool) spendCost {
	name := "the group with the id " + sanitize.Truncate(sanitize.Text(c.groupID), maxQuotedRunes)
	if title != "" {
		name = fmt.Sprintf("the group %q (id %s)", sanitize.Truncate(sanitize.Text(title), maxQuotedRunes),
			sanitize.Truncate(sanitize.Text(c.groupID), maxQuotedRunes))
	}
	cost := spendCost{
		recipients: size, sizeUnknown: !known, groupTitle: title,
		notes:    []string{"Who is in the group was not checked: its numbers cannot be listed."},
		audience: fmt.Sprintf("the %s of %s", sanitize.Pluralize(size, "contact"), name),
	}
	if !known {
		cost.audience = fmt.Sprintf("everyone in %s (their number is not known)", name)
	}
	return cost
}

// groupSize reads how many contacts a group has. No document shows the fields of a
// group, so only whole numbers with a name that speaks of its contacts count, and
// only if they agree. A list of contacts is no count: it may be a part of them.
func groupSize(group map[string]any) (size int, known bool) {
	sizes := map[int64]bool{}
	collectSizes(group, nil, sizes)
	if len(sizes) != 1 {
		return 0, false
	}
	for n := range sizes {
		known = n >= 0 && n < 1<<31
		size = int(n)
	}
	if !known {
		return 0, false
	}
	return size, true
}

var (
	sizeWords    = []string{"contact", "member", "recipient", "size"}
	notSizeWords = []string{"id", "sent", "message", "cost", "price", "at", "updated", "created", "time", "timestamp", "date", "since"}
)

// collectSizes collects the whole numbers of an object whose name, or whose
// parent's, speaks of contacts.
func collectSizes(object map[string]any, parentWords []string, sizes map[int64]bool) {
	for name, value := range object {
		words := splitWords(name)
		if hasWord(words, notSizeWords) {
			continue
		}
		switch v := value.(type) {
		case json.Number:
			n, err := v.Float64()
			if err == nil && n == math.Trunc(n) && math.Abs(n) < 1<<52 && (hasWord(words, sizeWords) || hasWord(parentWords, sizeWords)) {
				sizes[int64(n)] = true
			}
		case map[string]any:
			collectSizes(v, words, sizes)
		}
	}
}

func hasWord(words, wanted []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(wanted, singular(word)) })
}

// isSizeUnknown reports whether the number of recipients is unknown. Then the total is
// a reservation and not a price.
func isSizeUnknown(in ledger.Intent) bool { return in.Kind == ledger.KindSend && in.Recipients == 0 }
