package reference_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sampletest"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	reference "github.com/wesendall/wesendall-mcp/llm-reference"
)

// undocumentedBodies are bodies of a 200 that no document describes, and whether they mean that a
// write was done or that a read succeeded.
var undocumentedBodies = []struct {
	body       string
	done, read bool
}{
	{`{"success":true,"data":"queued"}`, true, true},
	{`{"id":"g1"}`, true, true},
	{` [{"id":"g1"}, []]`, true, true},
	{`{}`, true, true},
	{`{"error":null,"data":{"error":"x","success":false,"text":"{\"success\":false"},"odd":"\\"}`, true, true},
	{`[{"success":false,"error":{"code":"send_failed"}}]`, true, true},
	{`{"success":"yes"}`, false, true},
	{`{"success":null}`, false, true},
	{`{"success": false}`, false, false},
	{`{"error":{"code":"send_failed"}}`, false, false},
	{`{"success":true,"error":"x"}`, false, false},
	{`{"error":false}`, false, false},
	{`{"success":true,"data":[{"id":"m1"}`, false, false},
	{`"OK"`, false, false},
	{`null`, false, false},
	{`7`, false, false},
	{``, false, false},
}

// The samples and the client read these bodies in the same way, except that the client accepts
// any JSON as the answer to a read.
func TestSamples_MatchClientErrors(t *testing.T) {
	t.Parallel()
	for _, a := range undocumentedBodies {
		front := sampletest.NewFaultProxy(t, "", false,
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(a.body)) })
		c, err := client.New(client.Options{BaseURL: front.URL, APIKey: sandbox.APIKey,
			APISecret: client.NewSecret(sandbox.APISecret)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Send(t.Context(), client.SendRequest{WalletID: sandbox.WalletID, Message: "Hi",
			Recipient: client.Recipients{"+256700000010"}})
		if (err == nil) != a.done {
			t.Errorf("a send that is answered %s: %v", a.body, err)
		}
		_, err = c.Groups(t.Context(), client.GroupsRequest{WalletID: sandbox.WalletID})
		if bare := a.body != "" && !strings.ContainsAny(a.body, "{["); !bare && (err == nil) != a.read {
			t.Errorf("a read that is answered %s: %v", a.body, err)
		}
	}
}

func TestSamples_RequireCredentials(t *testing.T) {
	t.Parallel()
	for _, l := range reference.Languages() {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			sampletest.SkipUnlessInstalled(t, l.Name)
			endpoints := []string{client.ToolSendSMS, client.ToolGetBalance}
			if !sampletest.RunAll() {
				endpoints = endpoints[:1]
			}
			for _, endpoint := range endpoints {
				source, _ := reference.New().Example(l.Name, endpoint)
				sample := sampletest.Build(t, l.Name, l.Extension, source)
				for _, name := range []string{"WESENDALL_API_KEY", "WESENDALL_API_SECRET", "WESENDALL_WALLET_ID"} {
					front := sampletest.NewFaultProxy(t, sampletest.NewSandbox(t, 5000).URL, false, nil)
					got := sample.Run(t, front.URL, sandbox.APIKey, []string{name + "="})
					if got.Exit == 0 || front.RequestCount("") != 0 || !strings.Contains(got.Stdout+got.Stderr, name) {
						t.Errorf("without %s: %d requests, %+v", name, front.RequestCount(""), got)
					}
				}
			}
		})
	}
}
