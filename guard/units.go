package guard

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// unitLength is how many UTF-16 code units one billed unit holds (docs page,
// "sms/send"). Validation runs in JavaScript, which counts length so.
const unitLength = 160

// Length is a text's length in UTF-16 code units.
func Length(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Units is how many units the vendor bills for a message to one recipient.
func Units(message string) int { return (Length(message) + unitLength - 1) / unitLength }

// Carrier is how the networks carry a message, whatever the vendor bills
// (3GPP TS 23.038 and 23.040). It is there to compare.
type Carrier struct {
	Encoding string `json:"encoding"` // GSM-7 or UCS-2
	Segments int    `json:"segments"`
	// Forcing are the characters that are outside GSM-7, each once.
	Forcing []Forcing `json:"forcing,omitempty"`
}

// Forcing is a character that forces UCS-2, and what says the same in GSM-7. One
// that nobody sees is given as U+200B, and is best left out.
type Forcing struct {
	Character   string  `json:"character"`
	Replacement *string `json:"replacement,omitempty"` // none where nothing says the same
}

// The GSM-7 default alphabet, and its extension, whose characters take two.
const (
	gsm7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7Extension = "\f^{}\\[~]|€"
)

// plain are the characters that word processors and models put in place of
// plain ones. Letters with marks lose those instead.
var plain = map[rune]string{
	'‘': "'", '’': "'", '‚': "'", '‛': "'", '′': "'", '`': "'", '´': "'",
	'“': `"`, '”': `"`, '„': `"`, '‟': `"`, '″': `"`, '«': `"`, '»': `"`,
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '―': "-", '−': "-",
	'…': "...", '•': "-", '·': "-", '×': "x", '÷': "/", '\t': " ", '№': "No",
	'\u00a0': " ", '\u2007': " ", '\u2009': " ", '\u200a': " ", '\u202f': " ",
	'\u200b': "", '\u200c': "", '\u200d': "", '\u2060': "", '\ufeff': "", '\u00ad': "",
}

// CarrierView counts a message's segments as the networks do.
func CarrierView(message string) Carrier {
	c := Carrier{Encoding: "GSM-7"}
	septets := 0
	for _, r := range message {
		switch {
		case strings.ContainsRune(gsm7, r):
			septets++
		case strings.ContainsRune(gsm7Extension, r):
			septets += 2
		default:
			each := string(r)
			if invisible(r) {
				each = fmt.Sprintf("%U", r)
			}
			if !slices.ContainsFunc(c.Forcing, func(f Forcing) bool { return f.Character == each }) {
				c.Forcing = append(c.Forcing, Forcing{each, replacement(r)})
			}
		}
	}
	if c.Forcing == nil {
		c.Segments = segments(septets, 160, 153)
		return c
	}
	c.Encoding, c.Segments = "UCS-2", segments(Length(message), 70, 67)
	return c
}

func segments(length, alone, several int) int {
	if length <= alone {
		return min(length, 1)
	}
	return (length + several - 1) / several
}

// replacement is what says the same as a character, in GSM-7.
func replacement(r rune) *string {
	if text, ok := plain[r]; ok || invisible(r) {
		return &text
	}
	text := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(string(r)))
	for _, r := range text {
		if !strings.ContainsRune(gsm7, r) && !strings.ContainsRune(gsm7Extension, r) {
			return nil
		}
	}
	return &text
}
