package fold

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMessage(t *testing.T) {
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
		"Cherokee in another case":            {"Ꭰ", "ꭰ", true},
		"letters that look like apostrophes":  {"it's ok's", "it\u02bcs ok\u02b9s", true},
		"a saltillo":                          {"it's", "it\ua78cs", true},
		"ornamental apostrophes":              {"'yes'", "\u275byes\u275c", true},
		"angle quotes":                        {"'yes'", "‹yes›", true},
		"ornamental quotes":                   {`"yes"`, "❝yes❞", true},
		"double primes":                       {`"yes"`, "〝yes〞", true},
		"Hebrew quotes":                       {`"yes" it's`, "״yes״ it׳s", true},
		"two apostrophes":                     {`"yes"`, "''yes''", true},
		"two typographic apostrophes":         {`"yes"`, "‘‘yes’’", true},
		"two apostrophes apart by a space":    {`"yes"`, "' 'yes' '", false},
		"a two-em dash":                       {"yes - no", "yes \u2e3a no", true},
		"a three-em dash":                     {"yes — no", "yes \u2e3b no", true},
		"a hyphen bullet":                     {"- one", "\u2043 one", true},
		"a Mongolian hyphen":                  {"9-5", "9\u18065", true},
		"a full-width hyphen":                 {"9-5", "9\uff0d5", true},
		"a dash typed as two hyphens":         {"yes — no", "yes -- no", true},
		"an object replacement character":     {"Pay now", "Pay now\ufffc", true},
		"another code":                        {"Code aB3", "Code ab3", false},
		"another word":                        {"Pay now", "Pay soon", false},
		"words that run together":             {"Pay now", "Paynow", false},
		"another case of the word at a digit": {"Room A1", "room A1", true},
	} {
		if got := Message(c.a) == Message(c.b); got != c.same {
			t.Errorf("%s: %q and %q: same is %v", name, c.a, c.b, got)
		}
	}
}

func TestIsBlank(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"": true, " \n\t": true, "\u200b\u00ad": true, "\u2800": true, "\ufffc": true, "\u3164": true,
		"\u0301": true, " \u0301\u20dd ": true, "\u0345": true, "\u093e": true, "\ue000\uf8ff": true, "\U000f0000": true,
		"a\u0301": false, "a": false, ".": false, "👍": false, "-": false, "'": false, "\ufffd": false, "☎\ufe0f": false,
	} {
		if got := IsBlank(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestMessage_Idempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(p *rapid.T) {
		text := rapid.String().Draw(p, "text")
		if once := Message(text); Message(once) != once {
			p.Fatalf("%q folds to %q, and that to %q", text, once, Message(once))
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add("Pay  now\u200b")
	f.Fuzz(func(t *testing.T, text string) {
		folded := Message(text)
		if Message(text+"\n") != folded || Message(" "+folded) != Message(folded) {
			t.Errorf("%q folds to %q", text, folded)
		}
	})
}
