package mcpserver

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// A call that the server cannot read is answered without an id. It ends at once.
func TestLocalCall_Unreadable(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"bytes that are not UTF-8":      "\xff",
		"a line that grows by escaping": strings.Repeat("<", MaxLineBytes/2),
	} {
		f := newInstantFake()
		_, err := newServer(t, f).CallLocally(t.Context(), LocalCall{
			Tool: "send_sms", Arguments: json.RawMessage(`{"recipient":"0700000010","message":"` + message + `"}`),
		})
		if !errors.Is(err, ErrUnreadable) || f.count() != 0 {
			t.Errorf("%s: %v, %d sends", name, err, f.count())
		}
	}
}

func TestLocalCall_Result(t *testing.T) {
	t.Parallel()
	f := newInstantFake()
	result, err := newServer(t, f).CallLocally(t.Context(), LocalCall{
		Tool: "send_sms", Arguments: json.RawMessage(sendArguments),
	})
	if err != nil || result.IsError || f.count() != 1 {
		t.Errorf("%s %v, %d sends", result.Content, err, f.count())
	}
}
