package sanitize

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"visible characters stay":            {"Börse – 日本 😀", "Börse – 日本 😀"},
		"line breaks and tabs stay":          {"a\n\tb", "a\n\tb"},
		"control characters go":              {"a\x00\x1b[31mb\r", "a[31mb"},
		"zero-width characters go":           {"a\u200bb\u2060c\ufeff", "abc"},
		"text directions go":                 {"a\u202eb\u2066c", "abc"},
		"variation selectors go":             {"a\ufe0fb\U000e0101", "ab"},
		"tags and Hangul fillers go":         {"a\U000e0041\u3164b", "ab"},
		"a private character is no such one": {"\uf8ff", "\uf8ff"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Text(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text         string
		limit        int
		runes, bytes string
	}{
		{"", 0, "", ""},
		{"abc", 3, "abc", "abc"},
		{"abcd", 3, "abc…", "abc…"},
		{"äöü", 3, "äöü", "ä…"},
		{"äöüß", 3, "äöü…", "ä…"},
		{"😀😀", 1, "😀…", "…"},
	} {
		if got := Truncate(c.text, c.limit); got != c.runes {
			t.Errorf("%q to %d characters: %q", c.text, c.limit, got)
		}
		if got := TruncateBytes(c.text, c.limit); got != c.bytes {
			t.Errorf("%q to %d bytes: %q", c.text, c.limit, got)
		}
	}
}

func TestMapJSONStrings(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		``:        ``,
		`1.10`:    `1.10`,
		`"abc"`:   `"ABC"`,
		`"a\"b"`:  `"A\"B"`,
		`"A<B"`:   `"A<B"`,
		`"a<b>&"`: `"A<B>&"`,
		`{"a": [1.10, 12345678901234567890, "b\\", null]}`: `{"A": [1.10, 12345678901234567890, "B\\", null]}`,
		`"\u0061"`: `"A"`,
		`"\u0041"`: `"\u0041"`,
		`"\x"`:     `""`,
		`"open`:    `""`,
		`"open\`:   `""`,
	} {
		if got := string(MapJSONStrings([]byte(raw), strings.ToUpper)); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	if got := string(JSON([]byte(`{"a\u200b":"b\u202e"}`))); got != `{"a":"b"}` {
		t.Errorf("invisible characters: %s", got)
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "", "sk_live_1": "", "my-your-key": "", "a<b>": "", "$NAME": "",
		"${NAME}": "${NAME}", "a ${NAME} b": "${NAME}", "${open": "${open",
		" Your-key": " Your-", "YOUR_KEY": "YOUR_", "your key": "your ", " <key> ": " <key> ",
	} {
		if got := Placeholder(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -999: "-999", -1000: "-1,000", -123456: "-123,456",
	} {
		if got := FormatThousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for n, want := range map[int]string{0: "0 units", 1: "1 unit", 2: "2 units"} {
		if got := Pluralize(n, "unit"); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
