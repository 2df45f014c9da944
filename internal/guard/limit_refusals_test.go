package guard

import (
	"fmt"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

const dayEnds = "The day ends at 2026-11-25T00:00:00+03:00 (midnight in Kampala); then it can be done."

// testNumbers are so many numbers from +256700000020.
func testNumbers(count int) (numbers []string) {
	for i := range count {
		numbers = append(numbers, fmt.Sprintf("+2567000000%d", 20+i))
	}
	return numbers
}

var refusalTextCases = map[string]struct {
	change func(*Options)
	call   func(*testEnv) (*Receipt, *Error)
	code   string
	says   []string
}{
	"a day's limit": {
		withLimits(func(l *Limits) { l.PerDay = 1_105 }),
		func(env *testEnv) (*Receipt, *Error) {
			env.expectOK(env.send("first", SpendOptions{}, testNumbers(9)...)) // UGX 315
			env.expectOK(env.send("second", SpendOptions{}, testNumbers(9)...))
			return env.send("third", SpendOptions{}, testNumbers(16)...)
		},
		CodeLimitExceeded,
		[]string{
			"it takes UGX 560, and UGX 475 are left of today's limit (WESENDALL_MAX_PER_DAY), which is UGX 1,105; " +
				"UGX 630 were spent or reserved today.",
			"The limit allows 13 of these 16 recipients in one call now.", dayEnds,
		},
	},
	"more than a whole day": {
		withLimits(func(l *Limits) { l.PerDay = 34 }),
		func(env *testEnv) (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1) },
		CodeLimitExceeded, []string{"It is more than the limit of a whole day. Only the operator can change the limit."},
	},
	"one call": {
		withLimits(func(l *Limits) { l.PerCall = 70 }),
		func(env *testEnv) (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, phone2, phone3) },
		CodeLimitExceeded,
		[]string{
			"it takes UGX 105, and one call may take UGX 70 (WESENDALL_MAX_PER_CALL).",
			"The limit allows 2 of these 3 recipients in one call now. Only the operator can change the limit.",
		},
	},
	"top-ups of a day": {
		withLimits(func(l *Limits) { l.TopUp = 1_500 }),
		func(env *testEnv) (*Receipt, *Error) {
			env.expectOK(env.topUp(1_000, SpendOptions{}, phone1))
			return env.topUp(501, SpendOptions{}, phone2)
		},
		CodeLimitExceeded,
		[]string{"UGX 500 are left of today's limit (WESENDALL_MAX_TOPUP), which is UGX 1,500; UGX 1,000 were", dayEnds},
	},
	"too many recipients": {
		withLimits(func(l *Limits) { l.Recipients = 2 }),
		func(env *testEnv) (*Receipt, *Error) { return env.send("Hi", SpendOptions{}, phone1, phone2, phone3) },
		CodeLimitExceeded,
		[]string{"3 numbers, and one call may reach 2 (WESENDALL_MAX_RECIPIENTS). Send to fewer in each call."},
	},
	"a group that is too large": {
		withLimits(func(l *Limits) { l.Recipients = 1 }),
		func(env *testEnv) (*Receipt, *Error) { return env.sendGroup("Hi", SpendOptions{}) },
		CodeLimitExceeded, []string{"WESENDALL_MAX_RECIPIENTS", "Use a smaller group"},
	},
	"a duplicate of some": {
		nil,
		func(env *testEnv) (*Receipt, *Error) {
			env.expectOK(env.send("Hi", SpendOptions{}, phone1))
			return env.send("Hi", SpendOptions{}, phone1, phone2, phone3)
		},
		CodeDuplicateSend,
		[]string{"It was addressed to +256700000010. 2 other recipients can be sent without it."},
	},
	"a duplicate of all": {
		nil,
		func(env *testEnv) (*Receipt, *Error) {
			env.expectOK(env.send("Hi", SpendOptions{}, testNumbers(6)...))
			return env.send("Hi", SpendOptions{}, testNumbers(6)...)
		},
		CodeDuplicateSend,
		[]string{"+256700000024 and 1 more. Look at list_sms_history."},
	},
	"another country": {
		nil,
		func(env *testEnv) (*Receipt, *Error) {
			return env.send("Hi", SpendOptions{}, phone1, "+254700000001", "+254700000002")
		},
		CodeDestinationNotAllowed,
		[]string{
			"calling codes 256 (WESENDALL_ALLOWED_COUNTRIES), not +254700000001, +254700000002. " +
				"1 other recipient can be sent without them. Only the operator can allow more.",
		},
	},
}

// A refusal says what the user can do.
func TestRefusals_SayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range refusalTextCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 50_000, c.change)
			_, failure := c.call(env)
			if failure == nil || failure.Code != c.code || failure.Money != client.MoneyNotCharged {
				t.Fatalf("%+v", failure)
			}
			expectedError{failure, t}.says(c.says...)
		})
	}
}
