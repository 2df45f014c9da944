package guard

import (
	"context"
	"testing"
	"time"
)

// A host that declines by itself is recognised by how fast it answers.
func TestDecline_ByTheHost(t *testing.T) {
	t.Parallel()
	for waited, byHost := range map[time.Duration]bool{
		0: true, 49 * time.Millisecond: true, 50 * time.Millisecond: false, time.Minute: false, -time.Second: false,
	} {
		t.Run(waited.String(), func(t *testing.T) {
			t.Parallel()
			want := "your user did not agree"
			if byHost {
				want = "the host declined by itself, before a user could read the question. " +
					"If this host cannot ask, the operator can set WESENDALL_CONFIRM=quote"
			}
			env := newTestEnv(t, 5000, askEverything)
			slowNo := func(context.Context, string) (Answer, error) { env.advance(waited); return AnswerNo, nil }
			env.expectError(CodeDeclined)(env.send("Hi", SpendOptions{Elicit: slowNo}, phone1)).says(want)

			// The stateless protocol (2026-07-28) brings the answer with another call.
			asked := env.expectError(CodeConfirmationRequired)(env.send("Hi", SpendOptions{InputRequired: true}, phone1))
			env.advance(waited)
			no := SpendOptions{InputRequired: true, QuoteID: asked.Quote.ID, Answer: AnswerNo}
			env.expectError(CodeDeclined)(env.send("Hi", no, phone1)).says(want)
			no.Answer = AnswerYes // the quote is void
			env.expectError(CodeConfirmationRequired)(env.send("Hi", no, phone1))
		})
	}
}

// For a quote that does not exist, the time of the question is unknown.
func TestDecline_UnknownQuote(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, askEverything)
	no := SpendOptions{InputRequired: true, QuoteID: "none", Answer: AnswerNo}
	env.expectError(CodeDeclined)(env.send("Hi", no, phone1)).says("your user did not agree")
}
