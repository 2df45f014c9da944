package mcpserver

import (
	"strings"
	"testing"
)

func TestToolList_Size(t *testing.T) {
	t.Parallel()
	if n := len(serverInstructions); n > 1200 {
		t.Errorf("instructions: %d bytes", n)
	}
	w := newStdioClient(t, newFake())
	w.write(statelessRequest("1", "tools/list", ""))
	a := w.read()
	if n := len(a.line); n > 9000 {
		t.Errorf("tools/list: %d bytes", n)
	}
	at := 0
	for _, name := range []string{"get_balance", "topup_wallet", "send_sms", "send_group_sms", "list_sms_history",
		"list_groups", "create_group", "add_contacts"} {
		next := strings.Index(a.line, `"name":"`+name+`"`)
		if next < at {
			t.Errorf("%s is not in its place", name)
		}
		at = next
	}
}
