// Package sanitize makes text of other people safe to show: it removes control and
// invisible characters, shortens, and finds placeholders. It also writes numbers and
// nouns for people to read. It uses only the standard library and knows nothing of the
// API.
package sanitize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis marks where a text was shortened.
const ellipsis = "…"

// IsInvisible reports whether a reader does not see r: control and format
// characters, variation selectors and what Unicode tells renderers to ignore.
// Line breaks and tabs are among them.
func IsInvisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Text returns text without its invisible characters, which can hide
// instructions from a person who reads along. Line breaks and tabs stay.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		if IsInvisible(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

// Truncate shortens text to maxRunes characters and an ellipsis.
func Truncate(text string, maxRunes int) string {
	for i := range text {
		if maxRunes == 0 {
			return text[:i] + ellipsis
		}
		maxRunes--
	}
	return text
}

// TruncateBytes shortens text to at most maxBytes bytes and an ellipsis. It cuts
// between characters.
func TruncateBytes(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	for maxBytes > 0 && !utf8.RuneStart(text[maxBytes]) {
		maxBytes--
	}
	return text[:maxBytes] + ellipsis
}

// maxNameBytes is how much of a name is repeated in an error.
const maxNameBytes = 64

// TruncateName shortens a name that someone made up, so that it does not fill the
// error that repeats it.
func TruncateName(name string) string { return TruncateBytes(name, maxNameBytes) }
