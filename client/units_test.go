package client

import (
	"reflect"
	"strings"
	"testing"
)

func TestAnalyzeGSM(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]GSMInfo{
		"":                       {Encoding: "GSM-7"},
		"Webale nnyo":            {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("a", 160): {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("a", 161): {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("a", 306): {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("a", 307): {Encoding: "GSM-7", Segments: 3},
		strings.Repeat("€", 80):  {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("€", 81):  {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("ê", 70):  {Encoding: "UCS-2", Segments: 1, NonGSMChars: []NonGSMChar{{"ê", new("e")}}},
		strings.Repeat("ê", 71):  {Encoding: "UCS-2", Segments: 2, NonGSMChars: []NonGSMChar{{"ê", new("e")}}},
		strings.Repeat("ê", 135): {Encoding: "UCS-2", Segments: 3, NonGSMChars: []NonGSMChar{{"ê", new("e")}}},
		"“Hi” – it’s… 😀 日": {Encoding: "UCS-2", Segments: 1, NonGSMChars: []NonGSMChar{
			{"“", new(`"`)}, {"”", new(`"`)}, {"–", new("-")}, {"’", new("'")}, {"…", new("...")}, {"😀", nil}, {"日", nil},
		}},
		"a\u200bb\u202e":        {Encoding: "UCS-2", Segments: 1, NonGSMChars: []NonGSMChar{{"U+200B", new("")}, {"U+202E", new("")}}},
		strings.Repeat("😀", 35): {Encoding: "UCS-2", Segments: 1, NonGSMChars: []NonGSMChar{{"😀", nil}}},
		strings.Repeat("😀", 36): {Encoding: "UCS-2", Segments: 2, NonGSMChars: []NonGSMChar{{"😀", nil}}},
	} {
		got := AnalyzeGSM(raw)
		if got.Encoding != want.Encoding || got.Segments != want.Segments ||
			!reflect.DeepEqual(got.NonGSMChars, want.NonGSMChars) {
			t.Errorf("%.20q: %+v, not %+v", raw, got, want)
		}
	}
}

func TestSMSUnits(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]int{1: 1, 160: 1, 161: 2, 320: 2, 321: 3, 1600: 10} {
		if got := SMSUnits(strings.Repeat("a", length)); got != want {
			t.Errorf("%d characters: %d units", length, got)
		}
	}
	if UTF16Len("a€\U0001F600") != 4 || SMSUnits(strings.Repeat("\U0001F600", 81)) != 2 || SMSUnits("") != 0 {
		t.Error("length is counted in UTF-16 code units")
	}
}
