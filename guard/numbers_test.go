package guard

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestRecipientsOfAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0772 123 456":                                "0772123456",
		"+256 772-123-456":                            "+256772123456",
		"+256 (772) 123 456, 0700000010":              "+256772123456 0700000010",
		"0700000010 0700000011":                       "0700000010 0700000011",
		"0700 000 010 0700 000 011":                   "0700000010 0700000011",
		"700000010 700000011":                         "700000010 700000011",
		"256 700 000 010 +256700000011":               "256700000010 +256700000011",
		"+ 256 700000010":                             "+256700000010",
		"0700000010;0700000011\n0700000012":           "0700000010 0700000011 0700000012",
		"0700000010, 0700 000 010":                    "0700000010",
		"+254700000001 +256700000010":                 "+254700000001 +256700000010",
		" , ;\n":                                      "",
		"":                                            "",
		"\u200e+256\u00a0700\u2011000\u2011010\u200f": "+256700000010",
		"not a number":                                "notanumber",
	} {
		if got := strings.Join(Recipients([]string{text}), " "); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	if got := Recipients([]string{"0700000010", "0700-000-010", "0700000011"}); !slices.Equal(got, client.Recipients{"0700000010", "0700000011"}) {
		t.Error(got)
	}
}

func TestNoNumberAtAllIsRefusedHere(t *testing.T) {
	t.Parallel()
	g := guarded(t, func(http.ResponseWriter, *http.Request) { t.Error("a request") })
	_, err := g.Send(t.Context(), client.SendRequest{WalletID: "w", Message: "Hi", Recipient: client.Recipients{" , "}})
	if e, ok := err.(*Error); !ok || e.Code != InvalidArguments { //nolint:errorlint // the method's own promise
		t.Error(err)
	}
	_, err = g.AddContacts(t.Context(), client.AddContactsRequest{GroupID: "g", Contacts: []client.Contact{{Phone: "0700000010"}, {Phone: " - "}}})
	if err == nil || !strings.Contains(err.Error(), "contacts/1/phone") {
		t.Error(err)
	}
}

func FuzzRecipients(f *testing.F) {
	f.Add("0772 123 456, +256700000010")
	f.Fuzz(func(t *testing.T, text string) {
		for _, number := range Recipients([]string{text}) {
			// The vendor splits at these: one entry must stay one number.
			if number == "" || strings.ContainsAny(number, ",; \t\r\n\v\f\u00a0") {
				t.Errorf("%q of %q", number, text)
			}
		}
	})
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
