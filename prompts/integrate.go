package prompts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

func integrate(d *reference.Document) Prompt {
	return Prompt{
		Name: "integrate_wesendall", Title: "Integrate Wesendall", Description: "A complete briefing for a coding agent",
		Arguments: []Argument{
			{Name: "language", Description: "JavaScript, Python, …", Required: true, Choices: func(Values) []string { return names(languages()) }},
			{Name: "framework", Description: "Next.js, Django, …", Required: true, Choices: frameworkChoices},
			{Name: "use_case", Description: "otp, transactional, bulk, groups, topup, reporting, full", Required: true, Choices: func(Values) []string { return names(useCases()) }},
			{Name: "details", Description: "More requirements"},
		},
		fill: func(v Values, room int) any { return newBriefing(d, v, room) },
	}
}

// named are the things that one can choose by name.
type named interface{ called() (string, []string) }

func names[T named](all []T) []string {
	var list []string
	for _, one := range all {
		name, _ := one.called()
		list = append(list, name)
	}
	return list
}

// find looks a name up as people type it.
func find[T named](all []T, typed string) (T, bool) {
	plain := func(s string) string {
		return strings.NewReplacer(" ", "", "-", "", "_", "", ".", "").Replace(strings.ToLower(s))
	}
	for _, one := range all {
		name, aliases := one.called()
		for _, each := range append(aliases, name) {
			if plain(each) == plain(typed) {
				return one, true
			}
		}
	}
	var none T
	return none, false
}

func frameworkChoices(chosen Values) []string {
	if l, ok := find(languages(), chosen["language"]); ok {
		return names(l.Frameworks)
	}
	var all []string
	for _, l := range languages() {
		for _, name := range names(l.Frameworks) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// briefing is what the template gets.
type briefing struct {
	Language  language
	Framework framework
	UseCase   useCase
	Notes     []string // what was made of the arguments
	Details   *Data

	Main                     client.Endpoint // the use case's own
	Codes                    []group
	Rules, Tests, Checklist  []string
	Sends, Recipients, Texts bool // messages; with a list of numbers; anything with numbers
	Documented, Undocumented bool // answers of the endpoints
	Sample, SampleNote       string
	Fence                    string
}

func newBriefing(d *reference.Document, v Values, room int) *briefing {
	b := &briefing{}
	note := func(format string, args ...any) { b.Notes = append(b.Notes, fmt.Sprintf(format, args...)) }
	var ok bool
	if b.UseCase, ok = find(useCases(), v["use_case"]); !ok {
		b.UseCase, _ = find(useCases(), "full")
		note("The use case “%s” is not one of %s, so this briefing covers everything.", inline(v["use_case"], 60), strings.Join(names(useCases()), ", "))
	}
	if b.Language, ok = find(languages(), v["language"]); !ok {
		b.Language = anyLanguage(inline(v["language"], 40))
		note("There is no sample for the language “%s”: the requests are given as precise HTTP.", inline(v["language"], 60))
	}
	if b.Framework, ok = find(b.Language.Frameworks, v["framework"]); !ok {
		b.Framework = framework{Name: inline(v["framework"], 30), Where: "In the server's environment or its secret store, read once when it starts."}
		if _, none := find([]framework{{Name: "none"}, {Name: "n/a"}}, v["framework"]); none || b.Framework.Name == "" {
			b.Framework.Name = ""
		} else {
			note("Nothing is known here of “%s”: the general rules hold.", b.Framework.Name)
		}
	}
	if b.UseCase.Name == "full" && room != 0 {
		room = mostData + around // it is over the limit for one use case anyway
	}
	b.Details = data(v["details"], room)
	b.cover(d)
	return b
}

// group is the codes of one status that ask for the same.
type group struct {
	Status int
	Names  string // in Markdown
	Do     string
}

// refusals are the codes that calls of these endpoints may fail with.
func refusals(endpoints []client.Endpoint) []group {
	var all []group
	for _, c := range client.Codes() {
		if !slices.ContainsFunc(endpoints, func(e client.Endpoint) bool { return slices.Contains(reference.Codes(e), c) }) {
			continue
		}
		do, last := reference.General(c, endpoints), len(all)-1
		if last >= 0 && all[last].Status == c.Status && all[last].Do == do {
			all[last].Names += ", `" + c.Name + "`"
			continue
		}
		all = append(all, group{c.Status, "`" + c.Name + "`", do})
	}
	return all
}

// cover fills in what follows from the use case's endpoints.
func (b *briefing) cover(d *reference.Document) {
	has := map[string]bool{}
	var spends, creates bool
	for _, e := range b.UseCase.Endpoints {
		has[e.Name] = true
		b.Sends = b.Sends || e.Name == "send_sms" || e.Name == "send_group_sms"
		spends = spends || e.Effect == client.Spends
		creates = creates || e.Effect == client.Creates
		b.Documented = b.Documented || e.Answer != nil
		b.Undocumented = b.Undocumented || e.Answer == nil
		if e.Name == b.UseCase.Main {
			b.Main = e
		}
	}
	b.Codes = refusals(b.UseCase.Endpoints)
	b.Recipients = has["send_sms"]
	b.Texts = b.Sends || has["topup_wallet"] || has["add_contacts"]

	when := func(holds bool, list *[]string, lines ...string) {
		if holds {
			*list = append(*list, lines...)
		}
	}
	when(true, &b.Rules, "A GET"+map[bool]string{true: ", and adding contacts (duplicates are skipped),"}[has["add_contacts"]]+" may be repeated once on "+reference.Statuses+" or a lost connection: after a random 0.25 to 0.75 seconds, and `Retry-After` more if it came.")
	when(has["send_sms"], &b.Rules,
		"A send to **one** number may be repeated once, and only after 502 with `send_failed`. A send to several never.")
	when(has["send_group_sms"], &b.Rules, "A send to a group is never repeated by the program.")
	when(has["topup_wallet"], &b.Rules, "A top-up is never repeated by the program: two calls are two payments, and the payer may approve both. The wallet is credited when the payer approves on the phone; nobody tells you, and there is no endpoint for one deposit. Only a balance that has grown shows it.")
	when(creates, &b.Rules, "Creating a group is never repeated by the program: assume that each call makes one more. List the groups first.")
	when(spends, &b.Rules,
		"Everything else on a POST that spends (`internal_error`, any other status, a timeout, a lost connection, a redirect, a 2xx that is no success) is **unknown**. There is no idempotency key: repeating an unknown call may text or charge twice.",
		"Write down what is to be sent *before* the call, and the outcome after it. After a crash, what has no outcome is unknown.")
	when(spends && has["list_sms_history"] && b.Sends, &b.Rules, "An unknown send is looked up in the history and the balance by a person or a later job. A message that is not there yet proves nothing.")

	text, amount := reference.Param("send_sms", "message"), reference.Param("topup_wallet", "amount")
	when(b.Sends, &b.Tests,
		"a send takes units × recipients × 35 from the balance",
		"recipient `+256700000502`: 502 `send_failed`, refunded; "+map[bool]string{true: "one repeat for a single number, none otherwise", false: "no repeat"}[b.Recipients]+"; then refused",
		"recipient `+256700000500` (500 `internal_error`), and `+256700000408` (sent and charged, then the connection drops): unknown, after exactly one request",
		reference.Thousands(text.Max)+" code units pass and "+reference.Thousands(text.Max+1)+" are refused before any request"+map[bool]string{true: "; the same number in two forms is sent to once"}[b.Recipients],
		"`--balance 0`: 402 `insufficient_balance`, refused")
	when(has["send_group_sms"], &b.Tests, "the sandbox's group `grp_customers` has two contacts: a send to it costs 2 × 35 a unit; add one of the numbers above to try a failure")
	when(has["topup_wallet"], &b.Tests,
		"any payer but these approves after a second: the balance grows, and the wait ends",
		"payer `+256700000001` declines and `+256700000002` never answers: the wait ends at its limit and says that nothing has arrived yet",
		"amounts "+reference.Thousands(amount.Min-1)+" and "+reference.Thousands(amount.Max+1)+" are refused before any request")
	when(true, &b.Tests, "key `sk_test_revoked`: 401 `key_revoked`; wallet `wal_other`: 403 `wallet_forbidden`; both refused")
	when(true, &b.Tests, "no output and no log ever holds the secret")
	b.Tests = append(b.Tests, b.UseCase.Tests...)

	when(true, &b.Checklist, "The secret is in the environment alone: in no bundle, log, error or commit")
	when(spends, &b.Checklist,
		"No HTTP client, queue or job runner repeats a POST on its own",
		"Failures are judged by status and code together; unknown is never repeated",
		"The intent is stored before the call, the outcome after it")
	when(b.Texts, &b.Checklist, "Numbers are E.164"+map[bool]string{true: ", each once"}[b.Sends]+", before the call")
	when(b.Sends, &b.Checklist, "Length is in UTF-16 code units; the price comes from the balance call")
	when(b.Undocumented, &b.Checklist, "No field of an undocumented body is required")
	b.Checklist = append(b.Checklist, b.UseCase.Checks...)
	when(true, &b.Checklist, "The tests above pass against the sandbox")

	if b.Sample, _ = d.Example(b.Language.Sample, b.Main.Name); b.Sample != "" {
		l, _ := reference.FindLanguage(b.Language.Sample)
		b.Fence = l.Fence
		b.SampleNote = fmt.Sprintf("`%s %s` in %s, proven against the stand-in API. Keep its judgement of failures", b.Main.Method, b.Main.Path, l.Title)
		if l.Title != b.Language.Name && b.Language.Name == "TypeScript" {
			b.SampleNote += ", and add types"
		}
		b.SampleNote += "; fit the rest to the project."
	}
}
