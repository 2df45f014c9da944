package tools

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// repeatJSON writes n items of a JSON array; a %d in the item is its index.
func repeatJSON(item string, n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item
		if strings.Contains(item, "%") {
			items[i] = fmt.Sprintf(item, i)
		}
	}
	return "[" + strings.Join(items, ",") + "]"
}

// hostileArguments are arguments of about a mebibyte, by tool and kind.
func hostileArguments() map[string][2]string {
	numbers := strings.Trim(repeatJSON("2567%08d", 90_000), "[]")
	return map[string][2]string{
		"90,000 recipients":             {"send_sms", `{"message":"Hi","recipient":` + repeatJSON(`"+2567%08d"`, 90_000) + `}`},
		"90,000 in a string":            {"send_sms", `{"message":"Hi","recipient":"` + numbers + `"}`},
		"90,000 separated by spaces":    {"send_sms", `{"message":"Hi","recipient":"` + strings.ReplaceAll(numbers, ",", " ") + `"}`},
		"500,000 times a comma":         {"send_sms", `{"message":"Hi","recipient":"` + strings.Repeat("a,", 500_000) + `"}`},
		"one number 90,000 times":       {"send_sms", `{"message":"Hi","recipient":` + repeatJSON(`"0700000010"`, 90_000) + `}`},
		"a dry run":                     {"send_sms", `{"dry_run":true,"message":"Hi","recipient":"` + strings.Repeat("a,", 500_000) + `"}`},
		"numbers without quotes":        {"send_sms", `{"message":"Hi","recipient":` + repeatJSON("1", 400_000) + `}`},
		"one number of a million parts": {"send_sms", `{"message":"Hi","recipient":"` + strings.Repeat("1", 1_000_000) + `"}`},
		"payers":                        {"topup_wallet", `{"amount":500,"phone_number":"` + strings.Repeat("a,", 500_000) + `"}`},
		"payers in a group of digits":   {"topup_wallet", `{"amount":500,"phone_number":"` + strings.Repeat("0700000010 ", 90_000) + `"}`},
		"empty contacts":                {"add_contacts", `{"groupId":"g","contacts":` + repeatJSON("{}", 300_000) + `}`},
		"contacts without a number":     {"add_contacts", `{"groupId":"g","contacts":` + repeatJSON(`{"phone":"a"}`, 9_000) + `}`},
		"many contacts":                 {"add_contacts", `{"groupId":"g","contacts":` + repeatJSON(`{"phone":"07%08d"}`, 40_000) + `}`},
		"unknown arguments": {"send_sms", `{"message":"Hi","recipient":"0700000010"` +
			strings.ReplaceAll(strings.Trim(repeatJSON(`,"x%d":1`, 90_000), "[]"), ",,", ",") + `}`},
	}
}

// A call with made-up credentials takes about as much time as any other call, and its
// answer is small.
func TestBounds_MadeUpCredentials(t *testing.T) {
	// Not parallel: it measures time.
	h := newMultiUserEnv(t, nil)
	stranger := h.caller("key_of_nobody", "ws_secret_of_nobody", walletA)
	start := time.Now()
	h.stateless(stranger, false).call("send_sms", `{"message":"Hi","recipient":"0700000010"}`, "", "")
	normal := time.Since(start)
	for name, c := range hostileArguments() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			r := h.stateless(stranger, false).call(c[0], c[1], "", "")
			took := time.Since(start)
			code := r.get("code")
			if !r.isError || code != guard.CodeLimitExceeded && code != guard.CodeInvalidArguments && code != "invalid_credentials" {
				t.Errorf("%.300s", r.text)
			}
			if len(r.text) > 8_000 {
				t.Errorf("the answer has %d bytes", len(r.text))
			}
			if took > normal+2*time.Second {
				t.Errorf("it took %v, and a normal call takes %v", took, normal)
			}
		})
	}
}

// Of many problems the first are listed, in the order of the items, and how many more
// there are.
func TestArguments_ProblemsListed(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Wallet: "wal_1"}, respondWith(200, `{}`))
	for name, c := range map[string]struct{ tool, arguments, first, last string }{
		"wrong items": {
			"add_contacts", `{"groupId":"g","contacts":` + repeatJSON("{}", 30) + `}`,
			"Nothing was sent. contacts/0/phone: is required; contacts/1/phone: is required; contacts/2/phone",
			"contacts/19/phone: is required; and 10 more",
		},
		"wrong items behind many good ones": {
			"add_contacts", `{"groupId":"g","contacts":` + strings.TrimSuffix(repeatJSON(`{"phone":"0700000010"}`, 2500), "]") + `,{}]}`,
			"Nothing was sent. contacts/2500/phone: is required", "contacts/2500/phone: is required",
		},
		"numbers": {
			"send_sms", `{"message":"Hi","recipient":` + repeatJSON(`"%d"`, 30) + `}`,
			`Nothing was sent. recipient, item 1: "0" is not a phone number; recipient, item 2: "1"`, "; and 10 more",
		},
		"contacts": {
			"add_contacts", `{"groupId":"g","contacts":` + repeatJSON(`{"phone":"a"}`, 30) + `}`,
			`Nothing was added. contacts/0/phone: "a" is not`, "; and 10 more",
		},
		"countries": {
			"send_sms", `{"message":"Hi","recipient":` + repeatJSON(`"+2547000000%02d"`, 30) + `}`,
			"Nothing was sent: recipient: the operator only allows", "Only the operator can allow more.",
		},
		"unknown arguments": {
			"create_group", `{"title":"T",` + strings.Trim(repeatJSON(`"x%02d":1`, 30), "[]") + `}`,
			`Nothing was sent. unknown argument "x00"; the arguments are title, description; unknown argument "x01"`,
			"; unknown arguments: 11 more",
		},
	} {
		message := env.call(t, c.tool, c.arguments).get("message")
		if !strings.HasPrefix(message, c.first) || !strings.HasSuffix(message, c.last) || len(message) > 3000 {
			t.Errorf("%s: %s", name, message)
		}
	}
	if all := env.requests(); len(all) != 0 {
		t.Errorf("sent %q", all)
	}
}
