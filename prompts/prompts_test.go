package prompts

import (
	"slices"
	"strings"
	"testing"

	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

func textOf(t *testing.T, name string, v Values) string {
	t.Helper()
	for _, p := range All(reference.New()) {
		if p.Name == name {
			out, err := p.Text(v)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Fatalf("no prompt is called %s", name)
	return ""
}

func integrateText(t *testing.T, language, framework, useCase, details string) string {
	t.Helper()
	return textOf(t, "integrate_wesendall", Values{"language": language, "framework": framework, "use_case": useCase,
		"details": details})
}

func expectContains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestCheck_MissingArguments(t *testing.T) {
	t.Parallel()
	p := All(reference.New())[0]
	for want, v := range map[string]Values{
		`integrate_wesendall: missing argument "language" (JavaScript, TypeScript, Python, PHP, Go, Java, C#, Ruby, Dart); ` +
			`missing argument "use_case" (otp, transactional, bulk, groups, topup, reporting, full)`: {"framework": "x"},
		`integrate_wesendall: missing argument "framework" (Django, FastAPI, Flask, Celery)`: {
			"language": "python", "use_case": "otp",
		},
		`integrate_wesendall: unknown argument "usecase"; the arguments are language, framework, use_case, details`: {
			"language": "", "framework": "", "use_case": "", "usecase": "otp",
		},
	} {
		if _, err := p.Text(v); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	for _, p := range All(reference.New())[1:3] {
		if _, err := p.Text(nil); err == nil || !strings.Contains(err.Error(), `missing argument "`+p.Arguments[0].Name+`"`) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	p := All(reference.New())[0]
	for _, tc := range []struct {
		argument, typed string
		chosen          Values
		want            []string
	}{
		{"language", "", nil, nameList(languages())},
		{"language", "p", nil, []string{"Python", "PHP"}},
		{"language", "SCRIPT", nil, []string{"JavaScript", "TypeScript"}},
		{"language", "cob", nil, nil},
		{"framework", "", Values{"language": "golang"}, []string{"net/http", "Gin", "Echo", "Fiber"}},
		{"framework", "n", Values{"language": "TypeScript"}, []string{"Next.js", "NestJS", "Nuxt"}},
		{"framework", "f", nil, []string{"Fastify", "FastAPI", "Flask", "Fiber", "Flutter"}},
		{"framework", "", Values{"language": "Dart"}, []string{"Flutter", "Dart Frog", "Serverpod", "Shelf"}},
		{"use_case", "t", nil, []string{"transactional", "topup"}},
		{"details", "x", nil, nil},
		{"nothing", "", nil, nil},
	} {
		if got := p.Complete(tc.argument, tc.typed, tc.chosen); !slices.Equal(got, tc.want) {
			t.Errorf("%s %q after %v: %v", tc.argument, tc.typed, tc.chosen, got)
		}
	}
	if all := p.Complete("framework", "", Values{"language": "COBOL"}); len(all) < 25 || len(all) > 100 {
		t.Errorf("%d frameworks in all", len(all))
	}
}

// onlyKnown returns the arguments that a prompt has.
func (v Values) onlyKnown(prompt string) Values {
	known := Values{}
	for _, p := range All(reference.New()) {
		for _, a := range p.Arguments {
			if value, given := v[a.Name]; given && p.Name == prompt {
				known[a.Name] = value
			}
		}
	}
	return known
}
