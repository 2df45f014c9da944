package sanitize_test

import (
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "",
		"It’s 5 o'clock, Café, 日本, 👍":   "It’s 5 o'clock, Café, 日本, 👍",
		"a\nb\r\nc\td":                  `a\nb\r\nc\td`,
		`literal \n and "quotes"`:       `literal \\n and \"quotes\"`,
		"“a” «b» „c‟ ＂d″ 「e」":           `\“a\” \«b\» \„c\‟ \＂d\″ \「e\」`,
		"a\u200bb\u202ec\u00add\u2028e": `a\{U+200B}b\{U+202E}c\{U+00AD}d\{U+2028}e`,
		"a\u00a0b\u3000c\u2800d\u3164e": `a\{U+00A0}b\{U+3000}c\{U+2800}d\{U+3164}e`,
		"\x00\x1b[8m\x7f\u0085":         `\{U+0000}\{U+001B}[8m\{U+007F}\{U+0085}`,
		"\U000e0041\ufe0f\u200d\ue000":  `\{U+E0041}\{U+FE0F}\{U+200D}\{U+E000}`,
		"a" + strings.Repeat(" ", 8) + "b" + strings.Repeat(" ", 9): "a        b" + `\{9 spaces}`,
		"\xff\ufffd": `\{byte FF}` + "\ufffd",
	} {
		if got := sanitize.Visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u200bb\"\\\n")
	f.Add(`\{9 spaces}` + strings.Repeat(" ", 9))
	f.Fuzz(func(t *testing.T, text string) {
		got := sanitize.Visible(text)
		if strings.ContainsFunc(got, sanitize.IsInvisible) || strings.ContainsAny(got, "\u2028\u2029") {
			t.Errorf("%q of %q hides something", got, text)
		}
		unescaped := strings.NewReplacer(`\\`, "", `\"`, "", `\”`, "").Replace(got)
		if strings.ContainsAny(unescaped, `"”`) {
			t.Errorf("%q of %q ends early", got, text)
		}
	})
}
