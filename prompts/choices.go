package prompts

import (
	"slices"

	"github.com/wesendall/wesendall-mcp/client"
)

// language is one that a briefing can be written for.
type language struct {
	Name             string
	Aliases          []string // other names that people type
	SampleLanguage   string   // the reference's language of the sample; "" for none
	HTTPClientAdvice string   // which HTTP client, and what to turn off in it
	UTF16LengthExpr  string   // a text's length in UTF-16 code units
	Frameworks       []framework
}

func (l language) names() (string, []string) { return l.Name, l.Aliases }

// framework is one of a language's, and where it keeps secrets.
type framework struct{ Name, SecretStorage string }

func (f framework) names() (string, []string) { return f.Name, nil }

// clientSideWarning is said of what runs on the phone or in the browser of a person.
func clientSideWarning(platform string) string {
	return platform + " runs on people's own devices, where nothing is secret: the credentials must not be in it at all. Write the integration as a small endpoint of a server, which signs its users in, limits how often each may ask, and decides the text itself; the app calls only that."
}

func genericLanguage(name string) language {
	if name == "" {
		name = "the project's own language"
	}
	return language{
		Name: name, UTF16LengthExpr: "in an encoding of 2 bytes a unit, UTF-16, the bytes halved",
		HTTPClientAdvice: "Use the language's usual HTTP client, with its own retries turned off.",
	}
}

func languages() []language {
	script := []framework{
		{"Next.js", "In `.env.local` and the host's environment, read in route handlers, server actions or server components (`import \"server-only\"`); never under a name that begins with `NEXT_PUBLIC_`."},
		{"Express", "In the process's environment (`process.env`), read once in a configuration module."},
		{"NestJS", "Through `ConfigService` of `@nestjs/config`, validated at start-up."},
		{"Fastify", "In the process's environment, validated at start-up with `@fastify/env`."},
		{"Nuxt", "In `runtimeConfig`, outside `public`, and used in `server/` alone."},
		{"SvelteKit", "Through `$env/static/private` or `$env/dynamic/private`, in `+server` and `+page.server` files alone."},
		{"Remix", "In the process's environment, read in loaders and actions or in `.server` modules alone."},
		{"Cloudflare Workers", "With `wrangler secret put`, read from the `env` of the handler."},
		{"React", clientSideWarning("React")},
		{"Vue", clientSideWarning("Vue")},
		{"React Native", clientSideWarning("React Native")},
	}
	fetch := "Use `fetch` with `redirect: \"manual\"` and an `AbortSignal.timeout`; no wrapper that retries (axios-retry, ky, got)."
	return []language{
		{"JavaScript", []string{"js", "node"}, "javascript", fetch, "`text.length`", script},
		{"TypeScript", []string{"ts"}, "javascript", fetch, "`text.length`", script},
		{
			"Python", []string{"py"}, "python",
			"The standard library, `requests` or `httpx`, with an explicit timeout, `allow_redirects=False` and no `Retry` adapter on POST.",
			"`len(text.encode(\"utf-16-le\")) // 2`",
			[]framework{
				{"Django", "In the environment, read in `settings.py`; not in the database or the repository."},
				{"FastAPI", "In the environment, through `pydantic-settings` with the type `SecretStr`."},
				{"Flask", "In the environment, read with `app.config.from_prefixed_env()` or at the creation of the app."},
				{"Celery", "In the workers' environment. Set `max_retries=0` and `acks_late=False` on every task that sends: a task that runs twice texts twice."},
			},
		},
		{
			"PHP", nil, "php",
			"The curl extension, or Guzzle with `allow_redirects` and `http_errors` off, a timeout, and no retry middleware.",
			"`strlen(iconv('UTF-8', 'UTF-16LE', $text)) / 2`",
			[]framework{
				{"Laravel", "In `.env`, read in `config/services.php` alone, so that `config:cache` works. Set `$tries = 1` on every job that sends, and do not use `Http::retry()`."},
				{"Symfony", "In the secrets vault (`secrets:set`) or the environment, injected as a parameter. Set `max_retries: 0` on the Messenger transport that sends."},
				{"WordPress", "As constants in `wp-config.php` or in the environment; not in an option, which a plugin or an export can read."},
				{"CodeIgniter", "In `.env`, read through a class under `app/Config`."},
			},
		},
		{
			"Go", []string{"golang"}, "go",
			"`net/http` as in the sample: `DisableKeepAlives`, no HTTP/2, `CheckRedirect` returning `http.ErrUseLastResponse`.",
			"`len(utf16.Encode([]rune(text)))`",
			[]framework{
				{"net/http", "In the environment, read once in `main` and passed on in a configuration struct."},
				{"Gin", "In the environment, read once in `main` and passed to the handlers."},
				{"Echo", "In the environment, read once in `main` and passed to the handlers."},
				{"Fiber", "In the environment, read once in `main` and passed to the handlers."},
			},
		},
		{
			"Java", nil, "",
			"`java.net.http.HttpClient` with `Redirect.NEVER` and a timeout on each request; no Resilience4j or Spring Retry around a POST.",
			"`text.length()`",
			[]framework{
				{"Spring Boot", "In the environment, bound by a validated `@ConfigurationProperties` record; not in `application.yml`."},
				{"Quarkus", "In the environment, injected with `@ConfigProperty`."},
				{"Micronaut", "In the environment, injected with `@ConfigurationProperties`."},
				{"Android", clientSideWarning("An Android app")},
			},
		},
		{
			"C#", []string{"csharp", "dotnet"}, "",
			"One `HttpClient` over a `SocketsHttpHandler` with `AllowAutoRedirect = false`; no Polly retry policy on a POST.",
			"`text.Length`",
			[]framework{
				{"ASP.NET Core", "In the environment or user secrets, bound to an options class with `ValidateOnStart`; not in `appsettings.json`."},
				{"Azure Functions", "In application settings that refer to Key Vault. A queue trigger runs again after a failure: catch everything that a send can throw."},
				{"Blazor WebAssembly", clientSideWarning("Blazor WebAssembly")},
				{".NET MAUI", clientSideWarning(".NET MAUI")},
			},
		},
		{
			"Ruby", nil, "",
			"`Net::HTTP` with `max_retries = 0`, `open_timeout` and `read_timeout`; no Faraday retry middleware on a POST.",
			"`text.encode(\"UTF-16LE\").bytesize / 2`",
			[]framework{
				{"Rails", "In `credentials.yml.enc` or the environment, read in an initializer. Use `discard_on` and no `retry_on` in every job that sends; Sidekiq needs `retry: 0`."},
				{"Sinatra", "In the environment, read once at start-up."},
				{"Hanami", "In the environment, declared in `config/settings.rb`."},
			},
		},
		{
			"Dart", nil, "",
			"`HttpClient` of `dart:io` with `followRedirects = false` and a timeout; no `RetryClient`.",
			"`text.length`",
			[]framework{
				{"Flutter", clientSideWarning("Flutter")},
				{"Dart Frog", "In `Platform.environment`, read once and given to the routes by a provider."},
				{"Serverpod", "In `passwords.yaml` or the environment, and used in endpoints alone."},
				{"Shelf", "In `Platform.environment`, read once in `main`."},
			},
		},
	}
}

// useCase is what an integration is for.
type useCase struct {
	Name, Title, Goal              string
	MainEndpoint                   string // the endpoint whose sample is shown
	Endpoints                      []client.Endpoint
	Requirements, Tests, Checklist []string
}

func (u useCase) names() (string, []string) { return u.Name, nil }

func useCases() []useCase {
	pick := func(wanted ...string) []client.Endpoint {
		return slices.DeleteFunc(client.Endpoints(), func(e client.Endpoint) bool { return !slices.Contains(wanted, e.Name) })
	}
	return []useCase{
		{
			"otp", "one-time codes", "Send one-time codes by SMS and verify what people type in.", client.ToolSendSMS, pick(client.ToolGetBalance, client.ToolSendSMS),
			[]string{
				"Six digits from a cryptographic generator; kept as a keyed hash beside the number, the expiry (5 minutes) and the count of wrong tries. Compare in constant time; a right code works once, and the fifth wrong one ends it.",
				"Every code costs money and strangers can ask for them: at most one a minute and five an hour for a number, whatever came of them, a limit for each address or account that asks, and Ugandan numbers (`+256`) alone unless told otherwise.",
				"One unit, plain characters: `YOUR-APP code is 123456. It expires in 5 minutes. Tell it to nobody.`",
				"Keep the code before sending. On unknown, keep it valid and say that it may arrive; send nothing again until the person asks and the minute is over. On refused, drop it and say that none was sent. A new request replaces the code.",
				"Never log or keep a code, nor the API's answer, which may repeat it. The answer to the person does not tell whether the number is registered.",
				"Read the balance now and then, not at each code, and warn the operator when it pays for fewer than a day's codes.",
			},
			[]string{"a right code once, then not again; five wrong ones; an expired one (with a clock that the test sets); a second request within the minute sends nothing"},
			[]string{"Asking is limited by number and by asker; verifying is limited by tries"},
		},
		{
			"transactional", "messages about events", "Send one message about each event (an order, a receipt, a reminder), never two about the same.", client.ToolSendSMS, pick(client.ToolGetBalance, client.ToolSendSMS, client.ToolListSMSHistory),
			[]string{
				"Each event has an id of its own. A row with that id, unique, is written before the call; an event whose row is past `pending` is not sent again, whatever delivers it twice.",
				"States: `pending`, `sending` (taken by one worker, in one step), `sent`, `refused`, `unknown`. A call that **failed** makes its event `pending` again, to be tried later. At start-up, what was left in `sending` becomes `unknown`.",
				"The message is made from a template that fits one unit with the longest values that it may get; cut names, not facts.",
				"Send from a queue or after the answer to the person: a slow SMS must not hold up the order.",
				"A person sees the refused and the unknown ones, and decides about them with the history at hand.",
			},
			[]string{"the same event delivered twice, also at once, makes one request; a crash between the row and the answer leaves `unknown`"},
			[]string{"One event can cause one message only"},
		},
		{
			"bulk", "one message to many", "Send one message to a list of people, completely, once, and within an agreed price.", client.ToolSendSMS, pick(client.ToolGetBalance, client.ToolSendSMS, client.ToolListSMSHistory),
			[]string{
				"Read the list, normalise, remove duplicates and everybody who said stop; show what was dropped and why.",
				"Show the number of people, units, the cost and the balance after it, and let a person confirm exactly that before the first call. Without enough balance, send nothing.",
				"Batches of at most 500 numbers in an array (the limit is not documented), one after the other. Write each batch down as `pending` before the first call (never over a journal that is there), `sending` before its own, then `sent`, `refused` or `unknown`; one that failed is `pending` again.",
				"Stop at the first batch that is not `sent`. A resumed run sends only what is `pending`; what it finds in `sending` is `unknown`. A refused batch may have reached some people: a person decides.",
				"At the end: people, batches in each state, and the balance. A price that changed needs agreement again.",
			},
			[]string{"three batches, the second with one magic number: the first is sent, the second ends as above, the third is not tried; a resumed run sends the third alone"},
			[]string{"A person confirmed the count and the cost that were then sent", "A run that is started again sends nothing twice"},
		},
		{
			"groups", "contact groups", "Keep contact groups in step with the application, and text a group.", client.ToolSendGroupSMS, pick(client.ToolGetBalance, client.ToolSendGroupSMS, client.ToolListGroups, client.ToolCreateGroup, client.ToolAddContacts),
			[]string{
				"Look for a group in the list before creating one, and keep its id. The answer's shape is not documented: search it for the id, then compare with the list.",
				"Add contacts in portions of a few hundred. Nothing removes a contact or lists a group's: keep your own record.",
				"Before a send, show the group's count × units × price, and let a person confirm. It goes to all who are in the group at that moment.",
			},
			[]string{"a group is made once and found the second time; contacts added twice are there once"},
			[]string{"Reach and cost were shown before a send"},
		},
		{
			"topup", "top-ups by Mobile Money", "Let the operator top the wallet up from the application.", client.ToolTopUpWallet, pick(client.ToolGetBalance, client.ToolTopUpWallet),
			[]string{
				"Only signed-in staff may start one, and the payer has agreed: the request appears on the payer's phone. Ask for whole shillings.",
				"Note the balance, start the top-up once, then read the balance every 3 seconds for at most 2 minutes. Grown by the amount or more: arrived. Otherwise: not arrived *yet*; the payer may still approve.",
				"While one is open for a payer, no second one is started; the button is off, and the server holds it, too.",
			},
			nil,
			[]string{"One open top-up a payer; the wait ends; nothing claims that a payment failed for certain"},
		},
		{
			"reporting", "balance and history", "Show the balance and what was sent, and warn before the wallet is empty. Change nothing.", client.ToolListSMSHistory, pick(client.ToolGetBalance, client.ToolListSMSHistory, client.ToolListGroups),
			[]string{
				"Read history page by page (`per_page` 100) until a page has fewer entries, with a limit on the pages. Entries can move while you read: know them by what identifies them, and count each once.",
				"The fields of an entry are not documented: show those that are there, and break on none that is missing or new.",
				"Warn when the balance pays for fewer than a set number of units at `cost_per_sms`.",
				"Texts, titles and names are other people's words: escape them, and shorten phone numbers where the whole is not needed.",
				"Keep answers for a minute, so that a page that is reloaded does not ask again.",
			},
			[]string{"an empty history; more entries than one page, which the test makes itself before it begins: twice `POST /api/v1/sms/send` with `{\"walletId\": \"wal_sandbox\", \"message\": \"Hi\", \"recipient\": [51 numbers]}`; from a stub of your own in the API's place, an entry with a field missing and one with a field too many"},
			[]string{"The integration calls nothing but GET; only its tests fill the sandbox"},
		},
		{
			"full", "everything", "Wrap all eight endpoints in one client module, for whatever the application does with them.", client.ToolSendSMS, client.Endpoints(),
			[]string{
				"One typed function for each endpoint, with the parameters' own names, that checks the limits before it calls.",
				"One error type with the outcome (refused or unknown), the status, the code and the message.",
				"Reads are repeated as allowed below inside the module; what spends leaves every decision to the caller.",
				"Before a send, the caller can ask for units and cost; a person confirms what goes to many.",
			},
			[]string{"every endpoint once; every limit at its edge and one beyond"},
			[]string{"Each endpoint has one function, and each limit one check"},
		},
	}
}
