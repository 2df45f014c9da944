package guard

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestMessage_Blank(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = ConfirmOff })
	for _, blank := range []string{"   ", "\n\t\r", "\u200b\u200d", "\u00a0\u3000", "\u2800", "\ufeff \u00ad", "\u3164", "\u115f\u1160"} {
		for _, dryRun := range []bool{false, true} {
			env.expectError(CodeInvalidArguments)(env.send(blank, SpendOptions{DryRun: dryRun}, phone1)).says("message: ")
			env.expectError(CodeInvalidArguments)(env.sendGroup(blank, SpendOptions{DryRun: dryRun})).says("message: ")
		}
	}
	env.expectOK(env.send(".", SpendOptions{}, phone1))
}

func TestMessageNotes(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{ // parts of the notes, in order; "" for none
		"Hello, see you at 5":                     "",
		`Hello\nAnna`:                             `\n as two characters`,
		`Hello\r\nAnna\tX`:                        `\r \n \t as two`,
		"Hello\nAnna":                             "",
		"Fish &amp; chips":                        "HTML entities|&amp;",
		"It&#39;s &nbsp;late &#x27;":              "HTML entities|&#39; &nbsp; &#x27;",
		"AT&T; Q&A;":                              "",
		"a&b":                                     "",
		"Dear {{name}},":                          "placeholders|{{name}}",
		"Dear {{ customer.first_name }} {{x}}":    "placeholders|{{ customer.first_name }} {{x}}",
		"Dear {{name}} {{a}} {{b}} {{c}} {{d}}":   "{{name}} {{a}} {{b}} and 2 more",
		"Dear {name}":                             "placeholders|{name}",
		"Dear ${name}":                            "placeholders|${name}",
		"Dear <name>, <first name>":               "placeholders|<name> <first name>",
		"Dear %s, you owe %d":                     "placeholders|%s %d",
		"Dear %1$s":                               "%1$s",
		"Dear %(name)s":                           "%(name)s",
		"Dear [Name], [Your company]":             "[Name] [Your company]",
		"50%, 100%s off, 5 %sold":                 "",
		"Set {1, 2}, {}, a < b > c, <3, [URGENT]": "",
		"<joe@example.org> x<y":                   "",
		"Hel\ufffdo":                              "U+FFFD",
		"Café, naïve":                             "", // ï is not in GSM-7, but it is one part either way
		"日本":                                      "",
		"“" + strings.Repeat("a", 100) + "” 👍": "carry it in 2 parts. Without these characters it would be 1: “ ” 👍",
		strings.Repeat("a", 159) + "\u200b":    "carry it in 3 parts. Without these characters it would be 1: U+200B",
		strings.Repeat("a", 159) + "é":         "",
		`Dear {{n}} \n &amp; ` + "\ufffd":      `\n as|HTML|{{n}}|U+FFFD`,
	} {
		notes := strings.Join(messageNotes(message, client.AnalyzeGSM(message)), " ")
		if want == "" && notes != "" {
			t.Errorf("%q: %s", message, notes)
		}
		for part := range strings.SplitSeq(want, "|") {
			_, after, found := strings.Cut(notes, part)
			if !found {
				t.Errorf("%q: no %q in %q", message, part, notes)
			}
			notes = after
		}
	}
}

// The notes are in the quote and in the result, and the message is sent as it is.
func TestMessageNotes_QuoteAndResult(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for _, opts := range []SpendOptions{{DryRun: true}, {}} {
		for _, receipt := range []*Receipt{
			env.expectOK(env.send(`Dear {{name}}\n`, opts, phone1)), env.expectOK(env.sendGroup(`Dear {{name}}\n`, opts)),
		} {
			notes := strings.Join(receipt.Quote.Notes, "\n")
			if !strings.Contains(notes, "{{name}}") || !strings.Contains(notes, `has \n as`) {
				t.Errorf("%q", notes)
			}
		}
	}
	if _, charged := env.charges(t); charged[`Dear {{name}}\n `+phone1] != 1 {
		t.Errorf("%v", charged)
	}
}
