package guard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// longMessage takes ten units.
var longMessage = strings.Repeat("a", 1600)

func sendHi(env *testEnv) { env.expectOK(env.send("Hi", SpendOptions{}, testNumbers(1)...)) }

// verdict is what a quote says about the real call.
type verdict struct{ needs, code, reason string }

func verdictOf(q *Quote) (v verdict) {
	if q.NeedsConfirmation != nil {
		v.needs = q.NeedsConfirmation.Reason
	}
	if q.WouldRefuse != nil {
		v.code, v.reason = q.WouldRefuse.Code, q.WouldRefuse.Reason
	}
	return v
}

var verdictCases = map[string]struct {
	balance int64
	change  func(*Options)
	before  func(*testEnv)
	opts    SpendOptions
	message string
	to      []string
	want    verdict
	left    int64
}{
	"nothing is in the way": {5000, nil, nil, SpendOptions{}, "Hi", testNumbers(1), verdict{}, 100_000},
	"the user must agree": {5000, nil, nil, SpendOptions{}, longMessage, testNumbers(4),
		verdict{needs: "it costs more than UGX 1,000"}, 100_000},
	"confirmations are off": {5000, func(o *Options) { o.Confirm = ConfirmOff }, nil, SpendOptions{}, longMessage, testNumbers(4),
		verdict{}, 100_000},
	"nobody can be asked": {5000, func(o *Options) { o.Confirm = ConfirmElicit }, nil, SpendOptions{}, longMessage, testNumbers(4),
		verdict{"it costs more than UGX 1,000", CodeConfirmationRequired, "WESENDALL_CONFIRM=elicit"}, 100_000},
	"the host can ask": {5000, func(o *Options) { o.Confirm = ConfirmElicit }, nil, SpendOptions{Elicit: elicitYes}, longMessage,
		testNumbers(4), verdict{needs: "it costs more than UGX 1,000"}, 100_000},
	"little is left of the day": {5000, func(o *Options) { o.Limits.PerDay = 385 }, sendHi, SpendOptions{}, "Ho", testNumbers(20),
		verdict{code: CodeLimitExceeded, reason: "WESENDALL_MAX_PER_DAY"}, 350},
	"one call may take less": {5000, func(o *Options) { o.Limits.PerCall = 600 }, nil, SpendOptions{}, "Ho", testNumbers(20),
		verdict{code: CodeLimitExceeded, reason: "WESENDALL_MAX_PER_CALL"}, 100_000},
	"the balance is too small": {600, nil, nil, SpendOptions{}, "Ho", testNumbers(20),
		verdict{code: client.CodeInsufficientBalance, reason: "it takes UGX 700, and the wallet holds UGX 600"}, 100_000},
	"the same was sent": {5000, nil, sendHi, SpendOptions{}, "hi ", testNumbers(20),
		verdict{code: CodeDuplicateSend, reason: "2026-11-24T12:00:00+03:00"}, 99_965},
	"the same was sent, and may be again": {5000, nil, sendHi, SpendOptions{AllowDuplicate: true}, "hi ", testNumbers(20),
		verdict{needs: "it repeats one of 2026-11-24T12:00:00+03:00 (UGX 35)"}, 99_965},
	"the same has an unknown outcome": {5000, nil, func(env *testEnv) { env.loseSend("Hi") }, SpendOptions{}, "Hi",
		[]string{phoneUnknown}, verdict{code: CodeDuplicateSend, reason: "unknown outcome"}, 99_965},
	"another text has an unknown outcome": {5000, nil, func(env *testEnv) { env.loseSend("Hi") }, SpendOptions{}, "Ho",
		[]string{phoneUnknown}, verdict{needs: "may or may not have arrived"}, 99_965},
}

// A dry run tells what the real call would meet.
func TestQuote_Verdict(t *testing.T) {
	t.Parallel()
	for name, c := range verdictCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, c.balance, c.change)
			if c.before != nil {
				c.before(env)
			}
			c.opts.DryRun = true
			q := env.expectOK(env.send(c.message, c.opts, c.to...)).Quote
			got := verdictOf(q)
			if got.code != c.want.code || !strings.Contains(got.reason, c.want.reason) ||
				!strings.Contains(got.needs, c.want.needs) || (got.needs == "") != (c.want.needs == "") {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if strings.Contains(got.reason, "Nothing was") {
				t.Errorf("the reason is the message of an error: %s", got.reason)
			}
			if q.LeftTodayUGX == nil || *q.LeftTodayUGX != c.left {
				t.Errorf("%v left, want %d", q.LeftTodayUGX, c.left)
			}
		})
	}
}

// The verdict of a dry run is what the real call then gets.
func TestQuote_VerdictComesTrue(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay = 700 })
	for i, to := range [][]string{{phone1}, {phone1}, {phone2, phone3}, {phone4}} {
		message := fmt.Sprintf("Hi %d", i/2)
		q := env.expectOK(env.send(message, SpendOptions{DryRun: true}, to...)).Quote
		_, failure := env.send(message, SpendOptions{}, to...)
		want := ""
		if q.WouldRefuse != nil {
			want = q.WouldRefuse.Code
		} else if q.NeedsConfirmation != nil {
			want = CodeConfirmationRequired
		}
		if codeOf(failure) != want {
			t.Errorf("%d: %v, want %q", i, failure, want)
		}
	}
}

func TestQuote_Describes(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	dryRun := SpendOptions{DryRun: true}
	message := strings.Repeat("a", 199) + "👍 and more"
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("+2567000000%02d", i)
	}
	q := env.expectOK(env.send(message, dryRun, many...)).Quote
	if q.Message != strings.Repeat("a", 199) || q.MessageLength != 210 || q.NumbersListed != 50 || q.Recipients != 60 ||
		q.Group != nil || q.PhoneNumber != "" {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(env.send(message[:199], dryRun, phone1)).Quote; q.Message != message[:199] || q.NumbersListed != 1 {
		t.Errorf("%+v", q)
	}
	if q = env.expectOK(env.sendGroup("Hi", dryRun)).Quote; *q.Group != (QuotedGroup{sandbox.GroupID, "Customers"}) ||
		q.Message != "Hi" || q.NumbersListed != 0 {
		t.Errorf("%+v, %+v", q, q.Group)
	}
	q = env.expectOK(env.topUp(700, dryRun, phone1)).Quote
	if q.PhoneNumber != phone1 || q.Group != nil || q.Message != "" || *q.LeftTodayUGX != 500_000 ||
		q.NeedsConfirmation == nil {
		t.Errorf("%+v", q)
	}
	// A quote for a user says the same as one of a dry run.
	asked := env.expectError(CodeConfirmationRequired)(env.topUp(700, SpendOptions{}, phone1)).Quote
	if asked.NeedsConfirmation == nil || asked.LeftTodayUGX == nil || asked.PhoneNumber != phone1 {
		t.Errorf("%+v", asked)
	}
	raw, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	var times struct {
		ExpiresAt string `json:"expires_at"`
	}
	if err := json.Unmarshal(raw, &times); err != nil || times.ExpiresAt != "2026-11-24T12:10:00+03:00" {
		t.Errorf("%s, %v", raw, err)
	}
	if _, err := time.Parse(time.RFC3339, times.ExpiresAt); err != nil {
		t.Error(err)
	}
}
