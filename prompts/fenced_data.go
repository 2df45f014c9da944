package prompts

import (
	"regexp"
	"strings"
	"unicode"
)

// inlineText returns text as one line without Markdown, shortened to maxChars characters, for
// use in a sentence.
func inlineText(text string, maxChars int) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("`*_[]<>\"|\\", r):
			return -1
		case unicode.IsControl(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, text)), " ")
	if runes := []rune(text); len(runes) > maxChars {
		text = strings.TrimSpace(string(runes[:maxChars])) + "…"
	}
	return text
}

// FencedData is what a user typed, for the template "data": shortened to its budget, between
// fences that the text cannot close.
type FencedData struct {
	Fence, Text string
	Omitted     int // characters that were left out
}

const (
	maxDataChars = 2000 // characters
	minDataChars = 500  // the longest briefing leaves room for as many
	dataOverhead = 210  // at most, of the text around the data

	// Zero-width joiners are invisible but part of some emoji and of words in Persian or Sinhala.
	zwj, zwnj = '\u200d', '\u200c'
)

// newFencedData returns nil for an empty text or a budget of 0. budget is in characters.
func newFencedData(text string, budget int) *FencedData {
	text = longBacktickRun.ReplaceAllString(text, maxFence)
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && r != zwj && r != zwnj && !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
	if text == "" || budget == 0 {
		return nil
	}
	d := &FencedData{Text: text}
	if runes, budget := []rune(text), max(minDataChars, min(budget-dataOverhead, maxDataChars)); len(runes) > budget {
		d.Text, d.Omitted = string(runes[:budget]), len(runes)-budget
	}
	longest := 2
	for _, run := range backtickRun.FindAllString(d.Text, -1) {
		longest = max(longest, len(run))
	}
	d.Fence = strings.Repeat("`", longest+1)
	return d
}

const maxFence = "````````" // longer runs of backticks are cut to this one

var (
	backtickRun     = regexp.MustCompile("`+")
	longBacktickRun = regexp.MustCompile("`{9,}")
)
