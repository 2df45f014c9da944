package guard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

func TestQuietHours_Text(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"21-7": "21-7", " 22 - 6 ": "22-6", "0-24": "0-24", "1-2": "1-2", "off": "off", "OFF": "off", "0-5": "0-5",
		"": "", "21": "", "21-": "", "-7": "", "24-7": "", "21-25": "", "7-7": "", "21:00-7:00": "", "9pm-7am": "", "21-7-8": "", "on": "",
	} {
		var q QuietHours
		err := q.UnmarshalText([]byte(text))
		if (err == nil) != (want != "") || err == nil && q.String() != want {
			t.Errorf("%q: %v, %v", text, q, err)
		}
	}
}

func TestQuietHours_Contains(t *testing.T) {
	t.Parallel()
	for text, hours := range map[string]string{
		"21-7": "0 1 2 3 4 5 6 21 22 23", "1-3": "1 2", "0-24": "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
		"off": "", "22-24": "22 23", "23-0": "23",
	} {
		var q QuietHours
		if err := q.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for hour := range 24 {
			if q.contains(time.Date(2026, 11, 24, hour, 59, 59, 0, ledger.KampalaZone).UTC()) {
				got = append(got, fmt.Sprint(hour))
			}
		}
		if strings.Join(got, " ") != hours {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// manyNumbers are n numbers.
func manyNumbers(n int) (numbers []string) {
	for i := range n {
		numbers = append(numbers, fmt.Sprintf("+2567000000%02d", 20+i))
	}
	return numbers
}

// At night a group, or more than ten numbers, needs a confirmation that names the
// hour and the setting.
func TestQuietHours_Confirm(t *testing.T) {
	t.Parallel()
	group := func(env *testEnv, o SpendOptions) (*Receipt, *Error) { return env.sendGroup("Hi", o) }
	numbers := func(n int) func(*testEnv, SpendOptions) (*Receipt, *Error) {
		return func(env *testEnv, o SpendOptions) (*Receipt, *Error) { return env.send("Hi", o, manyNumbers(n)...) }
	}
	for name, c := range map[string]struct {
		at   string // in Kampala
		do   func(*testEnv, SpendOptions) (*Receipt, *Error)
		mode ConfirmMode
		off  bool
		asks bool
	}{
		"a group at night":                   {at: "22:14", do: group, asks: true},
		"a group at night, by quote":         {at: "22:14", do: group, mode: ConfirmByQuote, asks: true},
		"a group before the morning":         {at: "06:59", do: group, asks: true},
		"a group in the morning":             {at: "07:00", do: group},
		"a group in the evening":             {at: "20:59", do: group},
		"a group at night, without hours":    {at: "22:14", do: group, off: true},
		"a group at night, no confirmations": {at: "22:14", do: group, mode: ConfirmOff},
		"ten numbers at night":               {at: "22:14", do: numbers(10)},
		"eleven numbers at night":            {at: "22:14", do: numbers(11), asks: true},
		"eleven numbers by day":              {at: "12:00", do: numbers(11)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) {
				if c.mode != "" {
					o.Confirm = c.mode
				}
				if c.off {
					o.QuietHours = QuietHours{}
				}
			})
			env.set("2026-11-24T" + c.at + ":00+03:00")
			dryRun := env.expectOK(c.do(env, SpendOptions{DryRun: true}))
			if (dryRun.Quote.NeedsConfirmation != nil) != c.asks {
				t.Errorf("%+v", dryRun.Quote.NeedsConfirmation)
			}
			if !c.asks {
				env.expectOK(c.do(env, SpendOptions{}))
				return
			}
			want := []string{"it is " + c.at + " in Kampala", "WESENDALL_QUIET_HOURS=21-7"}
			required := env.expectError(CodeConfirmationRequired)(c.do(env, SpendOptions{})).says(want...)
			if c.mode == ConfirmByQuote {
				env.expectOK(c.do(env, SpendOptions{QuoteID: required.Quote.ID}))
				return
			}
			ask := func(_ context.Context, question string) (Answer, error) {
				for _, text := range want {
					if !strings.Contains(question, text) {
						t.Errorf("no %q in %s", text, question)
					}
				}
				return AnswerYes, nil
			}
			env.expectOK(c.do(env, SpendOptions{Elicit: ask}))
		})
	}
}

// Another reason does not hide the hour.
func TestQuietHours_WithAnotherReason(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	env.set("2026-11-24T23:30:00+03:00")
	env.expectError(CodeConfirmationRequired)(env.sendGroup("Hi", SpendOptions{})).
		says("it costs more than UGX 0", "it is 23:30 in Kampala", "WESENDALL_QUIET_HOURS=21-7")
	failure := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1))
	if strings.Contains(failure.Message, "QUIET") {
		t.Error(failure.Message)
	}
}

// A quote from the evening does not name the hour, so it confirms nothing at night.
func TestQuietHours_BeginAfterTheQuote(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmAuto, ConfirmByQuote, ConfirmOff} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm = mode })
		env.set("2026-11-24T20:59:00+03:00")
		quote := env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
		env.set("2026-11-24T21:01:00+03:00")
		if mode == ConfirmOff {
			env.expectOK(env.sendGroup("Hi", SpendOptions{QuoteID: quote.ID}))
			continue
		}
		env.expectError(CodeConfirmationRequired)(env.sendGroup("Hi", SpendOptions{QuoteID: quote.ID})).
			says("the quote does not say that it is 21:01 in Kampala")
		quote = env.expectOK(env.sendGroup("Hi", SpendOptions{DryRun: true})).Quote
		env.expectOK(env.sendGroup("Hi", SpendOptions{QuoteID: quote.ID}))
	}
}
