package prompts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

func integratePrompt(d *reference.Document) Prompt {
	return Prompt{
		Name: "integrate_wesendall", Title: "Integrate Wesendall", Description: "A complete briefing for a coding agent",
		Arguments: []Argument{
			{Name: "language", Description: "JavaScript, Python, …", Required: true, Choices: func(Values) []string { return nameList(languages()) }},
			{Name: "framework", Description: "Next.js, Django, …", Required: true, Choices: frameworkChoices},
			{Name: "use_case", Description: "otp, transactional, bulk, groups, topup, reporting, full", Required: true, Choices: func(Values) []string { return nameList(useCases()) }},
			{Name: "details", Description: "More requirements"},
		},
		buildData: func(v Values, budget int) any { return newIntegrateData(d, v, budget) },
	}
}

// nameable are the things that one can choose by name.
type nameable interface{ names() (string, []string) }

func nameList[T nameable](items []T) []string {
	var list []string
	for _, item := range items {
		name, _ := item.names()
		list = append(list, name)
	}
	return list
}

// findByName looks a name up as people type it.
func findByName[T nameable](items []T, typed string) (T, bool) {
	normalize := func(s string) string {
		return strings.NewReplacer(" ", "", "-", "", "_", "", ".", "").Replace(strings.ToLower(s))
	}
	for _, item := range items {
		name, aliases := item.names()
		for _, alias := range append(aliases, name) {
			if normalize(alias) == normalize(typed) {
				return item, true
			}
		}
	}
	var zero T
	return zero, false
}

func frameworkChoices(chosen Values) []string {
	if l, ok := findByName(languages(), chosen["language"]); ok {
		return nameList(l.Frameworks)
	}
	var choices []string
	for _, l := range languages() {
		for _, name := range nameList(l.Frameworks) {
			if !slices.Contains(choices, name) {
				choices = append(choices, name)
			}
		}
	}
	return choices
}

// integrateData is what the template gets.
type integrateData struct {
	Language  language
	Framework framework
	UseCase   useCase
	Notes     []string // what was made of the arguments
	Details   *FencedData

	Main                                         client.Endpoint // the use case's own
	Codes                                        []codeGroup
	Rules, Tests, Checklist                      []string
	HasSends, HasRecipientList, HasPhoneNumbers  bool // messages; with a list of numbers; anything with numbers
	HasDocumentedAnswers, HasUndocumentedAnswers bool // answers of the endpoints
	Sample, SampleIntro                          string
	CodeFence                                    string
}

func newIntegrateData(d *reference.Document, v Values, budget int) *integrateData {
	b := &integrateData{}
	addNote := func(format string, args ...any) { b.Notes = append(b.Notes, fmt.Sprintf(format, args...)) }
	var ok bool
	if b.UseCase, ok = findByName(useCases(), v["use_case"]); !ok {
		b.UseCase, _ = findByName(useCases(), "full")
		addNote("The use case “%s” is not one of %s, so this briefing covers everything.", inlineText(v["use_case"], 60), strings.Join(nameList(useCases()), ", "))
	}
	if b.Language, ok = findByName(languages(), v["language"]); !ok {
		b.Language = genericLanguage(inlineText(v["language"], 40))
		addNote("There is no sample for the language “%s”: the requests are given as precise HTTP.", inlineText(v["language"], 60))
	}
	if b.Framework, ok = findByName(b.Language.Frameworks, v["framework"]); !ok {
		b.Framework = framework{Name: inlineText(v["framework"], 30), SecretStorage: "In the server's environment or its secret store, read once when it starts."}
		if _, none := findByName([]framework{{Name: "none"}, {Name: "n/a"}}, v["framework"]); none || b.Framework.Name == "" {
			b.Framework.Name = ""
		} else {
			addNote("Nothing is known here of “%s”: the general rules hold.", b.Framework.Name)
		}
	}
	if b.UseCase.Name == "full" && budget != 0 {
		budget = maxDataChars + dataOverhead // it is over the limit for one use case anyway
	}
	b.Details = newFencedData(v["details"], budget)
	b.fillFromEndpoints(d)
	return b
}

// codeGroup is the codes of one status that ask for the same.
type codeGroup struct {
	Status int
	Names  string // in Markdown
	Action string
}

// groupCodes are the codes that calls of these endpoints may fail with.
func groupCodes(endpoints []client.Endpoint) []codeGroup {
	var groups []codeGroup
	for _, c := range client.ErrorCodes() {
		if !slices.ContainsFunc(endpoints, func(e client.Endpoint) bool { return slices.Contains(reference.EndpointCodes(e), c) }) {
			continue
		}
		action, last := reference.SummaryAdvice(c, endpoints), len(groups)-1
		if last >= 0 && groups[last].Status == c.Status && groups[last].Action == action {
			groups[last].Names += ", `" + c.Name + "`"
			continue
		}
		groups = append(groups, codeGroup{c.Status, "`" + c.Name + "`", action})
	}
	return groups
}

// fillFromEndpoints fills in what follows from the use case's endpoints.
func (b *integrateData) fillFromEndpoints(d *reference.Document) {
	has := map[string]bool{}
	var spends, creates bool
	for _, e := range b.UseCase.Endpoints {
		has[e.Name] = true
		b.HasSends = b.HasSends || e.Name == client.ToolSendSMS || e.Name == client.ToolSendGroupSMS
		spends = spends || e.Effect == client.EffectSpend
		creates = creates || e.Effect == client.EffectCreate
		b.HasDocumentedAnswers = b.HasDocumentedAnswers || e.ExampleResponse != nil
		b.HasUndocumentedAnswers = b.HasUndocumentedAnswers || e.ExampleResponse == nil
		if e.Name == b.UseCase.MainEndpoint {
			b.Main = e
		}
	}
	b.Codes = groupCodes(b.UseCase.Endpoints)
	b.HasRecipientList = has[client.ToolSendSMS]
	b.HasPhoneNumbers = b.HasSends || has[client.ToolTopUpWallet] || has[client.ToolAddContacts]

	addIf := func(condition bool, list *[]string, lines ...string) {
		if condition {
			*list = append(*list, lines...)
		}
	}
	addIf(true, &b.Rules, "A GET"+map[bool]string{true: ", and adding contacts (duplicates are skipped),"}[has[client.ToolAddContacts]]+" may be repeated once on "+reference.RetryableStatuses+" or a lost connection: after a random 0.25 to 0.75 seconds, and `Retry-After` more if it came.")
	addIf(has[client.ToolSendSMS], &b.Rules,
		"A send to **one** number may be repeated once, and only after 502 with `send_failed`. A send to several never.")
	addIf(has[client.ToolSendGroupSMS], &b.Rules, "A send to a group is never repeated by the program.")
	addIf(has[client.ToolTopUpWallet], &b.Rules, "A top-up is never repeated by the program: two calls are two payments, and the payer may approve both. The wallet is credited when the payer approves on the phone; nobody tells you, and there is no endpoint for one deposit. Only a balance that has grown shows it.")
	addIf(creates, &b.Rules, "Creating a group is never repeated by the program: assume that each call makes one more. List the groups first.")
	addIf(spends, &b.Rules,
		"Everything else on a POST that spends (`internal_error`, any other status, a timeout, a lost connection, a redirect, a 2xx that is no success) is **unknown**. There is no idempotency key: repeating an unknown call may text or charge twice.",
		"Write down what is to be sent *before* the call, and the outcome after it. After a crash, what has no outcome is unknown.")
	addIf(spends && has[client.ToolListSMSHistory] && b.HasSends, &b.Rules, "An unknown send is looked up in the history and the balance by a person or a later job. A message that is not there yet proves nothing.")

	message, amount := reference.FindParam(client.ToolSendSMS, "message"), reference.FindParam(client.ToolTopUpWallet, "amount")
	addIf(b.HasSends, &b.Tests,
		"a send takes units × recipients × 35 from the balance",
		"recipient `+256700000502`: 502 `send_failed`, refunded; "+map[bool]string{true: "one repeat for a single number, none otherwise", false: "no repeat"}[b.HasRecipientList]+"; then refused",
		"recipient `+256700000500` (500 `internal_error`), and `+256700000408` (sent and charged, then the connection drops): unknown, after exactly one request",
		sanitize.FormatThousands(message.Max)+" code units pass and "+sanitize.FormatThousands(message.Max+1)+" are refused before any request"+map[bool]string{true: "; the same number in two forms is sent to once"}[b.HasRecipientList],
		"`--balance 0`: 402 `insufficient_balance`, refused")
	addIf(has[client.ToolSendGroupSMS], &b.Tests, "the sandbox's group `grp_customers` has two contacts: a send to it costs 2 × 35 a unit; add one of the numbers above to try a failure")
	addIf(has[client.ToolTopUpWallet], &b.Tests,
		"any payer but these approves after a second: the balance grows, and the wait ends",
		"payer `+256700000001` declines and `+256700000002` never answers: the wait ends at its limit and says that nothing has arrived yet",
		"amounts "+sanitize.FormatThousands(amount.Min-1)+" and "+sanitize.FormatThousands(amount.Max+1)+" are refused before any request")
	addIf(true, &b.Tests, "key `sk_test_revoked`: 401 `key_revoked`; wallet `wal_other`: 403 `wallet_forbidden`; both refused")
	addIf(true, &b.Tests, "no output and no log ever holds the secret")
	b.Tests = append(b.Tests, b.UseCase.Tests...)

	addIf(true, &b.Checklist, "The secret is in the environment alone: in no bundle, log, error or commit")
	addIf(spends, &b.Checklist,
		"No HTTP client, queue or job runner repeats a POST on its own",
		"Failures are judged by status and code together; unknown is never repeated",
		"The intent is stored before the call, the outcome after it")
	addIf(b.HasPhoneNumbers, &b.Checklist, "Numbers are E.164"+map[bool]string{true: ", each once"}[b.HasSends]+", before the call")
	addIf(b.HasSends, &b.Checklist, "Length is in UTF-16 code units; the price comes from the balance call")
	addIf(b.HasUndocumentedAnswers, &b.Checklist, "No field of an undocumented body is required")
	b.Checklist = append(b.Checklist, b.UseCase.Checklist...)
	addIf(true, &b.Checklist, "The tests above pass against the sandbox")

	if b.Sample, _ = d.Example(b.Language.SampleLanguage, b.Main.Name); b.Sample != "" {
		l, _ := reference.FindLanguage(b.Language.SampleLanguage)
		b.CodeFence = l.CodeFence
		b.SampleIntro = fmt.Sprintf("`%s %s` in %s, proven against the stand-in API. Keep its judgement of failures", b.Main.Method, b.Main.Path, l.Title)
		if l.Title != b.Language.Name && b.Language.Name == "TypeScript" {
			b.SampleIntro += ", and add types"
		}
		b.SampleIntro += "; fit the rest to the project."
	}
}
