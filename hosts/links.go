package hosts

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// Links install the server with one click, in hosts that can. They name the
// program by its name alone, so it must be where the system looks for programs.
func Links() []Link {
	try := Entry{Command: "wesendall-mcp", Args: []string{"--sandbox"}}
	return []Link{
		{"Cursor, sandbox", cursorLink(try)},
		{"VS Code, sandbox", vscodeLink(named(try))},
		{"VS Code, your wallet", vscodeLink(asking{
			Name: server, Command: "wesendall-mcp", Args: []string{},
			Env:    map[string]string{"WESENDALL_API_KEY": "${input:key}", "WESENDALL_API_SECRET": "${input:secret}", "WESENDALL_WALLET_ID": "${input:wallet}"},
			Inputs: []input{{"key", "promptString", "Wesendall API key", false}, {"secret", "promptString", "Wesendall API secret", true}, {"wallet", "promptString", "Wesendall wallet id", false}},
		})},
	}
}

// Link is one of them.
type Link struct{ Title, URL string }

// asking is an entry for which VS Code asks its person, and keeps what is said in
// its own secret store.
type asking struct {
	Name    string            `json:"name"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
	Inputs  []input           `json:"inputs"`
}

type input struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Password    bool   `json:"password,omitempty"`
}

// cursorLink has the entry in base64, beside its name.
func cursorLink(e Entry) string {
	q := url.Values{"name": {server}, "config": {base64.StdEncoding.EncodeToString(compact(plain(e)))}}
	return "https://cursor.com/install-mcp?" + q.Encode()
}

// vscodeLink has all of it as JSON, behind the page that opens the program.
func vscodeLink(entry any) string {
	return "https://insiders.vscode.dev/redirect?url=" + url.QueryEscape("vscode:mcp/install?"+component(string(compact(entry))))
}

// component escapes as encodeURIComponent does: a space is no plus.
func component(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// DecodeLink is what a host makes of a link: the entry that it would start.
func DecodeLink(link string) (name string, e Entry, err error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", e, err
	}
	text, name := []byte(nil), u.Query().Get("name")
	if name != "" {
		text, err = base64.StdEncoding.DecodeString(u.Query().Get("config"))
	} else {
		var inner *url.URL
		var decoded string
		if inner, err = url.Parse(u.Query().Get("url")); err == nil {
			decoded, err = url.PathUnescape(inner.RawQuery) // as decodeURIComponent does, which leaves a plus alone
		}
		text = []byte(decoded)
	}
	if err != nil {
		return "", e, err
	}
	var said struct {
		Name    string
		Command string
		Args    []string
		Env     map[string]string
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return "", e, err
	}
	if said.Name != "" {
		name = said.Name
	}
	return name, Entry{Command: said.Command, Args: said.Args, Env: said.Env}, nil
}
