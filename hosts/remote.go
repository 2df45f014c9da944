package hosts

import "strings"

// The variables of a caller's machine that hold what it brings to a server over
// HTTP: the whole value of the header Authorization, and the wallet's id.
const (
	authorizationVariable = "WESENDALL_AUTHORIZATION"
	walletVariable        = "WESENDALL_WALLET_ID"
)

// headers are those of a caller.
type headers struct {
	Authorization string `json:"Authorization"`
	Wallet        string `json:"X-Wesendall-Wallet"`
}

// literal stands where a host takes no variable.
var literal = headers{"Basic <base64 of KEY:SECRET>", "<wallet>"}

// variables has a host put the variables in, which it writes in a form such as
// ${NAME}.
func variables(form string) headers {
	in := func(name string) string { return strings.Replace(form, "NAME", name, 1) }
	return headers{in(authorizationVariable), in(walletVariable)}
}

// remote is how a host is told of a server over HTTP.
type remote struct {
	own  func(url string) []string // its own command; nil where it has none, or none that knows of headers
	file func(url string) any      // else what its file has: JSON, or a string that is none
	note string                    // what somebody must know who pastes it
}

// flagged adds a flag for each header.
func flagged(command []string, flag, between string, h headers) []string {
	return append(command, flag, "Authorization"+between+h.Authorization, flag, "X-Wesendall-Wallet"+between+h.Wallet)
}

// under puts an entry where a file keeps its servers.
func under(field string, entry any) any {
	return map[string]any{field: map[string]any{server: entry}}
}

// remotes are the hosts' ways, by their names.
var remotes = map[string]remote{
	"claude-code": {own: func(url string) []string {
		return flagged([]string{"claude", "mcp", "add", "--transport", "http", "--scope", "user", server, url}, "--header", ": ", variables("${NAME}"))
	}},
	"claude-desktop": {
		note: "takes no header in its file, and its connectors do OAuth alone: only through a bridge such as `mcp-remote`, which is somebody else's program and sees the secret",
		file: func(url string) any {
			return under("mcpServers", plain(Entry{
				Command: "npx", Args: flagged([]string{"-y", "mcp-remote@0.15.1", url}, "--header", ":", variables("${NAME}")),
				Env: map[string]string{authorizationVariable: literal.Authorization, walletVariable: literal.Wallet},
			}))
		},
	},
	"cursor": {file: func(url string) any {
		return under("mcpServers", struct {
			URL     string  `json:"url"`
			Headers headers `json:"headers"`
		}{url, variables("${env:NAME}")})
	}},
	"vscode": {note: "asks, and keeps the answer where it keeps secrets", file: func(url string) any {
		type input struct {
			ID          string `json:"id"`
			Type        string `json:"type"`
			Description string `json:"description"`
			Password    bool   `json:"password,omitempty"`
		}
		return struct {
			Inputs  []input        `json:"inputs"`
			Servers map[string]any `json:"servers"`
		}{
			[]input{{"authorization", "promptString", "Basic and the base64 of KEY:SECRET, or Bearer and a token", true}, {"wallet", "promptString", "Wesendall wallet id", false}},
			map[string]any{server: struct {
				Type    string  `json:"type"`
				URL     string  `json:"url"`
				Headers headers `json:"headers"`
			}{"http", url, headers{"${input:authorization}", "${input:wallet}"}}},
		}
	}},
	"windsurf": {file: func(url string) any {
		return under("mcpServers", struct {
			URL     string  `json:"serverUrl"`
			Headers headers `json:"headers"`
		}{url, variables("${env:NAME}")})
	}},
	"gemini-cli": {own: func(url string) []string {
		return append(flagged([]string{"gemini", "mcp", "add", "--transport", "http", "--scope", "user"}, "--header", ": ", variables("${NAME}")), server, url)
	}},
	"codex": {file: func(url string) any {
		return "[mcp_servers." + server + "]\nurl = \"" + url + "\"\nenv_http_headers = { Authorization = \"" + authorizationVariable + "\", X-Wesendall-Wallet = \"" + walletVariable + "\" }\n"
	}},
	"opencode": {own: func(url string) []string {
		return flagged([]string{"opencode", "mcp", "add", server, "--url", url}, "--header", "=", variables("{env:NAME}"))
	}},
	"copilot-cli": {own: func(url string) []string {
		return append(flagged([]string{"copilot", "mcp", "add", "--transport", "http"}, "--header", ": ", variables("${NAME}")), server, url)
	}},
	"zed": {note: "takes no variable there: keep that file to yourself", file: func(url string) any {
		return under("context_servers", struct {
			URL     string  `json:"url"`
			Headers headers `json:"headers"`
		}{url, literal})
	}},
}

// Remote is how the host is told of a server at a URL: a command, or what goes
// into its file, on one line if that is JSON.
func (h Host) Remote(url string) (text, note string) {
	r := remotes[h.Name]
	if r.own != nil {
		return Quote(r.own(url), "linux"), r.note
	}
	if text, ok := r.file(url).(string); ok {
		return strings.TrimSpace(text), r.note
	}
	return string(compact(r.file(url))), r.note
}
