package guard

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// optOutEnv is an environment with a do-not-text list that a test writes.
type optOutEnv struct {
	*testEnv
	path string
}

func newOptOutEnv(t *testing.T, list string, change func(*Options)) optOutEnv {
	t.Helper()
	path := filepath.Join(t.TempDir(), "do-not-text")
	env := optOutEnv{newTestEnv(t, 5000, func(o *Options) {
		o.DoNotText = NewDoNotTextList(path, []string{"256", "254"})
		if change != nil {
			change(o)
		}
	}), path}
	env.write(list)
	return env
}

func (env optOutEnv) write(list string) {
	env.Helper()
	if err := os.WriteFile(env.path, []byte(list), 0o600); err != nil {
		env.Fatal(err)
	}
}

// received are those who were charged for a message.
func (env optOutEnv) received(message string) (numbers []string) {
	env.Helper()
	_, charged := env.charges(env.TB)
	for key := range charged {
		if number, ok := strings.CutPrefix(key, message+" "); ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func TestDoNotText_Parse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "",
		"# only a comment\n\n  \n":              "",
		"+256700000010":                         "+256700000010",
		"0700000010\r\n0700 000 011 # Anna\r\n": "+256700000010 +256700000011",
		"\ufeff0700000010\n256700000010":        "+256700000010",
		"\t0700-000-010  ":                      "+256700000010",
		"0700000010\nnobody\n":                  "line 2 is not one phone number",
		"\n\n0700000010, 0700000011":            "line 3 is not one phone number",
		"07000":                                 "line 1 is not one phone number",
		"254700000010":                          "+254700000010",                  // Kenya, which is allowed
		"255700000010":                          "line 1 is not one phone number", // Tanzania, which is not
		"0700000010 Anna":                       "line 1 is not one phone number",
		"0700000010\n*\n":                       "line 2 is not one phone number",
	} {
		numbers, err := parseDoNotText(text, []string{"256", "254"})
		var got []string
		for number := range numbers {
			got = append(got, number)
		}
		slices.Sort(got)
		result := strings.Join(got, " ")
		if err != nil {
			result = err.Error()
		}
		if result != want {
			t.Errorf("%q: %q, want %q", text, result, want)
		}
	}
}

// A number on the list is dropped with a note, and neither reached nor paid for.
func TestDoNotText_Drops(t *testing.T) {
	t.Parallel()
	env := newOptOutEnv(t, "0700000011 # asked on Monday\n", nil)
	q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1, phone2, phone3)).Quote
	if q.Recipients != 3 || q.TotalUGX != 105 || !strings.Contains(strings.Join(q.Notes, " "), "1 number will not be texted") ||
		!strings.Contains(strings.Join(q.Notes, " "), phone2) {
		t.Errorf("%+v", q)
	}
	receipt := env.expectOK(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1, phone2, phone3))
	notes := strings.Join(receipt.Quote.Notes, " ")
	if receipt.Quote.Recipients != 2 || receipt.Quote.TotalUGX != 70 || receipt.BudgetRemaining != 100_000-70 ||
		!strings.Contains(notes, "1 number was dropped") || !strings.Contains(notes, phone2) || strings.Contains(notes, "will not") {
		t.Errorf("%+v", receipt.Quote)
	}
	if got := env.received("Hi"); !slices.Equal(got, []string{phone1, phone3}) {
		t.Error(got)
	}
	// It was not sent to, so it is no duplicate once it is off the list.
	env.write("")
	env.expectOK(env.send("Hi", SpendOptions{}, phone2))
	env.expectError(CodeDuplicateSend)(env.send("Hi", SpendOptions{}, phone1))
}

// The list is read again when the spend is reserved: after a quote, after a yes,
// and by another process.
func TestDoNotText_ReadAtEachReserve(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(optOutEnv) *Receipt{
		"after a quote": func(env optOutEnv) *Receipt {
			q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1, phone2)).Quote
			env.write(phone2)
			return env.expectOK(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1, phone2))
		},
		"while the user is asked": func(env optOutEnv) *Receipt {
			ask := func(context.Context, string) (Answer, error) { env.write(phone2); return AnswerYes, nil }
			return env.expectOK(env.send("Hi", SpendOptions{Elicit: ask}, phone1, phone2))
		},
		"an answer in a later call": func(env optOutEnv) *Receipt {
			required := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{InputRequired: true}, phone1, phone2))
			env.write(phone2)
			return env.expectOK(env.send("Hi", SpendOptions{InputRequired: true, QuoteID: required.Quote.ID, Answer: AnswerYes}, phone1, phone2))
		},
		"off the list after a quote": func(env optOutEnv) *Receipt {
			env.write(phone1 + "\n" + phone2)
			q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1, phone2)).Quote
			if q.WouldRefuse == nil || q.WouldRefuse.Code != CodeDestinationNotAllowed {
				env.Errorf("%+v", q)
			}
			env.write(phone2)
			return env.expectOK(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1, phone2))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newOptOutEnv(t, "", func(o *Options) { o.Limits.ConfirmAbove = 0 })
			if receipt := send(env); receipt.Quote.Recipients != 1 {
				t.Errorf("%+v", receipt.Quote)
			}
			if got := env.received("Hi"); !slices.Equal(got, []string{phone1}) {
				t.Error(got)
			}
		})
	}
}

// The question says who is left out.
func TestDoNotText_Question(t *testing.T) {
	t.Parallel()
	env := newOptOutEnv(t, phone2, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	question := ""
	ask := func(_ context.Context, q string) (Answer, error) { question = q; return AnswerNo, nil }
	env.expectError(CodeDeclined)(env.send("Hi", SpendOptions{Elicit: ask}, phone1, phone2))
	if !strings.Contains(question, "1 number will not be texted") || !strings.Contains(question, phone2) {
		t.Error(question)
	}
}

func TestDoNotText_NobodyLeft(t *testing.T) {
	t.Parallel()
	env := newOptOutEnv(t, phone1+"\n"+phone2, nil)
	env.expectError(CodeDestinationNotAllowed)(env.send("Hi", SpendOptions{}, phone1, phone2)).
		says("2 numbers are on", "WESENDALL_DO_NOT_TEXT")
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1)) // not a text
}

// A list that cannot be used refuses every send, and names the line.
func TestDoNotText_Unusable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(optOutEnv)
		says  string
	}{
		"a bad line":  {func(env optOutEnv) { env.write("# ok\n0700000099\nAnna\n") }, "line 3 is not one phone number"},
		"no file":     {func(env optOutEnv) { _ = os.Remove(env.path) }, "no such file"},
		"a directory": {func(env optOutEnv) { _ = os.Remove(env.path); _ = os.Mkdir(env.path, 0o700) }, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newOptOutEnv(t, "", nil)
			env.expectOK(env.send("Before", SpendOptions{}, phone1))
			c.spoil(env)
			for _, opts := range []SpendOptions{{}, {DryRun: true}} {
				env.expectError(CodeNotConfigured)(env.send("Hi", opts, phone1)).says(c.says, "WESENDALL_DO_NOT_TEXT="+env.path)
				env.expectError(CodeNotConfigured)(env.sendGroup("Hi", opts)).says(c.says)
			}
			failure := env.expectError(CodeNotConfigured)(env.newTokenCaller("anna", nil).send("Hi", SpendOptions{}, phone1))
			if strings.Contains(failure.Message, env.path) {
				t.Error(failure.Message)
			}
			env.expectReadsWork()
			env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
		})
	}
}

// A group's numbers cannot be listed, and its quote says that the list does not
// apply.
func TestDoNotText_Group(t *testing.T) {
	t.Parallel()
	env := newOptOutEnv(t, "0700000012", nil)
	q := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
	if q.Recipients != 2 || !strings.Contains(strings.Join(q.Notes, " "), "does not apply to a group") {
		t.Errorf("%+v", q)
	}
}
