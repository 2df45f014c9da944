package guard

import (
	"context"
	"fmt"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// maxContacts is how many contacts one call may add.
const maxContacts = 10_000

// ContactsReceipt is the answer to contacts that were handed in.
type ContactsReceipt struct {
	*client.Response
	HandedIn int      // contacts, each number once
	Notes    []string // on the numbers
}

// AddContacts adds contacts to a group. A number that is listed again is handed in
// once, with the first name that it has.
func (g *Guard) AddContacts(ctx context.Context, req client.AddContactsRequest) (*ContactsReceipt, error) {
	if n := len(req.Contacts); n > maxContacts {
		return nil, NewError(CodeInvalidArguments, fmt.Sprintf("Nothing was added. contacts: %d, and one call may add %d. "+
			"Split the list.", n, maxContacts))
	}
	if err := g.checkWalletAccess(ctx, req.WalletID); err != nil {
		return nil, err
	}
	contacts, notes, err := g.parseContacts(req.Contacts)
	if err != nil {
		return nil, err
	}
	req.Contacts = contacts
	response, err := callRateLimited(ctx, g, g.api.AddContacts, req)
	if err != nil {
		return nil, err
	}
	return &ContactsReceipt{response, len(contacts), notes}, nil
}

// parseContacts reads the numbers of contacts, each once.
func (g *Guard) parseContacts(listed []client.Contact) (contacts []client.Contact, notes []string, err error) {
	var problems []string
	var all phoneList
	index := map[string]int{}
	for i, c := range listed {
		argument := fmt.Sprintf("contacts/%d/phone", i)
		phones := parseNumbers([]string{c.Phone}, g.options.Countries)
		if len(phones.e164)+len(phones.rejected) != 1 {
			problems = append(problems, argument+": must be one phone number")
			continue
		}
		if problems = append(problems, phones.problems(argument)...); len(phones.rejected) > 0 {
			continue
		}
		if err := g.checkDestinations(argument, &phones, false); err != nil {
			return nil, nil, err
		}
		number := phones.e164[0]
		if first, ok := index[number]; ok {
			all.repeated++
			if contacts[first].Name == "" {
				contacts[first].Name = c.Name
			}
			continue
		}
		index[number] = len(contacts)
		contacts = append(contacts, client.Contact{Phone: number, Name: c.Name})
		all.warnings = append(all.warnings, phones.warnings...)
	}
	if len(problems) > 0 {
		return nil, nil, NewError(CodeInvalidArguments, "Nothing was added. "+sanitize.JoinProblems(problems))
	}
	return contacts, all.notes(), nil
}
