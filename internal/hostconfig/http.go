package hostconfig

import "strings"

// Variables on a caller's machine that hold what the caller sends to a server over HTTP.
const (
	EnvAuthorization = "WESENDALL_AUTHORIZATION" // the whole value of the header Authorization
	EnvWallet        = "WESENDALL_WALLET_ID"
)

// httpConfig says how a host is connected to a server over HTTP.
type httpConfig struct {
	addCommand func(url string) []string // nil if the host has no command that takes headers
	snippet    func(url string) any      // else the content of its file: a JSON value, or TOML as a string
	caveat     string                    // what a user must know before pasting it; follows the host's title
}

// authHeaders are the headers of a caller.
type authHeaders struct {
	Authorization string `json:"Authorization"`
	Wallet        string `json:"X-Wesendall-Wallet"`
}

// urlEntry is the form that most hosts use for a server over HTTP.
type urlEntry struct {
	URL     string      `json:"url"`
	Headers authHeaders `json:"headers"`
}

// placeholderHeaders are for hosts that read no variables: the user replaces them.
func placeholderHeaders() authHeaders {
	return authHeaders{"Basic <base64 of KEY:SECRET>", "<wallet>"}
}

// variableHeaders lets the host insert the variables. The format is the host's notation,
// such as ${NAME}.
func variableHeaders(format string) authHeaders {
	expand := func(name string) string { return strings.Replace(format, "NAME", name, 1) }
	return authHeaders{expand(EnvAuthorization), expand(EnvWallet)}
}

// appendHeaderFlags adds --header for each header.
func appendHeaderFlags(command []string, separator string, h authHeaders) []string {
	return append(command,
		"--header", "Authorization"+separator+h.Authorization,
		"--header", "X-Wesendall-Wallet"+separator+h.Wallet)
}

// nestEntry returns a file with this server as its only entry.
func nestEntry(field string, entry any) any {
	return map[string]any{field: map[string]any{ServerName: entry}}
}

func codexHTTPTOML(url string) string {
	return "[mcp_servers." + ServerName + "]\nurl = " + tomlString(url) + "\nenv_http_headers = " +
		`{ Authorization = "` + EnvAuthorization + `", X-Wesendall-Wallet = "` + EnvWallet + "\" }\n"
}

func vscodeHTTPFile(url string) any {
	type input struct {
		ID          string `json:"id"`
		Type        string `json:"type"`
		Description string `json:"description"`
		Password    bool   `json:"password,omitempty"`
	}
	type server struct {
		Type    string      `json:"type"`
		URL     string      `json:"url"`
		Headers authHeaders `json:"headers"`
	}
	return struct {
		Inputs  []input           `json:"inputs"`
		Servers map[string]server `json:"servers"`
	}{
		[]input{
			{"authorization", "promptString", "Basic and the base64 of KEY:SECRET, or Bearer and a token", true},
			{"wallet", "promptString", "Wesendall wallet id", false},
		},
		map[string]server{ServerName: {"http", url, authHeaders{"${input:authorization}", "${input:wallet}"}}},
	}
}

// HTTPEntry connects a host to a server over HTTP.
type HTTPEntry struct {
	Text      string // a shell command, or what goes into the host's file (JSON on one line)
	IsCommand bool
	Caveat    string // what a user must know, as the rest of a sentence that starts with the host's title
}

// HTTPEntry returns how the host is connected to the server at a URL. The text holds no
// secret: it names variables, or has placeholders.
func (h Host) HTTPEntry(url, goos string) HTTPEntry {
	if h.http.addCommand != nil {
		return HTTPEntry{ShellQuote(h.http.addCommand(url), goos), true, h.http.caveat}
	}
	value := h.http.snippet(url)
	if text, ok := value.(string); ok {
		return HTTPEntry{strings.TrimSpace(text), false, h.http.caveat}
	}
	return HTTPEntry{string(compactJSON(value)), false, h.http.caveat}
}
