package tools

import (
	"encoding/json"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
)

func TestIsAccepted(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]bool{
		`{"action":"accept"}`:                                true,
		`{"action":"accept","content":null}`:                 true,
		`{"action":"accept","content":{}}`:                   true,
		`{"action":"accept","content":{"other":1}}`:          true,
		`{"action":"accept","content":{ "confirm" : true }}`: true,
		`{"action":"accept","content":{"confirm":false}}`:    false,
		`{"action":"accept","content":{"confirm":null}}`:     false,
		`{"action":"accept","content":{"confirm":"true"}}`:   false,
		`{"action":"accept","content":{"confirm":1}}`:        false,
		`{"action":"accept","content":{"confirm":[true]}}`:   false,
		`{"action":"accept","content":{"confirm":{}}}`:       false,
		`{"action":"accept","content":[]}`:                   false,
		`{"action":"accept","content":true}`:                 false,
		`{"action":"accept","content":""}`:                   false,
		`{"action":"decline"}`:                               false,
		`{"action":"decline","content":{"confirm":true}}`:    false,
		`{"action":"cancel","content":{"confirm":true}}`:     false,
		`{"action":"Accept"}`:                                false,
		`{"action":null}`:                                    false,
		`{"Action":"accept"}`:                                false,
		`{}`:                                                 false,
		`null`:                                               false,
		`[]`:                                                 false,
		`"accept"`:                                           false,
		``:                                                   false,
	} {
		if got := IsAccepted(json.RawMessage(result)); got != want {
			t.Errorf("%s: %v", result, got)
		}
	}
}

func TestConfirmForm(t *testing.T) {
	t.Parallel()
	for tool, title := range map[string]string{
		client.ToolSendSMS: "Send it", client.ToolSendGroupSMS: "Send it", client.ToolTopUpWallet: "Ask for the money",
	} {
		got, err := json.Marshal(confirmForm(tool))
		want := `{"properties":{"confirm":{"default":true,"title":"` + title + `","type":"boolean"}},"type":"object"}`
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", tool, got, err)
		}
	}
}
