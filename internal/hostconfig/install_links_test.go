package hostconfig

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type installLink struct{ title, url string }

// installLinks returns the one-click links of the documents. They name the program without a
// path, so it must be on the PATH.
func installLinks() []installLink {
	sandboxEntry := Entry{Command: "wesendall-mcp", Args: []string{"--sandbox"}}
	return []installLink{
		{"Cursor, sandbox", cursorLink(sandboxEntry)},
		{"VS Code, sandbox", vscodeLink(vscodeEntry(sandboxEntry))},
		{"VS Code, your wallet", vscodeLink(vscodePromptEntry{
			Name: ServerName, Command: "wesendall-mcp", Args: []string{},
			Env: map[string]string{
				"WESENDALL_API_KEY": "${input:key}", "WESENDALL_API_SECRET": "${input:secret}",
				"WESENDALL_WALLET_ID": "${input:wallet}",
			},
			Inputs: []vscodeInput{
				{"key", "promptString", "Wesendall API key", false},
				{"secret", "promptString", "Wesendall API secret", true},
				{"wallet", "promptString", "Wesendall wallet id", false},
			},
		})},
	}
}

// vscodePromptEntry is an entry for which VS Code asks the user and keeps the answers in its
// secret store.
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

// cursorLink has the name and the entry, in base64, as query parameters.
func cursorLink(e Entry) string {
	config := base64.StdEncoding.EncodeToString(compactJSON(standardEntry(e)))
	return "https://cursor.com/install-mcp?" + url.Values{"name": {ServerName}, "config": {config}}.Encode()
}

// vscodeLink has the whole entry as JSON. The web page in front of it opens VS Code.
func vscodeLink(entry any) string {
	install := "vscode:mcp/install?" + encodeURIComponent(string(compactJSON(entry)))
	return "https://insiders.vscode.dev/redirect?url=" + url.QueryEscape(install)
}

// encodeURIComponent escapes like the JavaScript function: a space becomes %20.
func encodeURIComponent(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// decodeLink reads a link as a host does.
func decodeLink(link string) (name string, e Entry, err error) {
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
			decoded, err = url.PathUnescape(inner.RawQuery) // like decodeURIComponent, keeps a plus
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

// Each link starts what its title says.
func TestInstallLinks_Decode(t *testing.T) {
	t.Parallel()
	for _, l := range installLinks() {
		name, e, err := decodeLink(l.url)
		if err != nil || name != ServerName || e.Command != "wesendall-mcp" || strings.Contains(l.url, " ") {
			t.Errorf("%s: %s %+v, %v", l.title, name, e, err)
		}
		isSandbox := strings.Contains(l.title, "sandbox")
		if isSandbox != slices.Equal(e.Args, []string{"--sandbox"}) || isSandbox != (e.Env == nil) {
			t.Errorf("%s: %+v", l.title, e)
		}
	}
	const text = `Wesendall API key + "x"`
	if decoded, err := url.PathUnescape(encodeURIComponent(text)); err != nil || decoded != text {
		t.Errorf("%s, %v", decoded, err)
	}
	for _, wrong := range []string{"https://a.test/?name=x&config=!", "https://a.test/?url=%zz", "https://a.test/"} {
		if _, _, err := decodeLink(wrong); err == nil {
			t.Error(wrong)
		}
	}
}
