package client

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	"golang.org/x/text/unicode/norm"
)

// UnitSize is how many UTF-16 code units one billed unit holds (docs page,
// "sms/send").
const UnitSize = 160

// UTF16Len returns the length of text in UTF-16 code units, by which Wesendall counts
// every documented length.
func UTF16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// SMSUnits returns how many units Wesendall bills for a message to one recipient: one
// for every UnitSize begun, whatever the alphabet.
func SMSUnits(message string) int { return (UTF16Len(message) + UnitSize - 1) / UnitSize }

// GSMInfo is how the mobile networks carry a message (3GPP TS 23.038 and 23.040). It
// does not change what Wesendall bills.
type GSMInfo struct {
	Encoding string `json:"encoding"` // GSM-7 or UCS-2
	Segments int    `json:"segments"`
	// NonGSMChars are the characters outside GSM-7, each once.
	NonGSMChars []NonGSMChar `json:"forcing,omitempty"`
}

// NonGSMChar is a character that forces UCS-2, with its replacement in GSM-7. An
// invisible character is written like U+200B; its replacement is empty.
type NonGSMChar struct {
	Character   string  `json:"character"`
	Replacement *string `json:"replacement,omitempty"` // nil if there is none
}

// The GSM-7 default alphabet, and its extension. A character of the extension takes
// two septets.
const (
	gsm7Alphabet = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsm7ExtensionAlphabet = "\f^{}\\[~]|€"
)

// asciiReplacements are the plain forms of characters that word processors and models
// write. Accented letters are not listed: they lose their accents.
var asciiReplacements = map[rune]string{
	'‘': "'", '’': "'", '‚': "'", '‛': "'", '′': "'", '`': "'", '´': "'",
	'“': `"`, '”': `"`, '„': `"`, '‟': `"`, '″': `"`, '«': `"`, '»': `"`,
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '―': "-", '−': "-",
	'…': "...", '•': "-", '·': "-", '×': "x", '÷': "/", '\t': " ", '№': "No",
	'\u00a0': " ", '\u2007': " ", '\u2009': " ", '\u200a': " ", '\u202f': " ",
	'\u200b': "", '\u200c': "", '\u200d': "", '\u2060': "", '\ufeff': "", '\u00ad': "",
}

// How much one message holds, and how much each part of a longer one: septets of GSM-7
// and code units of UCS-2.
const (
	maxGSM7Single, maxGSM7Part = 160, 153
	maxUCS2Single, maxUCS2Part = 70, 67
)

// AnalyzeGSM returns the encoding and the segments of a message on the networks.
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
			if sanitize.IsInvisible(r) {
				char = fmt.Sprintf("%U", r)
			}
			if !slices.ContainsFunc(c.NonGSMChars, func(f NonGSMChar) bool { return f.Character == char }) {
				c.NonGSMChars = append(c.NonGSMChars, NonGSMChar{char, gsmReplacement(r)})
			}
		}
	}
	if c.NonGSMChars == nil {
		c.Segments = segmentCount(septets, maxGSM7Single, maxGSM7Part)
		return c
	}
	c.Encoding, c.Segments = "UCS-2", segmentCount(UTF16Len(message), maxUCS2Single, maxUCS2Part)
	return c
}

func segmentCount(length, singleMax, partMax int) int {
	if length <= singleMax {
		return min(length, 1)
	}
	return (length + partMax - 1) / partMax
}

// gsmReplacement returns the GSM-7 form of a character, or nil.
func gsmReplacement(r rune) *string {
	if text, ok := asciiReplacements[r]; ok || sanitize.IsInvisible(r) {
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
