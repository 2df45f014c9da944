package guard

import "unicode/utf16"

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
