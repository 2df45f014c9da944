package prompts

// language is a programming language that the integration prompt knows. To add one, add it to
// languages.
type language struct {
	Name             string
	Aliases          []string // other names that users type
	SampleLanguage   string   // a language of the reference; "" if there is no sample
	HTTPClientAdvice string   // the HTTP client, and what to turn off in it
	UTF16LengthExpr  string   // an expression for a text's length in UTF-16 code units
	Frameworks       []framework
}

func (l language) names() (string, []string) { return l.Name, l.Aliases }

// framework is a framework of a language, and where it keeps secrets.
type framework struct{ Name, SecretStorage string }

func (f framework) names() (string, []string) { return f.Name, nil }

// clientSideWarning is the SecretStorage of a platform that runs in a browser or on a phone.
func clientSideWarning(platform string) string {
	return platform + " runs on people's own devices, where nothing is secret: the credentials must not be in it at " +
		"all. Write the integration as a small endpoint of a server, which signs its users in, limits how often each may " +
		"ask, and decides the text itself; the app calls only that."
}

// languages returns the languages in the order in which they are offered.
func languages() []language {
	return []language{
		javaScript("JavaScript", "js", "node"), javaScript("TypeScript", "ts"),
		python(), php(), golang(), java(), cSharp(), ruby(), dart(),
	}
}

func javaScript(name string, aliases ...string) language {
	return language{
		Name: name, Aliases: aliases, SampleLanguage: "javascript",
		HTTPClientAdvice: "Use `fetch` with `redirect: \"manual\"` and an `AbortSignal.timeout`; no wrapper that retries " +
			"(axios-retry, ky, got).",
		UTF16LengthExpr: "`text.length`",
		Frameworks: []framework{
			{"Next.js", "In `.env.local` and the host's environment, read in route handlers, server actions or server " +
				"components (`import \"server-only\"`); never under a name that begins with `NEXT_PUBLIC_`."},
			{"Express", "In the process's environment (`process.env`), read once in a configuration module."},
			{"NestJS", "Through `ConfigService` of `@nestjs/config`, validated at start-up."},
			{"Fastify", "In the process's environment, validated at start-up with `@fastify/env`."},
			{"Nuxt", "In `runtimeConfig`, outside `public`, and used in `server/` alone."},
			{"SvelteKit", "Through `$env/static/private` or `$env/dynamic/private`, in `+server` and `+page.server` files " +
				"alone."},
			{"Remix", "In the process's environment, read in loaders and actions or in `.server` modules alone."},
			{"Cloudflare Workers", "With `wrangler secret put`, read from the `env` of the handler."},
			{"React", clientSideWarning("React")},
			{"Vue", clientSideWarning("Vue")},
			{"React Native", clientSideWarning("React Native")},
		},
	}
}

func python() language {
	return language{
		Name: "Python", Aliases: []string{"py"}, SampleLanguage: "python",
		HTTPClientAdvice: "The standard library, `requests` or `httpx`, with an explicit timeout, `allow_redirects=False` " +
			"and no `Retry` adapter on POST.",
		UTF16LengthExpr: "`len(text.encode(\"utf-16-le\")) // 2`",
		Frameworks: []framework{
			{"Django", "In the environment, read in `settings.py`; not in the database or the repository."},
			{"FastAPI", "In the environment, through `pydantic-settings` with the type `SecretStr`."},
			{"Flask", "In the environment, read with `app.config.from_prefixed_env()` or at the creation of the app."},
			{"Celery", "In the workers' environment. Set `max_retries=0` and `acks_late=False` on every task that sends: a " +
				"task that runs twice texts twice."},
		},
	}
}

func php() language {
	return language{
		Name: "PHP", SampleLanguage: "php",
		HTTPClientAdvice: "The curl extension, or Guzzle with `allow_redirects` and `http_errors` off, a timeout, and no " +
			"retry middleware.",
		UTF16LengthExpr: "`strlen(iconv('UTF-8', 'UTF-16LE', $text)) / 2`",
		Frameworks: []framework{
			{"Laravel", "In `.env`, read in `config/services.php` alone, so that `config:cache` works. Set `$tries = 1` on " +
				"every job that sends, and do not use `Http::retry()`."},
			{"Symfony", "In the secrets vault (`secrets:set`) or the environment, injected as a parameter. Set `max_retries: " +
				"0` on the Messenger transport that sends."},
			{"WordPress", "As constants in `wp-config.php` or in the environment; not in an option, which a plugin or an " +
				"export can read."},
			{"CodeIgniter", "In `.env`, read through a class under `app/Config`."},
		},
	}
}

func golang() language {
	return language{
		Name: "Go", Aliases: []string{"golang"}, SampleLanguage: "go",
		HTTPClientAdvice: "`net/http` as in the sample: `DisableKeepAlives`, no HTTP/2, `CheckRedirect` returning " +
			"`http.ErrUseLastResponse`.",
		UTF16LengthExpr: "`len(utf16.Encode([]rune(text)))`",
		Frameworks: []framework{
			{"net/http", "In the environment, read once in `main` and passed on in a configuration struct."},
			{"Gin", "In the environment, read once in `main` and passed to the handlers."},
			{"Echo", "In the environment, read once in `main` and passed to the handlers."},
			{"Fiber", "In the environment, read once in `main` and passed to the handlers."},
		},
	}
}

func java() language {
	return language{
		Name: "Java",
		HTTPClientAdvice: "`java.net.http.HttpClient` with `Redirect.NEVER` and a timeout on each request; no Resilience4j " +
			"or Spring Retry around a POST.",
		UTF16LengthExpr: "`text.length()`",
		Frameworks: []framework{
			{"Spring Boot", "In the environment, bound by a validated `@ConfigurationProperties` record; not in " +
				"`application.yml`."},
			{"Quarkus", "In the environment, injected with `@ConfigProperty`."},
			{"Micronaut", "In the environment, injected with `@ConfigurationProperties`."},
			{"Android", clientSideWarning("An Android app")},
		},
	}
}

func cSharp() language {
	return language{
		Name: "C#", Aliases: []string{"csharp", "dotnet"},
		HTTPClientAdvice: "One `HttpClient` over a `SocketsHttpHandler` with `AllowAutoRedirect = false`; no Polly retry " +
			"policy on a POST.",
		UTF16LengthExpr: "`text.Length`",
		Frameworks: []framework{
			{"ASP.NET Core", "In the environment or user secrets, bound to an options class with `ValidateOnStart`; not in " +
				"`appsettings.json`."},
			{"Azure Functions", "In application settings that refer to Key Vault. A queue trigger runs again after a failure: " +
				"catch everything that a send can throw."},
			{"Blazor WebAssembly", clientSideWarning("Blazor WebAssembly")},
			{".NET MAUI", clientSideWarning(".NET MAUI")},
		},
	}
}

func ruby() language {
	return language{
		Name: "Ruby",
		HTTPClientAdvice: "`Net::HTTP` with `max_retries = 0`, `open_timeout` and `read_timeout`; no Faraday retry " +
			"middleware on a POST.",
		UTF16LengthExpr: "`text.encode(\"UTF-16LE\").bytesize / 2`",
		Frameworks: []framework{
			{"Rails", "In `credentials.yml.enc` or the environment, read in an initializer. Use `discard_on` and no " +
				"`retry_on` in every job that sends; Sidekiq needs `retry: 0`."},
			{"Sinatra", "In the environment, read once at start-up."},
			{"Hanami", "In the environment, declared in `config/settings.rb`."},
		},
	}
}

func dart() language {
	return language{
		Name:             "Dart",
		HTTPClientAdvice: "`HttpClient` of `dart:io` with `followRedirects = false` and a timeout; no `RetryClient`.",
		UTF16LengthExpr:  "`text.length`",
		Frameworks: []framework{
			{"Flutter", clientSideWarning("Flutter")},
			{"Dart Frog", "In `Platform.environment`, read once and given to the routes by a provider."},
			{"Serverpod", "In `passwords.yaml` or the environment, and used in endpoints alone."},
			{"Shelf", "In `Platform.environment`, read once in `main`."},
		},
	}
}

// genericLanguage is for a language that is not in languages.
func genericLanguage(name string) language {
	if name == "" {
		name = "the project's own language"
	}
	return language{
		Name: name, UTF16LengthExpr: "in an encoding of 2 bytes a unit, UTF-16, the bytes halved",
		HTTPClientAdvice: "Use the language's usual HTTP client, with its own retries turned off.",
	}
}
