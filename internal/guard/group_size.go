package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
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
	size, title, known := groupSize(response.Data, c.groupID)
	maxCount, _ := g.maxRecipients()
	switch {
	case known && size == 0:
		return spendCost{}, NewError(CodeInvalidArguments,
			"Nothing was sent. groupId: the group has no contacts; add_contacts adds them")
	case known && size > maxCount:
		return spendCost{}, g.recipientsError(fmt.Sprintf("the group has %d contacts", size),
			"Use a smaller group, or send_sms to its numbers in several calls.")
	}
	cost := spendCost{
		recipients: size, sizeUnknown: !known, groupTitle: title,
		notes: []string{"Who is in the group was not checked: its numbers cannot be listed."},
		audience: fmt.Sprintf("the %s of the group %q", sanitize.Pluralize(size, "contact"),
			strings.TrimSpace(sanitize.Truncate(title, maxQuotedRunes)+" "+sanitize.Truncate(c.groupID, maxQuotedRunes))),
	}
	if !known {
		cost.notes = append(cost.notes, "The group's size cannot be read, so the total is all that the wallet holds.")
		cost.audience = fmt.Sprintf("everyone in the group %q (their number is not known)",
			sanitize.Truncate(c.groupID, maxQuotedRunes))
	}
	return cost, nil
}

// groupSize reads how many contacts a group has from the list of groups. No
// document shows that list, so only what cannot be mistaken counts; otherwise the
// size is unknown.
func groupSize(groups json.RawMessage, id string) (size int, title string, known bool) {
	var value any
	if json.Unmarshal(groups, &value) != nil {
		return 0, "", false
	}
	var matches []map[string]any
	walkObjects(value, func(object map[string]any) {
		hasID := func(name string) bool { return object[name] == id }
		if slices.ContainsFunc([]string{"id", "_id", "groupId", "group_id"}, hasID) {
			matches = append(matches, object)
		}
	})
	if len(matches) != 1 {
		return 0, "", false
	}
	group := matches[0]
	title, _ = group["title"].(string)
	counts := []any{
		group["contact_count"], group["contacts_count"], group["contactCount"], group["contactsCount"], group["contacts"],
	}
	if inner, ok := group["_count"].(map[string]any); ok {
		counts = append(counts, inner["contacts"])
	}
	for _, count := range counts {
		// A list of contacts is no count: it may be a part of them.
		if n, ok := count.(float64); ok && n >= 0 && n == math.Trunc(n) && n < 1<<31 {
			return int(n), title, true
		}
	}
	return 0, title, false
}

// walkObjects visits every object in a JSON value.
func walkObjects(value any, visit func(map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			walkObjects(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walkObjects(inner, visit)
		}
	}
}
