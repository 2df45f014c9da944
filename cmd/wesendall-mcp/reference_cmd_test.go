package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

func TestReferenceCommand_MatchesServer(t *testing.T) {
	t.Parallel()
	doc := reference.New()
	briefing, err := prompts.All(doc)[0].Text(prompts.Values{"language": "python", "framework": "django",
		"use_case": "otp", "details": "Use Redis\n"})
	if err != nil {
		t.Fatal(err)
	}
	section, _ := doc.Section("send_sms")
	sample, _ := doc.Example("php", "send_sms")
	for _, tc := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"prompt", "--language", "python", "--framework", "django", "--use-case", "otp", "--details",
			"Use Redis"}, briefing},
		{"Use Redis\n", []string{"prompt", "--language", "python", "--framework", "django", "--use-case", "otp",
			"--details", "-"}, briefing},
		{"", []string{"reference"}, doc.Full()},
		{"", []string{"reference", "errors"}, first(doc.Section("errors")).Text},
		{"", []string{"reference", "send_sms", "--language", "PHP"}, section.Text + "\n## send_sms in PHP\n\n```php\n" +
			sample + "```\n"},
	} {
		if got := runInProcess(t, t.TempDir(), nil, tc.stdin, tc.args...); got.exitCode != 0 || got.stdout != tc.want ||
			got.stderr != "" {
			t.Errorf("%q: exit %d, %s%.300s", tc.args, got.exitCode, got.stderr, got.stdout)
		}
	}
	output := runInProcess(t, t.TempDir(), nil, "", "reference", "--language", "go").stdout
	if !strings.HasPrefix(output, doc.Full()) || strings.Count(output, "\n```go\n") != 8 {
		t.Errorf("%d samples", strings.Count(output, "\n```go\n"))
	}
}

func first[T any](value T, _ bool) T { return value }

func TestPromptCommand_List(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--framework  net/http, Gin, Echo, Fiber\n":                               {"prompt", "--list", "--language", "go"},
		"--use-case   otp, transactional, bulk, groups, topup, reporting, full\n": {"prompt", "--list"},
		"testing            The sandbox and its magic values\n":                   {"reference", "--list"},
		"--language         javascript, nodejs, python, curl, php, go\n":          {"reference", "--list"},
	} {
		if got := runInProcess(t, t.TempDir(), nil, "", args...); got.exitCode != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// The reference shows the output of the sandbox command.
func TestReference_SandboxEnv(t *testing.T) {
	t.Parallel()
	section, _ := reference.New().Section("testing")
	p := startProcess(t, nil, "sandbox", "--addr", "127.0.0.1:0")
	p.readLine(t) // a comment
	_, port, _ := strings.Cut(strings.TrimSpace(p.readLine(t)), "WESENDALL_BASE_URL=http://127.0.0.1:")
	block := "WESENDALL_BASE_URL=http://127.0.0.1:8787\n"
	for range 3 {
		block += p.readLine(t)
	}
	if port == "" || !strings.Contains(section.Text, "```sh\n"+block+"```\n") ||
		!strings.Contains(section.Text, "wesendall-mcp sandbox --addr 127.0.0.1:8787") {
		t.Errorf("it printed port %q and\n%s", port, block)
	}
}

// Every command and option that the reference and the prompts name exists.
func TestDocs_Commands(t *testing.T) {
	t.Parallel()
	doc := reference.New()
	help := map[string]string{}
	checkCommand := func(source, command string, flags []string) {
		t.Helper()
		if _, read := help[command]; !read {
			got := runInProcess(t, t.TempDir(), nil, "", command, "--help")
			if got.exitCode != 0 {
				t.Errorf("%s: there is no command %s: %s", source, command, got.stderr)
			}
			help[command] = got.stdout
		}
		for _, flag := range flags {
			if !regexp.MustCompile(flag + `\b`).MatchString(help[command]) {
				t.Errorf("%s: %s has no %s", source, command, flag)
			}
		}
	}
	flag := regexp.MustCompile("--[a-z][a-z-]*")
	command := regexp.MustCompile("wesendall-mcp (sandbox|reference|prompt)([^`\n]*)")
	section := first(doc.Section("testing")).Text // each prompt has it too
	checkCommand("testing", "sandbox", flag.FindAllString(section, -1))
	texts := map[string]string{"reference": doc.Full()}
	for _, useCase := range []string{"otp", "transactional", "bulk", "groups", "topup", "reporting", "full"} {
		text, err := prompts.All(doc)[0].Text(prompts.Values{"language": "go", "framework": "none", "use_case": useCase})
		if err != nil {
			t.Fatal(err)
		}
		texts[useCase] = text
		_, tests, _ := strings.Cut(text, "\n## Tests\n")
		checkCommand(useCase, "sandbox", flag.FindAllString(tests, -1))
	}
	for source, text := range texts {
		matches := command.FindAllStringSubmatch(text, -1)
		if len(matches) == 0 {
			t.Errorf("%s names no command", source)
		}
		for _, m := range matches {
			checkCommand(source, m[1], flag.FindAllString(m[2], -1))
		}
	}
}

func TestStdio_Resources(t *testing.T) {
	t.Parallel()
	for _, version := range protocolVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := connect(t, version, program(t, nil)) // without credentials
			resources, err := s.ListResources(t.Context(), nil)
			if err != nil || len(resources.Resources) < 10 {
				t.Fatalf("%+v, %v", resources, err)
			}
			for _, uri := range []string{resources.Resources[0].URI, "wesendall://reference", "wesendall://reference/errors",
				"wesendall://examples/php/topup_wallet"} {
				if r, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri}); err != nil || len(r.Contents) != 1 ||
					len(r.Contents[0].Text) < 1000 {
					t.Errorf("%s: %+v, %v", uri, r, err)
				}
			}
			if _, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "wesendall://reference/faq"}); err == nil ||
				!strings.Contains(err.Error(), "overview, authentication") {
				t.Error(err)
			}
			list, err := s.ListPrompts(t.Context(), nil)
			if err != nil || len(list.Prompts) != 4 {
				t.Fatalf("%+v, %v", list, err)
			}
			got, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: list.Prompts[0].Name,
				Arguments: map[string]string{"language": "Ruby", "framework": "Rails", "use_case": "bulk"}})
			if err != nil || len(got.Messages) != 1 || !strings.Contains(got.Messages[0].Content.(*mcp.TextContent).Text,
				"with Rails") {
				t.Errorf("%+v, %v", got, err)
			}
			completion, err := s.Complete(t.Context(), &mcp.CompleteParams{
				Ref: &mcp.CompleteReference{Type: "ref/resource",
					URI: "wesendall://reference/{section}"}, Argument: mcp.CompleteParamsArgument{Name: "section", Value: "t"},
			})
			if err != nil || len(completion.Completion.Values) != 2 {
				t.Errorf("%+v, %v", completion, err)
			}
		})
	}
}
