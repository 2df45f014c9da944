package guard

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

func TestCountNumbers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list     string
		count    int
		complete bool
	}{
		"nothing":                      {" , ;\n", 0, true},
		"one":                          {"0700 000 010", 1, true},
		"two in a line":                {"0700000010 0700000011", 2, true},
		"one written in four ways":     {"0700000010, 700 000 010, 256700000010, +256 (700) 000-010", 1, true},
		"what is no number, each time": {"a, a, 12", 3, true},
		"more than one call may reach": {"0700000010,0700000011,0700000012", 3, true},
		"far too many":                 {strings.Repeat("a,", 1000), 120, false},
		"one number far too often":     {strings.Repeat("0700000010,", 1000), 1, false},
	} {
		if count, complete := countNumbers([]string{c.list}, nil, 2); count != c.count || complete != c.complete {
			t.Errorf("%s: %d %v", name, count, complete)
		}
	}
}

// The count comes before the check of the wallet, and that before the numbers are
// parsed: a stranger learns nothing of them, and costs nothing.
func TestSend_ChecksBeforeParsing(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.Recipients = 3 })
	gets := 0
	env.setFault(func(w http.ResponseWriter, _ *http.Request, pass func(http.ResponseWriter)) { gets++; pass(w) })
	stranger := env.newCaller("x", "sk_test_nobody", "none", walletB)
	env.expectError(CodeLimitExceeded)(stranger.send("Hi", SpendOptions{}, phone1, phone2, phone3, phone4)).
		says("4 numbers, and one call may reach 3 (WESENDALL_MAX_RECIPIENTS)")
	env.expectError(CodeInvalidArguments)(stranger.send("Hi", SpendOptions{}, " , "))
	env.expectError(CodeInvalidArguments)(stranger.topUp(500, SpendOptions{}, phone1+","+phone2))
	if gets != 0 {
		t.Errorf("%d requests before the count", gets)
	}
	env.expectError("invalid_credentials")(stranger.send("Hi", SpendOptions{}, "no number"))
	env.expectError("invalid_credentials")(stranger.send("Hi", SpendOptions{DryRun: true}, "no number"))
	env.expectError("invalid_credentials")(stranger.topUp(500, SpendOptions{}, "no number"))
	_, err := stranger.boundGuard().AddContacts(t.Context(), client.AddContactsRequest{
		WalletID: walletB, GroupID: "g", Contacts: []client.Contact{{Phone: "no number"}},
	})
	if e := env.asGuardError(err); codeOf(e) != "invalid_credentials" {
		t.Error(e)
	}
	// Numbers that are written twice count once.
	env.expectOK(env.send("Hi", SpendOptions{}, phone1, phone2, phone3, "0"+phone1[4:], phone2[1:]))
}

// A quote lists the first refused numbers and says how many there are.
func TestQuote_ManyRefusedNumbers(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	var list []string
	for i := range 50 {
		list = append(list, fmt.Sprintf("%d", i), fmt.Sprintf("+2561000000%02d", i))
	}
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, append(list, strings.Repeat("1", 1000))...)).Quote
	if len(q.Rejected) != sanitize.MaxProblems || len(q.Notes) != sanitize.MaxProblems+2 ||
		q.Notes[20] != "and 30 more such notes" || q.Notes[21] != "31 more are refused than are listed" {
		t.Errorf("%d %q", len(q.Rejected), q.Notes)
	}
	if q.ID != "" {
		t.Error("it can be used")
	}
}
