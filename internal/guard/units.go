package guard

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// unitSize is how many UTF-16 code units one billed unit holds (docs page,
// "sms/send"). Validation runs in JavaScript, which counts length so.
const unitSize = 160

// UTF16Len is a text's length in UTF-16 code units.
func UTF16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// SMSUnits is how many units the vendor bills for a message to one recipient.
func SMSUnits(message string) int { return (UTF16Len(message) + unitSize - 1) / unitSize }

// GSMInfo is how the networks carry a message, whatever the vendor bills
// (3GPP TS 23.038 and 23.040). It is there to compare.
type GSMInfo struct {
	Encoding string `json:"encoding"` // GSM-7 or UCS-2
	Segments int    `json:"segments"`
	// Forcing are the characters that are outside GSM-7, each once.
	NonGSMChars []NonGSMChar `json:"forcing,omitempty"`
}

// NonGSMChar is a character that forces UCS-2, and what says the same in GSM-7. One
// that nobody sees is given as U+200B, and is best left out.
type NonGSMChar struct {
	Character   string  `json:"character"`
	Replacement *string `json:"replacement,omitempty"` // none where nothing says the same
}

// The GSM-7 default alphabet, and its extension, whose characters take two.
const (
	gsm7Alphabet = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7ExtensionAlphabet = "\f^{}\\[~]|€"
)

// asciiReplacements are the characters that word processors and models put in place of
// plain ones. Letters with marks lose those instead.
var asciiReplacements = map[rune]string{
	'‘': "'", '’': "'", '‚': "'", '‛': "'", '′': "'", '`': "'", '´': "'",
	'“': `"`, '”': `"`, '„': `"`, '‟': `"`, '″': `"`, '«': `"`, '»': `"`,
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '―': "-", '−': "-",
	'…': "...", '•': "-", '·': "-", '×': "x", '÷': "/", '\t': " ", '№': "No",
	'\u00a0': " ", '\u2007': " ", '\u2009': " ", '\u200a': " ", '\u202f': " ",
	'\u200b': "", '\u200c': "", '\u200d': "", '\u2060': "", '\ufeff': "", '\u00ad': "",
}

// AnalyzeGSM counts a message's segments as the networks do.
func AnalyzeGSM(message string) GSMInfo {
	c := GSMInfo{Encoding: "GSM-7"}
	septets := 0
	for _, r := range message {
		switch {
		case strings.ContainsRune(gsm7Alphabet, r):
			septets++
		case strings.ContainsRune(gsm7ExtensionAlphabet, r):
			septets += 2
		default:
			char := string(r)
			if isInvisible(r) {
				char = fmt.Sprintf("%U", r)
			}
			if !slices.ContainsFunc(c.NonGSMChars, func(f NonGSMChar) bool { return f.Character == char }) {
				c.NonGSMChars = append(c.NonGSMChars, NonGSMChar{char, gsmReplacement(r)})
			}
		}
	}
	if c.NonGSMChars == nil {
		c.Segments = segmentCount(septets, 160, 153)
		return c
	}
	c.Encoding, c.Segments = "UCS-2", segmentCount(UTF16Len(message), 70, 67)
	return c
}

func segmentCount(length, singleMax, partMax int) int {
	if length <= singleMax {
		return min(length, 1)
	}
	return (length + partMax - 1) / partMax
}

// gsmReplacement is what says the same as a character, in GSM-7.
func gsmReplacement(r rune) *string {
	if text, ok := asciiReplacements[r]; ok || isInvisible(r) {
		return &text
	}
	text := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(string(r)))
	for _, r := range text {
		if !strings.ContainsRune(gsm7Alphabet, r) && !strings.ContainsRune(gsm7ExtensionAlphabet, r) {
			return nil
		}
	}
	return &text
}
