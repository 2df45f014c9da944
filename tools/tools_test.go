package tools

import (
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
)

func TestAnnotations(t *testing.T) {
	t.Parallel()
	want := map[string]Annotations{
		"get_balance":      {ReadOnly: true, Idempotent: true},
		"topup_wallet":     {Destructive: true, OpenWorld: true},
		"send_sms":         {Destructive: true, OpenWorld: true},
		"send_group_sms":   {Destructive: true, OpenWorld: true},
		"list_sms_history": {ReadOnly: true, Idempotent: true},
		"list_groups":      {ReadOnly: true, Idempotent: true},
		"create_group":     {},
		"add_contacts":     {Idempotent: true},
	}
	for _, tool := range AllTools() {
		if got, ok := want[tool.Name]; !ok || tool.Annotations() != got {
			t.Errorf("%s: %+v", tool.Name, tool.Annotations())
		}
		delete(want, tool.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestTools_Endpoints(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"get_balance":      `GET /api/v1/account/balance?walletId=wal_1 `,
		"topup_wallet":     `POST /api/v1/account/topup {"walletId":"wal_1","amount":500,"phone_number":"+256700000010"}`,
		"send_sms":         `POST /api/v1/sms/send {"walletId":"wal_1","message":"Hi","recipient":"+256700000010"}`,
		"send_group_sms":   `POST /api/v1/sms/group {"walletId":"wal_1","groupId":"grp_1","message":"Hi"}`,
		"list_sms_history": `GET /api/v1/sms/history?page=2&per_page=20&walletId=wal_1 `,
		"list_groups":      `GET /api/v1/groups?walletId=wal_1 `,
		"create_group":     `POST /api/v1/groups {"walletId":"wal_1","title":"T"}`,
		"add_contacts": `POST /api/v1/groups/a%2Fb/contacts ` +
			`{"contacts":[{"phone":"+256700000010","name":"S"}],"walletId":"wal_1"}`,
	}
	for tool, arguments := range validArguments {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			r := newTestEnv(t, Options{Wallet: "wal_1"},
				respondWith(200, `{"success":true,"data":{"n":12345678901234567890.10}}`))
			got := r.call(t, tool, arguments)
			if all := r.requests(); got.isError || len(all) != 1 || all[0] != want[tool] {
				t.Errorf("asked %q, answered %s", all, got.text)
			}
			if got.get("data") != `{"n":12345678901234567890.10}` || got.get("summary") == "" ||
				got.get("request_id") != "req_1" {
				t.Errorf("answered %s", got.text)
			}
			if _, ok := got.structured["sandbox"]; ok {
				t.Error("real money is called a sandbox's")
			}
		})
	}
}

func TestWallet_NotSet(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{}, respondWith(200, `{}`))
	for tool, arguments := range validArguments {
		got := r.call(t, tool, arguments)
		if reads := r.isRead(tool); reads && !strings.Contains(got.text, "walletId: is required") ||
			!reads && got.get("code") != guard.CodeNotConfigured {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
	if got := r.call(t, "list_groups", `{"walletId":"wal_9"}`); got.isError ||
		!slices.Equal(r.requests(), []string{"GET /api/v1/groups?walletId=wal_9 "}) {
		t.Errorf("%q, %s", r.requests(), got.text)
	}
}

func (env *testEnv) isRead(tool string) bool {
	i := slices.IndexFunc(env.toolset.tools, func(s registeredTool) bool { return s.Name == tool })
	return env.toolset.tools[i].Endpoint.Effect == client.EffectRead
}

func TestCredentials_NotSet(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{NotConfiguredReason: "set THIS", Wallet: "wal_1"}, nil)
	for tool, arguments := range validArguments {
		if got := r.call(t, tool, arguments); got.get("code") != guard.CodeNotConfigured ||
			!strings.Contains(got.text, "set THIS") {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t, Options{Wallet: "wal_1", ReadOnly: true}, respondWith(200, `{}`))
	for tool, arguments := range validArguments {
		got := r.call(t, tool, arguments)
		if r.isRead(tool) == got.isError || got.isError && got.get("code") != guard.CodeReadOnly {
			t.Errorf("%s: %s", tool, got.text)
		}
	}
	for _, request := range r.requests() {
		if !strings.HasPrefix(request, "GET ") {
			t.Error(request)
		}
	}
	all, err := r.host.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range r.toolset.SortTools(all.Tools) {
		names = append(names, tool.Name)
	}
	if !slices.Equal(names, []string{"get_balance", "list_sms_history", "list_groups"}) {
		t.Error(names)
	}
}

func TestToolFilter(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Names: []string{"list_groups", "get_balance"}})
	if err != nil || !slices.Equal(s.Names(), []string{"get_balance", "list_groups"}) {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := New(Options{Names: []string{"get_balanc"}}); err == nil || !strings.Contains(err.Error(), "get_balanc") {
		t.Error(err)
	}
}
