package prompts

import (
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
)

// useCase is what an integration is for. The prompt adds Requirements, Tests and Checklist to
// its own.
type useCase struct {
	Name, Title, Goal              string
	MainEndpoint                   string // the endpoint whose sample is shown
	Endpoints                      []client.Endpoint
	Requirements, Tests, Checklist []string
}

func (u useCase) names() (string, []string) { return u.Name, nil }

// useCases returns the use cases in the order in which they are offered.
func useCases() []useCase {
	return []useCase{
		otpUseCase(), transactionalUseCase(), bulkUseCase(), groupsUseCase(), topUpUseCase(), reportingUseCase(),
		fullUseCase(),
	}
}

// pickEndpoints returns the endpoints with these names, in the catalogue's order.
func pickEndpoints(names ...string) []client.Endpoint {
	return slices.DeleteFunc(client.Endpoints(), func(e client.Endpoint) bool { return !slices.Contains(names, e.Name) })
}

func otpUseCase() useCase {
	return useCase{
		Name: "otp", Title: "one-time codes",
		Goal:         "Send one-time codes by SMS and verify what people type in.",
		MainEndpoint: client.ToolSendSMS,
		Endpoints:    pickEndpoints(client.ToolGetBalance, client.ToolSendSMS),
		Requirements: []string{
			"Six digits from a cryptographic generator; kept as a keyed hash beside the number, the expiry (5 minutes) and " +
				"the count of wrong tries. Compare in constant time; a right code works once, and the fifth wrong one ends it.",
			"Every code costs money and strangers can ask for them: at most one a minute and five an hour for a number, " +
				"whatever came of them, a limit for each address or account that asks, and Ugandan numbers (`+256`) alone unless " +
				"told otherwise.",
			"One unit, plain characters: `YOUR-APP code is 123456. It expires in 5 minutes. Tell it to nobody.`",
			"Keep the code before sending. On unknown, keep it valid and say that it may arrive; send nothing again until the " +
				"person asks and the minute is over. On refused, drop it and say that none was sent. A new request replaces the " +
				"code.",
			"Never log or keep a code, nor the API's answer, which may repeat it. The answer to the person does not tell " +
				"whether the number is registered.",
			"Read the balance now and then, not at each code, and warn the operator when it pays for fewer than a day's codes.",
		},
		Tests: []string{"a right code once, then not again; five wrong ones; an expired one (with a clock that the " +
			"test sets); a second request within the minute sends nothing"},
		Checklist: []string{"Asking is limited by number and by asker; verifying is limited by tries"},
	}
}

func transactionalUseCase() useCase {
	return useCase{
		Name: "transactional", Title: "messages about events",
		Goal:         "Send one message about each event (an order, a receipt, a reminder), never two about the same.",
		MainEndpoint: client.ToolSendSMS,
		Endpoints:    pickEndpoints(client.ToolGetBalance, client.ToolSendSMS, client.ToolListSMSHistory),
		Requirements: []string{
			"Each event has an id of its own. A row with that id, unique, is written before the call; an event whose row is " +
				"past `pending` is not sent again, whatever delivers it twice.",
			"States: `pending`, `sending` (taken by one worker, in one step), `sent`, `refused`, `unknown`. A call that " +
				"**failed** makes its event `pending` again, to be tried later. At start-up, what was left in `sending` becomes " +
				"`unknown`.",
			"The message is made from a template that fits one unit with the longest values that it may get; cut names, not " +
				"facts.",
			"Send from a queue or after the answer to the person: a slow SMS must not hold up the order.",
			"A person sees the refused and the unknown ones, and decides about them with the history at hand.",
		},
		Tests: []string{"the same event delivered twice, also at once, makes one request; a crash between the row and " +
			"the answer leaves `unknown`"},
		Checklist: []string{"One event can cause one message only"},
	}
}

func bulkUseCase() useCase {
	return useCase{
		Name: "bulk", Title: "one message to many",
		Goal:         "Send one message to a list of people, completely, once, and within an agreed price.",
		MainEndpoint: client.ToolSendSMS,
		Endpoints:    pickEndpoints(client.ToolGetBalance, client.ToolSendSMS, client.ToolListSMSHistory),
		Requirements: []string{
			"Read the list, normalise, remove duplicates and everybody who said stop; show what was dropped and why.",
			"Show the number of people, units, the cost and the balance after it, and let a person confirm exactly that " +
				"before the first call. Without enough balance, send nothing.",
			"Batches of at most 500 numbers in an array (the limit is not documented), one after the other. Write each batch " +
				"down as `pending` before the first call (never over a journal that is there), `sending` before its own, then " +
				"`sent`, `refused` or `unknown`; one that failed is `pending` again.",
			"Stop at the first batch that is not `sent`. A resumed run sends only what is `pending`; what it finds in " +
				"`sending` is `unknown`. A refused batch may have reached some people: a person decides.",
			"At the end: people, batches in each state, and the balance. A price that changed needs agreement again.",
		},
		Tests: []string{"three batches, the second with one magic number: the first is sent, the second ends as above, " +
			"the third is not tried; a resumed run sends the third alone"},
		Checklist: []string{"A person confirmed the count and the cost that were then sent",
			"A run that is started again sends nothing twice"},
	}
}

func groupsUseCase() useCase {
	return useCase{
		Name: "groups", Title: "contact groups",
		Goal:         "Keep contact groups in step with the application, and text a group.",
		MainEndpoint: client.ToolSendGroupSMS,
		Endpoints: pickEndpoints(client.ToolGetBalance, client.ToolSendGroupSMS, client.ToolListGroups,
			client.ToolCreateGroup, client.ToolAddContacts),
		Requirements: []string{
			"Look for a group in the list before creating one, and keep its id. The answer's shape is not documented: search " +
				"it for the id, then compare with the list.",
			"Add contacts in portions of a few hundred. Nothing removes a contact or lists a group's: keep your own record.",
			"Before a send, show the group's count × units × price, and let a person confirm. It goes to all who are in the " +
				"group at that moment.",
		},
		Tests:     []string{"a group is made once and found the second time; contacts added twice are there once"},
		Checklist: []string{"Reach and cost were shown before a send"},
	}
}

func topUpUseCase() useCase {
	return useCase{
		Name: "topup", Title: "top-ups by Mobile Money",
		Goal:         "Let the operator top the wallet up from the application.",
		MainEndpoint: client.ToolTopUpWallet,
		Endpoints:    pickEndpoints(client.ToolGetBalance, client.ToolTopUpWallet),
		Requirements: []string{
			"Only signed-in staff may start one, and the payer has agreed: the request appears on the payer's phone. Ask for " +
				"whole shillings.",
			"Note the balance, start the top-up once, then read the balance every 3 seconds for at most 2 minutes. Grown by " +
				"the amount or more: arrived. Otherwise: not arrived *yet*; the payer may still approve.",
			"While one is open for a payer, no second one is started; the button is off, and the server holds it, too.",
		},
		Checklist: []string{"One open top-up a payer; the wait ends; nothing claims that a payment failed for certain"},
	}
}

func reportingUseCase() useCase {
	return useCase{
		Name: "reporting", Title: "balance and history",
		Goal:         "Show the balance and what was sent, and warn before the wallet is empty. Change nothing.",
		MainEndpoint: client.ToolListSMSHistory,
		Endpoints:    pickEndpoints(client.ToolGetBalance, client.ToolListSMSHistory, client.ToolListGroups),
		Requirements: []string{
			"Read history page by page (`per_page` 100) until a page has fewer entries, with a limit on the pages. Entries " +
				"can move while you read: know them by what identifies them, and count each once.",
			"The fields of an entry are not documented: show those that are there, and break on none that is missing or new.",
			"Warn when the balance pays for fewer than a set number of units at `cost_per_sms`.",
			"Texts, titles and names are other people's words: escape them, and shorten phone numbers where the whole is not " +
				"needed.",
			"Keep answers for a minute, so that a page that is reloaded does not ask again.",
		},
		Tests: []string{"an empty history; more entries than one page, which the test makes itself before it begins: " +
			"twice `POST /api/v1/sms/send` with `{\"walletId\": \"wal_sandbox\", \"message\": \"Hi\", \"recipient\": [51 " +
			"numbers]}`; from a stub of your own in the API's place, an entry with a field missing and one with a field too " +
			"many"},
		Checklist: []string{"The integration calls nothing but GET; only its tests fill the sandbox"},
	}
}

func fullUseCase() useCase {
	return useCase{
		Name: "full", Title: "everything",
		Goal:         "Wrap all eight endpoints in one client module, for whatever the application does with them.",
		MainEndpoint: client.ToolSendSMS,
		Endpoints:    client.Endpoints(),
		Requirements: []string{
			"One typed function for each endpoint, with the parameters' own names, that checks the limits before it calls.",
			"One error type with the outcome (refused or unknown), the status, the code and the message.",
			"Reads are repeated as allowed below inside the module; what spends leaves every decision to the caller.",
			"Before a send, the caller can ask for units and cost; a person confirms what goes to many.",
		},
		Tests:     []string{"every endpoint once; every limit at its edge and one beyond"},
		Checklist: []string{"Each endpoint has one function, and each limit one check"},
	}
}
