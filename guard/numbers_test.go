package guard

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestNumbersOfAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0700 000 012":                                "+256700000012",
		"+256 700-000-012":                            "+256700000012",
		"+256 (700) 000 012, 0700000010":              "+256700000012 +256700000010",
		"0700000010 0700000011":                       "+256700000010 +256700000011",
		"0700 000 010 0700 000 011":                   "+256700000010 +256700000011",
		"700000010 700000011":                         "+256700000010 +256700000011",
		"256 700 000 010 +256700000011":               "+256700000010 +256700000011",
		"+ 256 700000010":                             "+256700000010",
		"0700000010;0700000011\n0700000012":           "+256700000010 +256700000011 +256700000012",
		"0700000010, 0700 000 010":                    "+256700000010",
		"0700000010, 256700000010, +256700000010":     "+256700000010",
		"+254700000001 +256700000010":                 "+254700000001 +256700000010",
		" , ;\n":                                      "",
		"":                                            "",
		"\u200e+256\u00a0700\u2011000\u2011010\u200f": "+256700000010",
		"not a number":                                "!notanumber is not a phone number",
		"12345":                                       "!12345 has too few digits",
		"07000000101":                                 "!07000000101 has too many digits",
		"+999 700000010":                              "!+999700000010 is not a phone number",
		"+270000000":                                  "!+270000000 can be read as two numbers",
		"077212345":                                   "!077212345 has too few digits",
		"+25607721234":                                "!+25607721234 has too few digits",
		"0772-HELLOX":                                 "!0772HELLOX is not a phone number",
		"0700000010, 12, 13":                          "+256700000010 !12 has too few digits !13 has too few digits",
	} {
		n := read([]string{text})
		got := slices.Clone(n.e164)
		for _, r := range n.refused {
			got = append(got, "!"+r.Number+" "+r.Reason)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	if got := read([]string{"0700000010", "0700-000-010", "0700000011"}).e164; !slices.Equal(got, []string{"+256700000010", "+256700000011"}) {
		t.Error(got)
	}
	if n := read([]string{"+256100000010"}); len(n.e164) != 1 || len(n.notes) != 1 {
		t.Errorf("a possible number that no plan has only gets a note: %+v", n)
	}
}

func TestNoNumberAtAllIsRefusedHere(t *testing.T) {
	t.Parallel()
	g := guarded(t, func(http.ResponseWriter, *http.Request) { t.Error("a request") })
	_, err := g.Send(t.Context(), client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{" , "}}, How{})
	if e, ok := err.(*Error); !ok || e.Code != InvalidArguments { //nolint:errorlint // the method's own promise
		t.Error(err)
	}
	_, err = g.Send(t.Context(), client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{"0700000010", "12", "x"}}, How{})
	if err == nil || !strings.Contains(err.Error(), `recipient: "12" has too few digits; recipient: "x" is not a phone number`) {
		t.Error(err)
	}
	_, err = g.AddContacts(t.Context(), client.AddContactsRequest{GroupID: "g", Contacts: []client.Contact{{Phone: "0700000010"}, {Phone: " - "}, {Phone: "12"}}})
	if err == nil || !strings.Contains(err.Error(), "contacts/1/phone") || !strings.Contains(err.Error(), "contacts/2/phone") {
		t.Error(err)
	}
}

func FuzzRecipients(f *testing.F) {
	f.Add("0700 000 012, +256700000010")
	f.Add("+270000000")
	f.Fuzz(func(t *testing.T, text string) {
		n := read([]string{text})
		for _, number := range n.e164 {
			// The vendor splits at spaces and commas: one entry must stay one number.
			if !strings.HasPrefix(number, "+") || strings.Trim(number[1:], "0123456789") != "" {
				t.Errorf("%q of %q", number, text)
			}
		}
		if again := read(n.e164); !slices.Equal(again.e164, n.e164) {
			t.Errorf("%q becomes %q", n.e164, again.e164)
		}
	})
}

func TestTheCarriersView(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Carrier{
		"":                       {Encoding: "GSM-7"},
		"Webale nnyo":            {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("a", 160): {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("a", 161): {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("a", 306): {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("a", 307): {Encoding: "GSM-7", Segments: 3},
		strings.Repeat("€", 80):  {Encoding: "GSM-7", Segments: 1},
		strings.Repeat("€", 81):  {Encoding: "GSM-7", Segments: 2},
		strings.Repeat("ê", 70):  {Encoding: "UCS-2", Segments: 1, Forcing: []Forcing{{"ê", new("e")}}},
		strings.Repeat("ê", 71):  {Encoding: "UCS-2", Segments: 2, Forcing: []Forcing{{"ê", new("e")}}},
		strings.Repeat("ê", 135): {Encoding: "UCS-2", Segments: 3, Forcing: []Forcing{{"ê", new("e")}}},
		"“Hi” – it’s… 😀 日":       {Encoding: "UCS-2", Segments: 1, Forcing: []Forcing{{"“", new(`"`)}, {"”", new(`"`)}, {"–", new("-")}, {"’", new("'")}, {"…", new("...")}, {"😀", nil}, {"日", nil}}},
		"a\u200bb\u202e":         {Encoding: "UCS-2", Segments: 1, Forcing: []Forcing{{"U+200B", new("")}, {"U+202E", new("")}}},
		strings.Repeat("😀", 35):  {Encoding: "UCS-2", Segments: 1, Forcing: []Forcing{{"😀", nil}}},
		strings.Repeat("😀", 36):  {Encoding: "UCS-2", Segments: 2, Forcing: []Forcing{{"😀", nil}}},
	} {
		got := CarrierView(text)
		if got.Encoding != want.Encoding || got.Segments != want.Segments || !reflect.DeepEqual(got.Forcing, want.Forcing) {
			t.Errorf("%.20q: %+v, not %+v", text, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]int{1: 1, 160: 1, 161: 2, 320: 2, 321: 3, 1600: 10} {
		if got := Units(strings.Repeat("a", length)); got != want {
			t.Errorf("%d characters: %d units", length, got)
		}
	}
	if Length("a€\U0001F600") != 4 || Units(strings.Repeat("\U0001F600", 81)) != 2 || Units("") != 0 {
		t.Error("length is counted in UTF-16 code units")
	}
}
