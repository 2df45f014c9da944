package hostconfig

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// InstallLinks install the server with one click, in hosts that can. They name the
// program by its name alone, so it must be where the system looks for programs.
func InstallLinks() []InstallLink {
	sandboxEntry := Entry{Command: "wesendall-mcp", Args: []string{"--sandbox"}}
	return []InstallLink{
		{"Cursor, sandbox", cursorLink(sandboxEntry)},
		{"VS Code, sandbox", vscodeLink(vscodeEntry(sandboxEntry))},
		{"VS Code, your wallet", vscodeLink(vscodePromptEntry{
			Name: serverName, Command: "wesendall-mcp", Args: []string{},
			Env:    map[string]string{"WESENDALL_API_KEY": "${input:key}", "WESENDALL_API_SECRET": "${input:secret}", "WESENDALL_WALLET_ID": "${input:wallet}"},
			Inputs: []vscodeInput{{"key", "promptString", "Wesendall API key", false}, {"secret", "promptString", "Wesendall API secret", true}, {"wallet", "promptString", "Wesendall wallet id", false}},
		})},
	}
}

// InstallLink is one of them.
type InstallLink struct{ Title, URL string }

// vscodePromptEntry is an entry for which VS Code asks its person, and keeps what is said in
// its own secret store.
type vscodePromptEntry struct {
	Name    string            `json:"name"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
	Inputs  []vscodeInput     `json:"inputs"`
}

type vscodeInput struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Password    bool   `json:"password,omitempty"`
}

// cursorLink has the entry in base64, beside its name.
func cursorLink(e Entry) string {
	query := url.Values{"name": {serverName}, "config": {base64.StdEncoding.EncodeToString(compactJSON(standardEntry(e)))}}
	return "https://cursor.com/install-mcp?" + query.Encode()
}

// vscodeLink has all of it as JSON, behind the page that opens the program.
func vscodeLink(entry any) string {
	return "https://insiders.vscode.dev/redirect?url=" + url.QueryEscape("vscode:mcp/install?"+encodeURIComponent(string(compactJSON(entry))))
}

// encodeURIComponent escapes as encodeURIComponent does: a space is no plus.
func encodeURIComponent(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// DecodeLink is what a host makes of a link: the entry that it would start.
func DecodeLink(link string) (name string, e Entry, err error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", e, err
	}
	raw, name := []byte(nil), u.Query().Get("name")
	if name != "" {
		raw, err = base64.StdEncoding.DecodeString(u.Query().Get("config"))
	} else {
		var inner *url.URL
		var decoded string
		if inner, err = url.Parse(u.Query().Get("url")); err == nil {
			decoded, err = url.PathUnescape(inner.RawQuery) // as decodeURIComponent does, which leaves a plus alone
		}
		raw = []byte(decoded)
	}
	if err != nil {
		return "", e, err
	}
	var decodedEntry struct {
		Name    string
		Command string
		Args    []string
		Env     map[string]string
	}
	if err := json.Unmarshal(raw, &decodedEntry); err != nil {
		return "", e, err
	}
	if decodedEntry.Name != "" {
		name = decodedEntry.Name
	}
	return name, Entry{Command: decodedEntry.Command, Args: decodedEntry.Args, Env: decodedEntry.Env}, nil
}
