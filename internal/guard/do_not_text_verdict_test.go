package guard

import (
	"slices"
	"strings"
	"testing"
)

// fortyNumbers are 40 numbers, and a list that has the last 35 of them. The outcome of
// a send to the last is unknown.
func fortyNumbers() (numbers []string, list string) {
	numbers = append(testNumbers(39), phoneUnknown)
	return numbers, strings.Join(numbers[5:], "\n")
}

func askAbove100(o *Options) { o.Limits.ConfirmAbove, o.Limits.PerCall = 100, 700 }

// A dry run, and a quote for a user, are judged by those who would be reached, as the
// real call is.
func TestDoNotText_JudgedByReached(t *testing.T) {
	t.Parallel()
	numbers, list := fortyNumbers()
	optedOut := numbers[5]
	for name, c := range map[string]struct {
		change func(*Options)
		before func(optOutEnv)
		needs  string // why the user must agree
	}{
		"the threshold of a confirmation": {},
		"the limit of one call":           {change: withLimits(func(l *Limits) { l.PerCall = 700 })},
		"the limit of a day":              {change: withLimits(func(l *Limits) { l.PerDay = 700 })},
		"quiet hours":                     {before: func(env optOutEnv) { env.set("2026-11-24T22:00:00+03:00") }},
		"the balance": {before: func(env optOutEnv) {
			env.setResponse("/balance", mutableBody(`{"success":true,"data":{"balance":500,"cost_per_sms":35}}`))
		}},
		"an opted-out number had the text":         {before: func(env optOutEnv) { env.expectOK(env.send("Hi", SpendOptions{}, optedOut)) }},
		"an opted-out number may have had another": {before: func(env optOutEnv) { env.loseSend("Ho") }},
		"above the threshold, below the limit":     {change: askAbove100, needs: "it costs more than UGX 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newOptOutEnv(t, "", c.change)
			if c.before != nil {
				c.before(env)
			}
			env.write(list)
			q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, numbers...)).Quote
			if q.WouldRefuse != nil || (q.NeedsConfirmation != nil) != (c.needs != "") || q.Recipients != 40 || q.TotalUGX != 1400 {
				t.Errorf("%+v, %+v, %+v", q, q.WouldRefuse, q.NeedsConfirmation)
			}
			if notes := strings.Join(q.Notes, " "); !strings.Contains(notes, "Now it would reach 5 recipients for about UGX 175.") ||
				strings.Contains(notes, "does not cover") {
				t.Error(notes)
			}
			opts := SpendOptions{}
			if c.needs != "" {
				opts.QuoteID = env.expectError(CodeConfirmationRequired)(env.send("Hi", opts, numbers...)).says(c.needs).Quote.ID
			}
			receipt := env.expectOK(env.send("Hi", opts, numbers...))
			if receipt.Quote.Recipients != 5 || receipt.Quote.TotalUGX != 175 {
				t.Errorf("%+v", receipt.Quote)
			}
			got := slices.DeleteFunc(env.received("Hi"), func(number string) bool { return number == optedOut })
			if !slices.Equal(got, numbers[:5]) {
				t.Error(got)
			}
		})
	}
}

// The user is asked, and answers at once or in a later call.
func TestDoNotText_AskedAboutReached(t *testing.T) {
	t.Parallel()
	numbers, list := fortyNumbers()
	env := newOptOutEnv(t, list, askAbove100)
	question := ""
	env.expectError(CodeDeclined)(env.send("Hi", SpendOptions{Elicit: recordQuestion(&question)}, numbers...))
	if !strings.Contains(question, "35 numbers will not be texted") || !strings.Contains(question, "5 recipients for about UGX 175.") {
		t.Error(question)
	}
	env.expectOK(env.send("Hi", SpendOptions{Elicit: elicitYes}, numbers...))
	required := env.expectError(CodeConfirmationRequired)(env.send("Ho", SpendOptions{InputRequired: true}, numbers...))
	env.expectOK(env.send("Ho", SpendOptions{InputRequired: true, QuoteID: required.Quote.ID, Answer: AnswerYes}, numbers...))
	if total := env.reservedTotal(); total != 350 {
		t.Errorf("UGX %d were booked", total)
	}
}

// A number that has left the list since the quote is reached, for at most the price of
// the whole quote, and the limits and duplicates are judged again.
func TestDoNotText_LeftTheListAfterQuote(t *testing.T) {
	t.Parallel()
	numbers, list := testNumbers(3), testNumbers(3)[2]
	agreed := func(env optOutEnv, opts SpendOptions) SpendOptions {
		q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: opts.AllowDuplicate}, numbers...)).Quote
		if q.TotalUGX != 105 || q.WouldRefuse != nil {
			env.Errorf("%+v", q)
		}
		opts.QuoteID = q.ID
		env.write("")
		return opts
	}
	env := newOptOutEnv(t, list, askEverything)
	if receipt := env.expectOK(env.send("Hi", agreed(env, SpendOptions{}), numbers...)); receipt.Quote.TotalUGX != 105 {
		t.Errorf("%+v", receipt.Quote)
	}
	env = newOptOutEnv(t, list, withLimits(func(l *Limits) { l.PerCall = 70 }))
	env.expectError(CodeLimitExceeded)(env.send("Hi", agreed(env, SpendOptions{}), numbers...))

	for _, alsoOptedOut := range []string{"", "\n" + numbers[0] + "\n" + numbers[1]} { // and nobody is left
		env = newOptOutEnv(t, "", func(o *Options) { o.Limits.ConfirmAbove = 500 })
		env.expectOK(env.send("Hi", SpendOptions{}, numbers[2]))
		env.write(list + alsoOptedOut)
		q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true, AllowDuplicate: true}, numbers...)).Quote
		env.write("")
		_, failure := env.send("Hi", SpendOptions{AllowDuplicate: true, QuoteID: q.ID}, numbers...)
		named := strings.Contains(strings.Join(q.Notes, " "), "it repeats")
		if named != (alsoOptedOut != "") || named != (codeOf(failure) == "") {
			t.Errorf("the quote names the duplicate: %v, and the call ends with %v", named, failure)
		}
	}
}
