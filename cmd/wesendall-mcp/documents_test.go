package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
	"github.com/wesendall/wesendall-mcp/prompts"
)

func TestTheCommandsPrintWhatTheServerServes(t *testing.T) {
	t.Parallel()
	d := reference.New()
	briefing, err := prompts.All(d)[0].Text(prompts.Values{"language": "python", "framework": "django", "use_case": "otp", "details": "Use Redis\n"})
	if err != nil {
		t.Fatal(err)
	}
	section, _ := d.Section("send_sms")
	sample, _ := d.Example("php", "send_sms")
	for _, tc := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"prompt", "--language", "python", "--framework", "django", "--use-case", "otp", "--details", "Use Redis"}, briefing},
		{"Use Redis\n", []string{"prompt", "--language", "python", "--framework", "django", "--use-case", "otp", "--details", "-"}, briefing},
		{"", []string{"reference"}, d.Whole()},
		{"", []string{"reference", "errors"}, first(d.Section("errors")).Text},
		{"", []string{"reference", "send_sms", "--language", "PHP"}, section.Text + "\n## send_sms in PHP\n\n```php\n" + sample + "```\n"},
	} {
		if got := runIn(t, t.TempDir(), nil, tc.stdin, tc.args...); got.code != 0 || got.out != tc.want || got.stderr != "" {
			t.Errorf("%q: exit %d, %s%.300s", tc.args, got.code, got.stderr, got.out)
		}
	}
	all := runIn(t, t.TempDir(), nil, "", "reference", "--language", "go").out
	if !strings.HasPrefix(all, d.Whole()) || strings.Count(all, "\n```go\n") != 8 {
		t.Errorf("%d samples", strings.Count(all, "\n```go\n"))
	}
}

func first[T any](value T, _ bool) T { return value }

func TestTheChoicesAreListed(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--framework  net/http, Gin, Echo, Fiber\n":                               {"prompt", "--list", "--language", "go"},
		"--use-case   otp, transactional, bulk, groups, topup, reporting, full\n": {"prompt", "--list"},
		"testing            The sandbox and its magic values\n":                   {"reference", "--list"},
		"--language         javascript, nodejs, python, curl, php, go\n":          {"reference", "--list"},
	} {
		if got := runIn(t, t.TempDir(), nil, "", args...); got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// What the reference says that the sandbox command prints is what it prints.
func TestTheReferenceShowsTheBlockOfTheSandbox(t *testing.T) {
	t.Parallel()
	testing, _ := reference.New().Section("testing")
	r := start(t, nil, "sandbox", "--addr", "127.0.0.1:0")
	r.read(t) // a comment
	_, port, _ := strings.Cut(strings.TrimSpace(r.read(t)), "WESENDALL_BASE_URL=http://127.0.0.1:")
	block := "WESENDALL_BASE_URL=http://127.0.0.1:8787\n"
	for range 3 {
		block += r.read(t)
	}
	if port == "" || !strings.Contains(testing.Text, "```sh\n"+block+"```\n") || !strings.Contains(testing.Text, "wesendall-mcp sandbox --addr 127.0.0.1:8787") {
		t.Errorf("it printed port %q and\n%s", port, block)
	}
}

// Every command and option that the documents and briefings name is there.
func TestTheDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	d := reference.New()
	help := map[string]string{}
	check := func(where, command string, flags []string) {
		t.Helper()
		if _, read := help[command]; !read {
			got := runIn(t, t.TempDir(), nil, "", command, "--help")
			if got.code != 0 {
				t.Errorf("%s: there is no command %s: %s", where, command, got.stderr)
			}
			help[command] = got.out
		}
		for _, flag := range flags {
			if !regexp.MustCompile(flag + `\b`).MatchString(help[command]) {
				t.Errorf("%s: %s has no %s", where, command, flag)
			}
		}
	}
	flag, command := regexp.MustCompile("--[a-z][a-z-]*"), regexp.MustCompile("wesendall-mcp (sandbox|reference|prompt)([^`\n]*)")
	about := first(d.Section("testing")).Text // and so is the part on tests of each briefing
	check("testing", "sandbox", flag.FindAllString(about, -1))
	texts := map[string]string{"reference": d.Whole()}
	for _, useCase := range []string{"otp", "transactional", "bulk", "groups", "topup", "reporting", "full"} {
		text, err := prompts.All(d)[0].Text(prompts.Values{"language": "go", "framework": "none", "use_case": useCase})
		if err != nil {
			t.Fatal(err)
		}
		texts[useCase] = text
		_, tests, _ := strings.Cut(text, "\n## Tests\n")
		check(useCase, "sandbox", flag.FindAllString(tests, -1))
	}
	for where, text := range texts {
		found := command.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s names no command", where)
		}
		for _, m := range found {
			check(where, m[1], flag.FindAllString(m[2], -1))
		}
	}
}

func TestAnAgentReadsTheDocumentsThroughTheBinary(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			s := connect(t, era, program(t, nil)) // without credentials
			resources, err := s.ListResources(t.Context(), nil)
			if err != nil || len(resources.Resources) < 10 {
				t.Fatalf("%+v, %v", resources, err)
			}
			for _, uri := range []string{resources.Resources[0].URI, "wesendall://reference", "wesendall://reference/errors", "wesendall://examples/php/topup_wallet"} {
				if r, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri}); err != nil || len(r.Contents) != 1 || len(r.Contents[0].Text) < 1000 {
					t.Errorf("%s: %+v, %v", uri, r, err)
				}
			}
			if _, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "wesendall://reference/faq"}); err == nil || !strings.Contains(err.Error(), "overview, authentication") {
				t.Error(err)
			}
			list, err := s.ListPrompts(t.Context(), nil)
			if err != nil || len(list.Prompts) != 4 {
				t.Fatalf("%+v, %v", list, err)
			}
			got, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: list.Prompts[0].Name, Arguments: map[string]string{"language": "Ruby", "framework": "Rails", "use_case": "bulk"}})
			if err != nil || len(got.Messages) != 1 || !strings.Contains(got.Messages[0].Content.(*mcp.TextContent).Text, "with Rails") {
				t.Errorf("%+v, %v", got, err)
			}
			done, err := s.Complete(t.Context(), &mcp.CompleteParams{
				Ref: &mcp.CompleteReference{Type: "ref/resource", URI: "wesendall://reference/{section}"}, Argument: mcp.CompleteParamsArgument{Name: "section", Value: "t"},
			})
			if err != nil || len(done.Completion.Values) != 2 {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
}
