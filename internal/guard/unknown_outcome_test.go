package guard

import (
	"context"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// The result of a spend with an unknown outcome and the later refusal say the same.
func TestWayOut_ResultAndRefusal(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*testEnv) (*Error, *Error){
		client.ToolSendSMS: func(env *testEnv) (*Error, *Error) {
			_, unknown := env.send("Hi", SpendOptions{}, phoneUnknown)
			_, refused := env.send("Hi", SpendOptions{}, phoneUnknown)
			return unknown, refused
		},
		client.ToolTopUpWallet: func(env *testEnv) (*Error, *Error) {
			env.loseTopUp(500)
			_, refused := env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1)
			return nil, refused
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, nil)
			unknown, refused := lose(env)
			id := env.spends()[0].ID
			settle := "wesendall-mcp ledger resolve " + id + " sent|failed."
			if refused == nil || refused.Code != CodeDuplicateSend || refused.SpendID != id {
				t.Fatalf("%+v", refused)
			}
			expectedError{refused, t}.says(client.UnknownOutcomeAdvice(name), "ledger reconcile", settle)
			if unknown != nil {
				expectedError{unknown, t}.says(client.UnknownOutcomeAdvice(name), "ledger reconcile", settle)
			}
		})
	}
}

func openInMemory(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
	return ledger.Open(ctx, "", o)
}

// A ledger in memory ends with the process, so no command can settle a spend in it.
func TestWayOut_LedgerInMemory(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.OpenLedger = openInMemory })
	_, failure := env.send("Hi", SpendOptions{}, phoneUnknown)
	if failure == nil || failure.Code != CodeOutcomeUnknown {
		t.Fatal(failure)
	}
	expectedError{failure, t}.says(client.UnknownOutcomeAdvice(client.ToolSendSMS))
	if strings.Contains(failure.Message, "ledger resolve") {
		t.Error(failure.Message)
	}
}
