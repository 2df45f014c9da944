package guard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestFoldMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"a line feed at the end":              {"Your OTP is 1234", "Your OTP is 1234\n", true},
		"two spaces":                          {"Pay now", "Pay  now", true},
		"another case":                        {"Pay now", "pay NOW", true},
		"a zero-width space":                  {"Pay now", "Pay now\u200b", true},
		"a typographic apostrophe":            {"It's", "It’s", true},
		"a decomposed accent":                 {"Café", "Cafe\u0301", true},
		"a dash":                              {"9-5", "9–5", true},
		"typographic quotes":                  {`Say "yes"`, "Say “yes”", true},
		"a no-break space":                    {"Pay now", "Pay\u00a0now", true},
		"full-width letters":                  {"Pay now", "Ｐａｙ now", true},
		"a tab and a form feed":               {"Pay now", "\tPay\fnow ", true},
		"a soft hyphen":                       {"Paynow", "Pay\u00adnow", true},
		"a sharp s":                           {"Straße", "STRASSE", true},
		"another code":                        {"Code aB3", "Code ab3", false},
		"another word":                        {"Pay now", "Pay soon", false},
		"words that run together":             {"Pay now", "Paynow", false},
		"another case of the word at a digit": {"Room A1", "room A1", true},
	} {
		if got := foldMessage(c.a) == foldMessage(c.b); got != c.same {
			t.Errorf("%s: %q and %q: same is %v", name, c.a, c.b, got)
		}
	}
}

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

func TestFoldMessage_Idempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(p *rapid.T) {
		text := rapid.String().Draw(p, "text")
		if once := foldMessage(text); foldMessage(once) != once {
			p.Fatalf("%q folds to %q, and that to %q", text, once, foldMessage(once))
		}
	})
}

func FuzzFoldMessage(f *testing.F) {
	f.Add("Pay  now\u200b")
	f.Fuzz(func(t *testing.T, text string) {
		folded := foldMessage(text)
		if foldMessage(text+"\n") != folded || foldMessage(" "+folded) != foldMessage(folded) {
			t.Error(fmt.Sprintf("%q folds to %q", text, folded))
		}
	})
}
