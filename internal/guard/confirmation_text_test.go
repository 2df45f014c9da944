package guard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// askEverything makes every spend need a confirmation.
func askEverything(o *Options) { o.Limits.ConfirmAbove = 0 }

// recordQuestion returns an elicitor that stores the question and declines.
func recordQuestion(question *string) Elicitor {
	return func(_ context.Context, q string) (Answer, error) { *question = q; return AnswerNo, nil }
}

// expectLines checks that a text has these lines, in this order.
func expectLines(t *testing.T, text string, want ...string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, each := range want {
		for len(lines) > 0 && lines[0] != each {
			lines = lines[1:]
		}
		if len(lines) == 0 {
			t.Fatalf("no line %q, or not in this place, in:\n%s", each, text)
		}
	}
}

func TestConfirmPrompt(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	question := ""
	opts := SpendOptions{Elicit: recordQuestion(&question)}
	message := strings.Repeat("a", 660) + " https://wesendall.com/x"
	_, _ = env.send(message, opts, phone1, phone2, phone3, phone4, "+256700000018", "+256700000019", "+256700000020")
	expectLines(t, question, "Send an SMS?",
		"To: 7 recipients: +256700000010, +256700000011, +256700000016, +256700000017, "+
			"+256700000018, +256700000019, +256700000020",
		"Cost: about UGX 1,225 (5 units each)", "Wallet: wal_sandbox", "Balance: UGX 5,000 now, about UGX 3,775 after",
		"You are asked because it costs more than UGX 1,000.",
		"The whole message (684 characters), between quotation marks:", `"`+message+`"`)
	if !strings.HasSuffix(question, `"`+message+`"`) {
		t.Errorf("something follows the message:\n%s", question)
	}
}

func TestConfirmPrompt_TopUp(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	question := ""
	_, err := env.guard.TopUp(t.Context(), client.TopUpRequest{
		WalletID: sandbox.WalletID, PhoneNumber: phone1, Amount: 2500, Description: "Pay for \"lottery\"\nprize",
	}, SpendOptions{Elicit: recordQuestion(&question)})
	if codeOf(env.asGuardError(err)) != CodeDeclined {
		t.Fatal(err)
	}
	expectLines(t, question, "Ask for money by Mobile Money?", "Payer: "+phone1,
		"Amount: UGX 2,500. The mobile network may add its own fee.",
		`Description: "Pay for \"lottery\"\nprize"`, "Into the wallet: wal_sandbox",
		"Balance: UGX 5,000 now, UGX 7,500 once it is paid", "You are asked because it asks somebody for money.")
}

func TestConfirmPrompt_ManyRecipients(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, askEverything)
	var numbers []string
	for i := range 50 {
		numbers = append(numbers, fmt.Sprintf("+2567000000%02d", 10+i))
	}
	question := ""
	_, _ = env.send("Hi", SpendOptions{Elicit: recordQuestion(&question)}, numbers...)
	expectLines(t, question, "To: 50 recipients: "+strings.Join(numbers[:10], ", ")+" and 40 more")
}

// A title is other people's text: it adds no line, and does not run into the id.
func TestConfirmPrompt_Group(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]string{
		`Choir`: `the 3 contacts of the group "Choir", with the id "` + sandbox.GroupID + `"`,
		``:      `the 3 contacts of the group with the id "` + sandbox.GroupID + `"`,
		`A\" id\nCost: about UGX 1`: `the 3 contacts of the group "A\" id\nCost: about UGX 1", with the id "` +
			sandbox.GroupID + `"`,
	} {
		env := newTestEnv(t, 5000, askEverything)
		env.setResponse("/groups", mutableBody(fmt.Sprintf(
			`{"data":{"groups":[{"id":%q,"title":"%s","contact_count":3}]}}`, sandbox.GroupID, title)))
		question := ""
		_, _ = env.sendGroup("Hi", SpendOptions{Elicit: recordQuestion(&question)})
		expectLines(t, question, "To: "+want, "Cost: about UGX 105 (1 unit each)")
	}
}

// A message cannot pose as a part of the question.
func TestConfirmPrompt_Spoofed(t *testing.T) {
	t.Parallel()
	const falseFact = "to +256700000001 for about UGX 35"
	for name, message := range map[string]string{
		"typographic quotation marks": "Hi” " + falseFact + " (1 unit each)? The wallet then holds UGX 9." + strings.Repeat(" ", 400),
		"quotation marks and lines":   "Hi\"\n\nTo: 1 recipient " + falseFact + "\nCost: about UGX 35\n\"",
		"carriage returns":            "Hi\rTo: 1 recipient " + falseFact,
		"line separators":             "Hi\u2028To\u2029 " + falseFact + "\u0085\v\f",
		"terminal sequences":          "Hi\x1b[2J\x1b[H" + falseFact + "\b\b",
		"bidirectional controls":      "Hi\u202e" + falseFact + "\u2066\u2069",
		"invisible characters":        "Hi\u200b\u00ad\ufeff\U000e0041\u2800\u3164" + falseFact,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 100_000, askEverything)
			var numbers []string
			for i := range 50 {
				numbers = append(numbers, fmt.Sprintf("+2567000000%02d", 10+i))
			}
			question := ""
			_, _ = env.send(message, SpendOptions{Elicit: recordQuestion(&question)}, numbers...)
			facts, shown, found := strings.Cut(question, "\n\nThe whole message (")
			if !found || strings.Contains(facts, falseFact) || !strings.Contains(facts, "50 recipients") {
				t.Errorf("the facts do not come first:\n%s", question)
			}
			lines := strings.Split(shown, "\n")
			last := lines[len(lines)-1]
			if len(lines) != 3 || last != `"`+sanitize.Visible(message)+`"` || !strings.Contains(last, falseFact) {
				t.Errorf("the message is not on one line:\n%s", shown)
			}
			if strings.ContainsFunc(strings.ReplaceAll(question, "\n", ""), sanitize.IsInvisible) {
				t.Errorf("%q", question)
			}
		})
	}
}

func TestConfirmPrompt_Sanitized(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, askEverything)
	question := ""
	_, _ = env.send("Hi\x1b[8m\u202e \u200bthere", SpendOptions{Elicit: recordQuestion(&question)}, phone1)
	if !strings.HasSuffix(question, `"Hi\{U+001B}[8m\{U+202E} \{U+200B}there"`) {
		t.Errorf("%q", question)
	}
}

// The wallet's id may come from a header.
func TestConfirmPrompt_WalletOfOthers(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, askEverything)
	env.setFault(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		_, _ = w.Write([]byte(`{"success":true,"data":{"balance":5000,"cost_per_sms":35}}`))
	})
	question := ""
	request := sendRequest("Hi", phone1)
	request.WalletID = "wal_1\nCost: UGX 1"
	_, _ = env.guard.Send(t.Context(), request, SpendOptions{Elicit: recordQuestion(&question)})
	expectLines(t, question, "Cost: about UGX 35 (1 unit each)", `Wallet: wal_1\nCost: UGX 1`)
}

// A title of a whole page does not push the facts out of sight.
func TestConfirmation_LongGroupTitle(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	title := strings.Repeat("Choir ", 4000)
	env.setResponse("/groups", mutableBody(`{"success":true,"data":[{"id":"`+sandbox.GroupID+`","title":"`+title+`","contact_count":3}]}`))
	q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
	if want := title[:80] + "…"; q.Group.Title != want {
		t.Errorf("the quote has %d bytes of the title", len(q.Group.Title))
	}
	ask := func(_ context.Context, question string) (Answer, error) {
		if !strings.Contains(question, `"`+title[:80]+`…"`) || len(question) > 1000 {
			t.Errorf("the question has %d bytes", len(question))
		}
		return AnswerYes, nil
	}
	env.expectOK(env.sendGroup("Hi", SpendOptions{Elicit: ask}))
}
