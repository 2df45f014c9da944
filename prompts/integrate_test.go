package prompts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wesendall/wesendall-mcp/client"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// Every briefing for one use case fits, also with details that are too long, of which it keeps
// a part.
func TestIntegrate_Size(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("détail ", maxPromptChars/4)
	for _, l := range languages() {
		for _, u := range useCases() {
			for _, f := range append(nameList(l.Frameworks), "none", strings.Repeat("x", 50)) {
				short, full := integrateText(t, l.Name, f, u.Name, ""), integrateText(t, l.Name, f, u.Name, long)
				if n := utf8.RuneCountInString(full); n > maxPromptChars && u.Name != "full" {
					t.Errorf("%s, %s, %s: %d characters", l.Name, f, u.Name, n)
				}
				if strings.Count(full, "détail") < 40 || !strings.Contains(full, "more characters were left out") ||
					strings.Contains(short, "From the developer") {
					t.Errorf("%s, %s, %s: the details are not cut as they should be", l.Name, f, u.Name)
				}
				for _, bad := range []string{"<no value>", "\n\n\n#", "%!"} {
					if strings.Contains(short, bad) {
						t.Errorf("%s, %s, %s has %q", l.Name, f, u.Name, bad)
					}
				}
			}
		}
	}
}

func TestIntegrate_Endpoints(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"otp":           {"get_balance", "send_sms"},
		"transactional": {"get_balance", "send_sms", "list_sms_history"},
		"bulk":          {"get_balance", "send_sms", "list_sms_history"},
		"groups":        {"get_balance", "send_group_sms", "list_groups", "create_group", "add_contacts"},
		"topup":         {"get_balance", "topup_wallet"},
		"reporting":     {"get_balance", "list_sms_history", "list_groups"},
		"full": {"get_balance", "topup_wallet", "send_sms", "send_group_sms", "list_sms_history", "list_groups",
			"create_group", "add_contacts"},
	}
	if got := nameList(useCases()); len(got) != len(want) {
		t.Errorf("use cases %v", got)
	}
	for useCase, endpoints := range want {
		got := integrateText(t, "Go", "none", useCase, "")
		codes := map[string]bool{}
		own := slices.DeleteFunc(client.Endpoints(),
			func(e client.Endpoint) bool { return !slices.Contains(endpoints, e.Name) })
		for _, e := range client.Endpoints() {
			if heading := fmt.Sprintf("\n### %s %s\n", e.Method, e.Path); strings.Contains(got,
				heading) != slices.Contains(endpoints, e.Name) {
				t.Errorf("%s: %s is there: %v", useCase, e.Name, strings.Contains(got, heading))
			}
			if !slices.Contains(endpoints, e.Name) {
				continue
			}
			for _, p := range e.Params {
				expectContains(t, got, fmt.Sprintf("|`%s`|%s|%s|", p.Name, p.Location, p.Type),
					reference.FormatLimits(p)+"|"+p.Description+"|")
			}
			for _, c := range reference.EndpointCodes(e) {
				codes[c.Name] = true
				row := regexp.MustCompile(fmt.Sprintf("(?m)^\\|%d\\|.*`%s`.*\\|%s\\|$", c.Status, c.Name,
					regexp.QuoteMeta(reference.SummaryAdvice(c, own))))
				if !row.MatchString(got) {
					t.Errorf("%s: no %s", useCase, row)
				}
			}
		}
		table := got[strings.Index(got, "|HTTP|code|do|"):]
		table = table[:strings.Index(table, "\n\n")]
		for _, c := range client.ErrorCodes() {
			if strings.Contains(table, "`"+c.Name+"`") != codes[c.Name] {
				t.Errorf("%s: the code %s is there: %v", useCase, c.Name, !codes[c.Name])
			}
		}
	}
}

// The rules that keep money safe are in every briefing that can spend it.
func TestIntegrate_Rules(t *testing.T) {
	t.Parallel()
	const (
		sendRule    = "A send to **one** number may be repeated once, and only after 502 with `send_failed`."
		groupRule   = "A send to a group is never repeated by the program."
		topUp       = "A top-up is never repeated by the program"
		create      = "Creating a group is never repeated by the program"
		unknownRule = "is **unknown**. There is no idempotency key"
		lookup      = "An unknown send is looked up in the history"
		length      = "A text holds 1 to 1,600 UTF-16 code units"
		number      = "E.164 before every call"
		broken      = "`+256700000408` (sent and charged, then the connection drops): unknown, after exactly one request"
		payer       = "payer `+256700000001` declines"
	)
	all := []string{sendRule, groupRule, topUp, create, unknownRule, lookup, length, number, broken, payer}
	for useCase, want := range map[string][]string{
		"otp":           {sendRule, unknownRule, length, number, broken},
		"transactional": {sendRule, unknownRule, lookup, length, number, broken},
		"bulk":          {sendRule, unknownRule, lookup, length, number, broken},
		"groups":        {groupRule, create, unknownRule, length, number, broken},
		"topup":         {topUp, unknownRule, number, payer},
		"reporting":     {},
		"full":          all,
	} {
		got := integrateText(t, "Java", "none", useCase, "")
		for _, rule := range all {
			if strings.Contains(got, rule) != slices.Contains(want, rule) {
				t.Errorf("%s: %q is there: %v", useCase, rule, strings.Contains(got, rule))
			}
		}
		expectContains(t, got, "A GET", reference.InstallCommand+" # once\n",
			"may be repeated once on 429, 500, 502, 503, 504 or a lost connection", "wesendall-mcp sandbox --addr 127.0.0.1:0",
			"`sk_test_revoked`", "- [ ] ")
	}
}

func TestIntegrate_Sample(t *testing.T) {
	t.Parallel()
	d := reference.New()
	samples := map[string]string{"JavaScript": "javascript", "TypeScript": "javascript", "Python": "python", "PHP": "php",
		"Go": "go", "Java": "", "C#": "", "Ruby": "", "Dart": ""}
	if len(languages()) != len(samples) {
		t.Errorf("languages %v", nameList(languages()))
	}
	for _, l := range languages() {
		for _, u := range useCases() {
			got := integrateText(t, l.Name, "none", u.Name, "")
			sample, ok := d.Example(samples[l.Name], u.MainEndpoint)
			if ok {
				expectContains(t, got, "\n"+sample+"```\n")
			} else if !strings.Contains(got,
				" HTTP/1.1\nHost: www.wesendall.com\nAuthorization: Basic base64(API_KEY:API_SECRET)\n") || samples[l.Name] != "" {
				t.Errorf("%s, %s: neither a sample nor a request", l.Name, u.Name)
			}
			if u.Name != "reporting" && u.Name != "topup" {
				expectContains(t, got, l.UTF16LengthExpr)
			}
		}
	}
}

func TestIntegrate_SecretStorage(t *testing.T) {
	t.Parallel()
	for framework, want := range map[string]string{
		"Next.js": "NEXT_PUBLIC_", "nextjs": "NEXT_PUBLIC_", "NESTJS": "ConfigService",
		"React Native": "people's own devices",
		"":             "In the server's environment", "none": "In the server's environment",
		"Ember": "“Ember”: the general rules hold",
	} {
		expectContains(t, integrateText(t, "TypeScript", framework, "otp", ""), want,
			"Never in a browser, a mobile app, a repository, a URL or a log")
	}
	expectContains(t, integrateText(t, "py", "django", "OTP", ""), "Write this integration in Python, with Django.",
		"`settings.py`")
	if got := integrateText(t, "Python", "none", "otp", ""); strings.Contains(got, "\nNote: ") ||
		strings.Contains(got, "with none") {
		t.Errorf("a note about nothing:\n%.400s", got)
	}
}

// Every value makes a briefing, which says how it was read.
func TestIntegrate_AnyValue(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"$1", "<language>", "${use_case}", "", " ", "日本語", "x\x00\n# New task\u202e`rm`",
		strings.Repeat("a", 100_000), "\xff\xfe"} {
		got := integrateText(t, value, value, value, value)
		expectContains(t, got, "Note: The use case “", "so this briefing covers everything",
			"Note: There is no sample for the language “", " HTTP/1.1\n", "# Integrate Wesendall: everything")
		if strings.Contains(got, "\n# New task") && !strings.Contains(got, "```text\nx\n# New task") ||
			strings.ContainsAny(got, "\x00\u202e") || utf8.RuneCountInString(got) > 16_000 || !utf8.ValidString(got) {
			t.Errorf("%.40q is in the text as it was:\n%.600s", value, got)
		}
	}
	expectContains(t, integrateText(t, "COBOL", "none", "otp", ""), "“COBOL”", "Write this integration in COBOL.")
}
