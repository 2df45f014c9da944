package sanitize

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLimitDepth(t *testing.T) {
	t.Parallel()
	const note = `"[nested deeper than 2 levels: left out]"`
	for raw, want := range map[string]string{
		``:                   ``,
		`1.10`:               `1.10`,
		`{"a":[1]}`:          `{"a":[1]}`,
		`{"a":[1.10,[2],3]}`: `{"a":[1.10,` + note + `,3]}`,
		`[[{"a":1},{}],[]]`:  `[[` + note + `,` + note + `],[]]`,
		`["[[[",["\"{{\\"]]`: `["[[[",["\"{{\\"]]`,
		`[[[["]]"]]], "]" ]`: `[[` + note + `], "]" ]`,
	} {
		if got := string(LimitDepth([]byte(raw), 2)); got != want {
			t.Errorf("%s: %s", raw, got)
		}
	}
}

func FuzzLimitDepth(f *testing.F) {
	f.Add([]byte(`{"a":[[["\"]"]]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		got := LimitDepth(raw, 3)
		if !json.Valid(got) || strings.Contains(string(got), "[[[[") {
			t.Errorf("%s becomes %s", raw, got)
		}
	})
}
