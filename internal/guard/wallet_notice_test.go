package guard

import (
	"context"
	"strings"
	"testing"
)

const testNotice = `the wallet "wal_sandbox" and its key come from the file "/repo/.env"`

// With credentials that a repository may have brought along, every spend names
// them and asks, and no payer is asked for money.
func TestWalletNotice_EverySpend(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmAuto, ConfirmElicit} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.WalletNotice = mode, testNotice })
		var asked []string
		yes := func(_ context.Context, q string) (Answer, error) { asked = append(asked, q); return AnswerYes, nil }
		env.expectOK(env.send("Hi", SpendOptions{Elicit: yes}, phone1))                       // far below the threshold
		env.expectOK(env.sendGroup("Ho", SpendOptions{Elicit: yes}))                          // a group
		env.expectOK(env.send("Hi", SpendOptions{Elicit: yes, AllowDuplicate: true}, phone1)) // for another reason too
		if len(asked) != 3 {
			t.Fatalf("%s: asked %d times", mode, len(asked))
		}
		for _, question := range asked {
			if !strings.Contains(question, testNotice) {
				t.Errorf("%s: %s", mode, question)
			}
		}
		if !strings.Contains(asked[2], "it repeats") {
			t.Errorf("%s: the other reason is lost: %s", mode, asked[2])
		}
		env.expectError(CodeDeclined)(env.send("He", SpendOptions{Elicit: elicitNo}, phone1))
	}
}

func TestWalletNotice_ByQuote(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmOff, ConfirmByQuote, ConfirmAuto} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.WalletNotice = mode, testNotice })
		id := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1)).says(testNotice).Quote.ID
		env.expectError(CodeConfirmationRequired)(env.send("Ho", SpendOptions{QuoteID: id}, phone1)) // of another text
		id = env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1)).Quote.ID
		env.expectOK(env.send("Hi", SpendOptions{QuoteID: id}, phone1))
		env.expectError(CodeConfirmationRequired)(env.send("He", SpendOptions{}, phone1)) // one yes is for one spend
	}
	env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.WalletNotice = ConfirmElicit, testNotice })
	env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{}, phone1)).says("WESENDALL_CONFIRM=elicit")
}

// A quote of a process with other credentials names neither the wallet nor the file,
// so it does not confirm a spend with these.
func TestWalletNotice_QuoteOfAnotherProcess(t *testing.T) {
	t.Parallel()
	for name, notices := range map[string][2]string{
		"from trusted credentials": {"", testNotice},
		"from another file":        {"the wallet comes from another file", testNotice},
		"for trusted credentials":  {testNotice, ""},
	} {
		for _, mode := range []ConfirmMode{ConfirmOff, ConfirmByQuote, ConfirmAuto} {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				t.Parallel()
				env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.WalletNotice = mode, notices[0] })
				q := env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote
				env.options.WalletNotice = notices[1]
				env.restart()
				env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1)).
					says("the quote was for something else")
				q = env.expectOK(env.send("Hi", SpendOptions{DryRun: true}, phone1)).Quote
				env.expectOK(env.send("Hi", SpendOptions{QuoteID: q.ID}, phone1))
			})
		}
	}
}

func TestWalletNotice_TopUpRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []ConfirmMode{ConfirmOff, ConfirmByQuote, ConfirmAuto, ConfirmElicit} {
		env := newTestEnv(t, 5000, func(o *Options) { o.Confirm, o.WalletNotice = mode, testNotice })
		for _, opts := range []SpendOptions{{}, {Elicit: elicitYes}, {DryRun: true}, {InputRequired: true}, {QuoteID: "x"}} {
			env.expectError(CodeNotConfigured)(env.topUp(50_000, opts, phone1)).says(testNotice, "config HOST")
		}
		env.expectReadsWork()
	}
}
