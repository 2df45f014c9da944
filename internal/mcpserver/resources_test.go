package mcpserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// request sends a request in the given protocol and reads its answer.
func (w *stdioClient) request(protocol, method, params string) wireMessage {
	w.t.Helper()
	if protocol == "2026-07-28" {
		w.write(statelessRequest("1", method, params))
	} else {
		w.write(`{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`)
	}
	return w.read()
}

func inBothProtocols(t *testing.T, test func(*testing.T, *stdioClient, string)) {
	t.Helper()
	for _, protocol := range []string{"2025-06-18", "2026-07-28"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			w := newStdioClient(t, newFake())
			if protocol < "2026" {
				w.initialize()
			}
			test(t, w, protocol)
		})
	}
}

func decodeResult[T any](t *testing.T, a wireMessage) T {
	t.Helper()
	var out T
	if a.Error != nil || json.Unmarshal(a.Result, &out) != nil {
		t.Fatal(a.line)
	}
	return out
}

func TestResources_List(t *testing.T) {
	t.Parallel()
	inBothProtocols(t, func(t *testing.T, w *stdioClient, protocol string) {
		resources, prompts := w.request(protocol, "resources/list", ""), w.request(protocol, "prompts/list", "")
		if n := len(resources.line) + len(prompts.line); n > 6000 {
			t.Errorf("%d bytes", n)
		}
		listed := decodeResult[struct {
			Resources []struct {
				URI, Name, Title, Description, MIMEType string
				Size                                    int
				Annotations                             struct {
					Audience []string
					Priority float64
				}
			}
		}](t, resources).Resources
		want := []string{"llms.txt", "reference"}
		for _, s := range reference.New().Sections() {
			want = append(want, s.Name)
		}
		for i, r := range listed {
			contents := decodeResult[struct {
				Contents []struct{ URI, MIMEType, Text string }
			}](t, w.request(protocol, "resources/read", `"uri":"`+r.URI+`"`)).Contents
			if len(contents) != 1 || len(contents[0].Text) != r.Size || contents[0].MIMEType != r.MIMEType ||
				contents[0].URI != r.URI {
				t.Errorf("%s does not have the size or type of its list entry", r.URI)
			}
			if i >= len(want) || r.Name != want[i] || r.Title == "" || r.Description == "" ||
				len(r.Annotations.Audience) == 0 || r.Annotations.Priority == 0 {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if len(listed) != len(want) {
			t.Errorf("%d resources", len(listed))
		}
		if protocol > "2026" && !strings.Contains(resources.line, `"ttlMs":3600000`) {
			t.Errorf("no hint for a cache: %.200s", resources.line)
		}
		names := []string{}
		for _, p := range decodeResult[struct{ Prompts []struct{ Name string } }](t, prompts).Prompts {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, []string{"integrate_wesendall", "send_sms", "broadcast_to_group", "wallet_report"}) {
			t.Errorf("%v", names)
		}
		templates := w.request(protocol, "resources/templates/list", "").line
		for _, want := range []string{`"uriTemplate":"wesendall://reference/{section}"`,
			`"uriTemplate":"wesendall://examples/{language}/{endpoint}"`, `"title":"A code sample"`, `"priority":0.7`} {
			if !strings.Contains(templates, want) {
				t.Errorf("no %s in %s", want, templates)
			}
		}
	})
}

func TestResources_Examples(t *testing.T) {
	t.Parallel()
	inBothProtocols(t, func(t *testing.T, w *stdioClient, protocol string) {
		for _, l := range reference.Languages() {
			for _, e := range client.Endpoints() {
				uri := reference.ExampleURI(l.Name, e.Name)
				contents := decodeResult[struct {
					Contents []struct{ URI, MIMEType, Text string }
				}](t, w.request(protocol, "resources/read", `"uri":"`+uri+`"`)).Contents
				if want, _ := reference.New().Example(l.Name, e.Name); len(contents) != 1 || contents[0].Text != want ||
					contents[0].MIMEType != l.MIMEType {
					t.Errorf("%s is another", uri)
				}
			}
		}
	})
}

func TestResources_NotFound(t *testing.T) {
	t.Parallel()
	inBothProtocols(t, func(t *testing.T, w *stdioClient, protocol string) {
		missing := -32002
		if protocol > "2026" {
			missing = -32602
		}
		for _, tc := range []struct {
			method, params string
			code           int
			says           string
		}{
			{"resources/read", `"uri":"wesendall://reference/faq"`, missing,
				`there is no section "faq": use one of overview, authentication, wallet`},
			{"resources/read", `"uri":"wesendall://reference/"`, missing, `there is no section ""`},
			{"resources/read", `"uri":"wesendall://reference/send_sms/x"`, missing, `there is no section "send_sms/x"`},
			{"resources/read", `"uri":"wesendall://examples/cobol/send_sms"`, missing,
				`there is no language "cobol": use one of javascript, nodejs, python, curl, php, go`},
			{"resources/read", `"uri":"wesendall://examples/go/send"`, missing,
				`there is no endpoint "send": use one of get_balance, topup_wallet, send_sms`},
			{"resources/read", `"uri":"wesendall://examples/go"`, missing, `there is no endpoint ""`},
			{"resources/read", `"uri":"file:///etc/passwd"`, missing,
				`there is no resource "file:///etc/passwd": use one of wesendall://llms.txt, wesendall://reference`},
			{"resources/read", `"uri":"` + strings.Repeat("x", 1000) + `"`, missing, "x…"},
			{"resources/read", ``, -32602, "params.uri must be"},
			{"resources/read", `"uri":7`, -32602, "params.uri must be"},
			{"completion/complete", `"ref":{"type":"ref/resource","uri":"wesendall://x/{y}"},"argument":{"name":"y","value":""}`,
				-32602, `unknown resource template "wesendall://x/{y}"; ` +
					`the templates are wesendall://reference/{section}, wesendall://examples/{language}/{endpoint}`},
			{"prompts/get", `"name":"integrate"`, -32602,
				`unknown prompt "integrate"; the prompts are integrate_wesendall, send_sms, broadcast_to_group, wallet_report`},
			{"prompts/get", ``, -32602, "params.name must be"},
			{"prompts/get", `"name":"send_sms","arguments":{"recipient":7}`, -32602,
				"params.arguments must be an object of strings"},
			{"prompts/get", `"name":"send_sms","arguments":[]`, -32602, "params.arguments must be an object of strings"},
			{"prompts/get", `"name":"integrate_wesendall"`, -32602,
				`missing argument "language" (JavaScript, TypeScript, Python, PHP, Go, Java, C#, Ruby, Dart)`},
			{"prompts/get", `"name":"send_sms","arguments":{"recipient":"x","text":"y"}`, -32602, `unknown argument "text"`},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"language","value":""}`,
				-32602, "unknown prompt"},
			{"completion/complete", `"ref":{"type":"ref/tool","name":"x"},"argument":{"name":"language","value":""}`, -32602,
				"params.ref must be"},
			{"completion/complete", ``, -32602, "params.ref must be"},
			{"completion/complete", `"ref":7`, -32602, "params must be an object with ref"},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"send_sms"}`, -32602, "params.argument must have"},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"send_sms"},"argument":{"name":"x","value":7}`,
				-32602, "params.argument must have"},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"send_sms"},"argument":{"name":"x","value":""},` +
				`"context":{"arguments":{"y":1}}`, -32602, "an object of strings"},
		} {
			if a := w.request(protocol, tc.method, tc.params); a.Error == nil || a.Error.Code != tc.code ||
				!strings.Contains(a.Error.Message, tc.says) {
				t.Errorf("%s %.60s: %s", tc.method, tc.params, a.line)
			}
		}
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	inBothProtocols(t, func(t *testing.T, w *stdioClient, protocol string) {
		for _, tc := range []struct {
			ref, argument, typed, chosen string
			want                         string
		}{
			{`"type":"ref/resource","uri":"wesendall://reference/{section}"`, "section", "un", `{}`, `["units-and-price"]`},
			{`"type":"ref/resource","uri":"wesendall://examples/{language}/{endpoint}"`, "language", "P", `{}`,
				`["python","php"]`},
			{`"type":"ref/resource","uri":"wesendall://examples/{language}/{endpoint}"`, "endpoint", "send",
				`{"language":"go"}`, `["send_sms","send_group_sms"]`},
			{`"type":"ref/resource","uri":"wesendall://reference/{section}"`, "language", "", `{}`, `[]`},
			{`"type":"ref/prompt","name":"integrate_wesendall"`, "language", "ty", `{}`, `["TypeScript"]`},
			{`"type":"ref/prompt","name":"integrate_wesendall"`, "framework", "", `{"language":"Ruby"}`,
				`["Rails","Sinatra","Hanami"]`},
			{`"type":"ref/prompt","name":"integrate_wesendall"`, "use_case", "o", `{"language":"Ruby","framework":"Rails"}`,
				`["otp"]`},
			{`"type":"ref/prompt","name":"integrate_wesendall"`, "details", "o", `{}`, `[]`},
		} {
			a := w.request(protocol, "completion/complete",
				fmt.Sprintf(`"ref":{%s},"argument":{"name":%q,"value":%q},"context":{"arguments":%s}`, tc.ref, tc.argument,
					tc.typed, tc.chosen))
			values := decodeResult[struct {
				Completion struct{ Values json.RawMessage }
			}](t, a).Completion.Values
			if string(values) != tc.want {
				t.Errorf("%s %s: %s", tc.argument, tc.typed, a.line)
			}
		}
	})
}
