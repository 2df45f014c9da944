package guard

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// variant writes a message in another way that reads the same.
func variant(message string) string {
	var b strings.Builder
	for i, word := range strings.Fields(message) {
		if i > 0 {
			b.WriteString([]string{" ", "  ", "\n", "\u00a0", "\t "}[rand.IntN(5)])
		}
		if !strings.ContainsFunc(word, unicode.IsDigit) && rand.IntN(2) == 0 {
			word = strings.ToUpper(word)
		}
		if rand.IntN(2) == 0 {
			word = norm.NFD.String(word)
		}
		word = strings.ReplaceAll(word, "'", []string{"'", "’", "‘"}[rand.IntN(3)])
		word = strings.ReplaceAll(word, "-", []string{"-", "–", "—"}[rand.IntN(3)])
		b.WriteString(word + []string{"", "\u200b", "\u00ad", "\ufeff"}[rand.IntN(4)])
	}
	return b.String() + []string{"", "\n", " ", "\r\n"}[rand.IntN(4)]
}

// Of 1,000 ways to write a text, none is sent a second time.
func TestFoldMessage_ThousandVariants(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5_000, nil)
	const message = "Café Wandegeya - it's your code: aB3-9x, valid 10 minutes"
	env.expectOK(env.send(message, SpendOptions{}, phone1))
	for range 1_000 {
		env.expectError(CodeDuplicateSend)(env.send(variant(message), SpendOptions{}, phone1))
	}
	if env.requestCount() != 1 {
		t.Errorf("%d requests", env.requestCount())
	}
}
