package hostconfig

import "strings"

// The variables of a caller's machine that hold what it brings to a server over
// HTTP: the whole value of the header Authorization, and the wallet's id.
const (
	envAuthorization = "WESENDALL_AUTHORIZATION"
	envWallet        = "WESENDALL_WALLET_ID"
)

// authHeaders are those of a caller.
type authHeaders struct {
	Authorization string `json:"Authorization"`
	Wallet        string `json:"X-Wesendall-Wallet"`
}

// placeholderHeaders stands where a host takes no variable.
var placeholderHeaders = authHeaders{"Basic <base64 of KEY:SECRET>", "<wallet>"}

// headerVariables has a host put the variables in, which it writes in a form such as
// ${NAME}.
func headerVariables(format string) authHeaders {
	expand := func(name string) string { return strings.Replace(format, "NAME", name, 1) }
	return authHeaders{expand(envAuthorization), expand(envWallet)}
}

// httpConfig is how a host is told of a server over HTTP.
type httpConfig struct {
	addCommand func(url string) []string // its own command; nil where it has none, or none that knows of headers
	snippet    func(url string) any      // else what its file has: JSON, or a string that is none
	caveat     string                    // what somebody must know who pastes it
}

// appendHeaderFlags adds a flag for each header.
func appendHeaderFlags(command []string, flag, separator string, h authHeaders) []string {
	return append(command, flag, "Authorization"+separator+h.Authorization, flag, "X-Wesendall-Wallet"+separator+h.Wallet)
}

// nestEntry puts an entry where a file keeps its servers.
func nestEntry(field string, entry any) any {
	return map[string]any{field: map[string]any{serverName: entry}}
}

// httpConfigs are the hosts' ways, by their names.
var httpConfigs = map[string]httpConfig{
	"claude-code": {addCommand: func(url string) []string {
		return appendHeaderFlags([]string{"claude", "mcp", "add", "--transport", "http", "--scope", "user", serverName, url}, "--header", ": ", headerVariables("${NAME}"))
	}},
	"claude-desktop": {
		caveat: "takes no header in its file, and its connectors do OAuth alone: only through a bridge such as `mcp-remote`, which is somebody else's program and sees the secret",
		snippet: func(url string) any {
			return nestEntry("mcpServers", standardEntry(Entry{
				Command: "npx", Args: appendHeaderFlags([]string{"-y", "mcp-remote@0.15.1", url}, "--header", ":", headerVariables("${NAME}")),
				Env: map[string]string{envAuthorization: placeholderHeaders.Authorization, envWallet: placeholderHeaders.Wallet},
			}))
		},
	},
	"cursor": {snippet: func(url string) any {
		return nestEntry("mcpServers", struct {
			URL     string      `json:"url"`
			Headers authHeaders `json:"headers"`
		}{url, headerVariables("${env:NAME}")})
	}},
	"vscode": {caveat: "asks, and keeps the answer where it keeps secrets", snippet: func(url string) any {
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
			map[string]any{serverName: struct {
				Type    string      `json:"type"`
				URL     string      `json:"url"`
				Headers authHeaders `json:"headers"`
			}{"http", url, authHeaders{"${input:authorization}", "${input:wallet}"}}},
		}
	}},
	"windsurf": {snippet: func(url string) any {
		return nestEntry("mcpServers", struct {
			URL     string      `json:"serverUrl"`
			Headers authHeaders `json:"headers"`
		}{url, headerVariables("${env:NAME}")})
	}},
	"gemini-cli": {addCommand: func(url string) []string {
		return append(appendHeaderFlags([]string{"gemini", "mcp", "add", "--transport", "http", "--scope", "user"}, "--header", ": ", headerVariables("${NAME}")), serverName, url)
	}},
	"codex": {snippet: func(url string) any {
		return "[mcp_servers." + serverName + "]\nurl = \"" + url + "\"\nenv_http_headers = { Authorization = \"" + envAuthorization + "\", X-Wesendall-Wallet = \"" + envWallet + "\" }\n"
	}},
	"opencode": {addCommand: func(url string) []string {
		return appendHeaderFlags([]string{"opencode", "mcp", "add", serverName, "--url", url}, "--header", "=", headerVariables("{env:NAME}"))
	}},
	"copilot-cli": {addCommand: func(url string) []string {
		return append(appendHeaderFlags([]string{"copilot", "mcp", "add", "--transport", "http"}, "--header", ": ", headerVariables("${NAME}")), serverName, url)
	}},
	"zed": {caveat: "takes no variable there: keep that file to yourself", snippet: func(url string) any {
		return nestEntry("context_servers", struct {
			URL     string      `json:"url"`
			Headers authHeaders `json:"headers"`
		}{url, placeholderHeaders})
	}},
}

// HTTPSnippet is how the host is told of a server at a URL: a command, or what goes
// into its file, on one line if that is JSON.
func (h Host) HTTPSnippet(url string) (snippet, caveat string) {
	config := httpConfigs[h.Name]
	if config.addCommand != nil {
		return ShellQuote(config.addCommand(url), "linux"), config.caveat
	}
	if snippet, ok := config.snippet(url).(string); ok {
		return strings.TrimSpace(snippet), config.caveat
	}
	return string(compactJSON(config.snippet(url))), config.caveat
}
