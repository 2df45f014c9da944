package guard

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
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
		phones := parseNumbers([]string{raw})
		got := slices.Clone(phones.e164)
		for _, r := range phones.rejected {
			got = append(got, "!"+r.Input+" "+r.Reason)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, not %q", raw, got, want)
		}
	}
	got := parseNumbers([]string{"0700000010", "0700-000-010", "0700000011"}).e164
	if !slices.Equal(got, []string{phone1, phone2}) {
		t.Error(got)
	}
	if phones := parseNumbers([]string{"+256100000010"}); len(phones.e164) != 1 || len(phones.warnings) != 1 {
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
		!strings.Contains(err.Error(), `recipient: "12" has too few digits; recipient: "x" is not a phone number`) {
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

func FuzzParseNumbers(f *testing.F) {
	f.Add("0700 000 012, +256700000010")
	f.Add("+270000000")
	f.Fuzz(func(t *testing.T, raw string) {
		phones := parseNumbers([]string{raw})
		for _, number := range phones.e164 {
			// Wesendall splits at spaces and commas: one entry must stay one number.
			if !strings.HasPrefix(number, "+") || strings.Trim(number[1:], "0123456789") != "" {
				t.Errorf("%q of %q", number, raw)
			}
		}
		if again := parseNumbers(phones.e164); !slices.Equal(again.e164, phones.e164) {
			t.Errorf("%q becomes %q", phones.e164, again.e164)
		}
	})
}
