package guard

import (
	"testing"
)

func TestUnknownOutcome_Message(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	_, failure := env.send("Hi", SpendOptions{}, phone1, phoneUnknown)
	spends := env.spends()
	if failure == nil || failure.Code != CodeOutcomeUnknown || len(spends) != 1 || failure.SpendID != spends[0].ID {
		t.Fatalf("%+v, %+v", failure, spends)
	}
	expectedError{failure, t}.says("+256700000010, +256700000408, about UGX 70", "in the ledger it is "+failure.SpendID,
		"ledger resolve", "stays in the day's budget", "Do not send again", "list_sms_history", "get_balance")
}
