package guard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"pgregory.net/rapid"
)

// numberLists are lists and the numbers in them; ! begins a refused piece and the reason.
var numberLists = map[string]string{
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
	"not a number":                                "!not a number is not a phone number",
	"12345":                                       "!12345 has too few digits",
	"07000000101":                                 "!07000000101 has too many digits",
	"+999 700000010":                              "!+999 700000010 is not a phone number",
	"+270000000":                                  "!+270000000 can be read as two numbers",
	"077212345":                                   "!077212345 has too few digits",
	"+25607721234":                                "!+25607721234 has too few digits",
	"0772-HELLOX":                                 "!0772-HELLOX is not a phone number",
	"00256700000012":                              "+256700000012",
	"00 256 700 000 012":                          "+256700000012",
	"256700000012.0":                              "+256700000012",
	"700000012.00":                                "+256700000012",
	`"0700000012"`:                                "+256700000012",
	"<0700000012>":                                "+256700000012",
	"1. 0700000012":                               "+256700000012",
	"1. 0700000010\n2. 0700000011\n3) 700000012":           "+256700000010 +256700000011 +256700000012",
	"1. 700 000 010 2. 700 000 011":                        "+256700000010 +256700000011",
	"1.0700000012":                                         "+256700000012",
	"- 0700000010\n• 0700000011":                           "+256700000010 +256700000011",
	"tel:+256700000012":                                    "+256700000012",
	"TEL: 0700 000 012":                                    "+256700000012",
	"０７００００００１２":                                           "+256700000012",
	"0700 000 011, 0700000012 and 256 700 000 014":         "+256700000011 +256700000012 +256700000014",
	"0700000011 na 0700000012 ne 0700000014 or 0700000015": "+256700000011 +256700000012 +256700000014 +256700000015",
	"0700000010/0700000011":                                "+256700000010 +256700000011",
	"254712345678":                                         "+254712345678",
	"254 712 345 678, 0700000010":                          "+254712345678 +256700000010",
	"+254 712 345 678 0700000010":                          "+254712345678 +256700000010",
	"0700000012#55":                                        "!0700000012#55 has an extension or a code, which an SMS cannot reach",
	"*165#":                                                "!*165# has an extension or a code, which an SMS cannot reach",
	"0700000012 x55":                                       "+256700000012 !x55 is not a phone number",
	"2.567E+11": "!2.567E+11 looks like a number from a spreadsheet, " +
		"which has lost its last digits: format the column as text",
	"Sarah 0700000012":   "+256700000012 !Sarah is not a phone number",
	"1.":                 "!1. is not a phone number",
	"0700000010, 12, 13": "+256700000010 !12 has too few digits !13 has too few digits",
}

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range numberLists {
		phones := parseNumbers([]string{raw}, []string{"256", "254"})
		got := slices.Clone(phones.e164)
		for _, r := range phones.rejected {
			got = append(got, "!"+r.Input+" "+r.Reason)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, not %q", raw, got, want)
		}
	}
	got := parseNumbers([]string{"0700000010", "0700-000-010", "0700000011"}, nil).e164
	if !slices.Equal(got, []string{phone1, phone2}) {
		t.Error(got)
	}
	if phones := parseNumbers([]string{"+256100000010"}, nil); len(phones.e164) != 1 || len(phones.warnings) != 1 {
		t.Errorf("a possible number outside every numbering plan only gets a note: %+v", phones)
	}
}

func TestParseNumbers_Empty(t *testing.T) {
	t.Parallel()
	g := newTestGuard(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	send := func(recipients ...string) error {
		request := client.SendRequest{WalletID: "w", Message: "Hi", Recipient: recipients}
		_, err := g.Send(t.Context(), request, SpendOptions{})
		return err
	}
	err := send(" , ")
	if e, ok := err.(*Error); !ok || e.Code != CodeInvalidArguments { //nolint:errorlint // Send promises this type
		t.Error(err)
	}
	err = send("0700000010", "12", "x")
	if err == nil ||
		!strings.Contains(err.Error(), `recipient, item 2: "12" has too few digits; recipient, item 3: "x" is not a phone number`) {
		t.Error(err)
	}
	_, err = g.AddContacts(t.Context(), client.AddContactsRequest{
		GroupID: "g", Contacts: []client.Contact{{Phone: "0700000010"}, {Phone: " - "}, {Phone: "12"}},
	})
	if err == nil || !strings.Contains(err.Error(), "contacts/1/phone") ||
		!strings.Contains(err.Error(), "contacts/2/phone") {
		t.Error(err)
	}
}

// Any way to write a list of numbers gives that list.
func TestParseNumbers_AnyFormatting(t *testing.T) {
	t.Parallel()
	formats := []func(national string) string{
		func(n string) string { return "0" + n },
		func(n string) string { return "+256" + n },
		func(n string) string { return "256" + n },
		func(n string) string { return "00256" + n },
		func(n string) string { return "0" + n[:3] + " " + n[3:6] + " " + n[6:] },
		func(n string) string { return "+256 " + n[:3] + "-" + n[3:6] + "-" + n[6:] },
		func(n string) string { return "+256 (" + n[:3] + ") " + n[3:] },
		func(n string) string { return "tel:+256" + n },
		func(n string) string { return "256" + n + ".0" },
		func(n string) string { return `"0` + n + `"` },
		func(n string) string { return "<0" + n + ">" },
		func(n string) string { return "\u200e0" + n + "\u200f" },
	}
	separators := []string{",", ", ", ";", "\n", "\r\n", "\t", " ", "  ", " and ", " or ", " na ", " ne ", " / ", "\n- ", "\n• "}
	rapid.Check(t, func(p *rapid.T) {
		var text strings.Builder
		var want []string
		for i := range rapid.IntRange(1, 6).Draw(p, "count") {
			national := fmt.Sprintf("7000000%02d", i+10)
			if i > 0 {
				text.WriteString(rapid.SampledFrom(separators).Draw(p, "separator"))
			}
			if rapid.Bool().Draw(p, "numbered") {
				fmt.Fprintf(&text, "%d. ", i+1)
			}
			text.WriteString(rapid.SampledFrom(formats).Draw(p, "format")(national))
			want = append(want, "+256"+national)
		}
		phones := parseNumbers([]string{text.String()}, []string{ugandaCode})
		if !slices.Equal(phones.e164, want) || len(phones.rejected) > 0 {
			p.Fatalf("%q gives %q and rejects %+v", text.String(), phones.e164, phones.rejected)
		}
	})
}

// A digit of the list is in a number or in a refusal: nothing is dropped.
func TestParseNumbers_DropsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(p *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("0127 +-,;x#.\n"))).Draw(p, "text")
		pieces := ""
		for piece := range splitNumbers([]string{text}, nil) {
			pieces += piece.raw
		}
		digits := func(s string) (n int) { return strings.Count(s, "7") }
		if digits(pieces) != digits(text) {
			p.Fatalf("%q is cut into %q", text, pieces)
		}
	})
}

func FuzzParseNumbers(f *testing.F) {
	f.Add("0700 000 012, +256700000010")
	f.Add("+270000000")
	f.Fuzz(func(t *testing.T, raw string) {
		phones := parseNumbers([]string{raw}, []string{"256", "254"})
		for _, number := range phones.e164 {
			// Wesendall splits at spaces and commas: one entry must stay one number.
			if !strings.HasPrefix(number, "+") || strings.Trim(number[1:], "0123456789") != "" {
				t.Errorf("%q of %q", number, raw)
			}
		}
		if again := parseNumbers(phones.e164, []string{"256"}); !slices.Equal(again.e164, phones.e164) {
			t.Errorf("%q becomes %q", phones.e164, again.e164)
		}
	})
}
