package guard

import "testing"

func TestTopUp_OnePayer(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for _, payer := range []string{" , ", "", "0700000010, 0700000011"} {
		env.expectError(CodeInvalidArguments)(env.topUp(500, SpendOptions{Elicit: elicitYes}, payer)).
			says("phone_number: must be one phone number")
	}
}
