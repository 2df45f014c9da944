package hostconfig

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

const testServerURL = "https://mcp.example.com/mcp"

// parsedSnippet are the URL and the headers of every form that a host has.
type parsedSnippet struct {
	URL       string            `json:"url" toml:"url"`
	ServerURL string            `json:"serverUrl"`
	Headers   map[string]string `json:"headers"`
	FromEnv   map[string]string `toml:"env_http_headers"`
	Args      []string          `json:"args"`
	Env       map[string]string `json:"env"`
}

// Each form, read as its host reads it, says where the server is and both
// headers, and no secret.
func TestHTTPEntry(t *testing.T) {
	t.Parallel()
	want := map[string][2]string{
		"cursor":   {"${env:WESENDALL_AUTHORIZATION}", "${env:WESENDALL_WALLET_ID}"},
		"windsurf": {"${env:WESENDALL_AUTHORIZATION}", "${env:WESENDALL_WALLET_ID}"},
		"vscode":   {"${input:authorization}", "${input:wallet}"}, "codex": {"WESENDALL_AUTHORIZATION",
			"WESENDALL_WALLET_ID"}, "opencode": {"{env:WESENDALL_AUTHORIZATION}", "{env:WESENDALL_WALLET_ID}"},
		"zed": {"Basic <base64 of KEY:SECRET>", "<wallet>"},
	}
	for _, h := range Hosts() {
		entry := h.HTTPEntry(testServerURL, "linux")
		text, caveat := entry.Text, entry.Caveat
		url, headers := parseSnippet(t, h, text)
		expected, ok := want[h.Name]
		if !ok {
			expected = [2]string{"${WESENDALL_AUTHORIZATION}", "${WESENDALL_WALLET_ID}"}
		}
		if url != testServerURL || len(headers) != 2 || headers["Authorization"] != expected[0] ||
			headers["X-Wesendall-Wallet"] != expected[1] {
			t.Errorf("%s: %s %q", h.Name, url, headers)
		}
		for _, word := range regexp.MustCompile(`[A-Za-z0-9+/=]{8,}`).FindAllString(text, -1) {
			if decoded, err := base64.StdEncoding.DecodeString(word); err == nil && strings.Contains(string(decoded), ":") {
				t.Errorf("%s has credentials: %s", h.Name, word)
			}
		}
		hasPlaceholder := strings.Contains(text, placeholderHeaders().Authorization)
		needsPlaceholder := h.Name == "zed" || h.Name == "claude-desktop"
		if hasPlaceholder != needsPlaceholder || hasPlaceholder && caveat == "" {
			t.Errorf("%s: %s (%s)", h.Name, text, caveat)
		}
	}
}

// parseSnippet reads a form as its host does.
func parseSnippet(t *testing.T, h Host, text string) (url string, headers map[string]string) {
	t.Helper()
	headers = map[string]string{}
	add := func(header string) {
		name, value, _ := strings.Cut(header, ":")
		if h.Name == "opencode" {
			name, value, _ = strings.Cut(header, "=")
		}
		headers[name] = strings.TrimSpace(value)
	}
	if h.http.addCommand != nil {
		words := h.http.addCommand(testServerURL)
		if ShellQuote(words, "linux") != text {
			t.Errorf("%s: %s", h.Name, text)
		}
		for i, word := range words {
			if strings.Contains(word, "://") {
				url = word
			}
			if word == "--header" {
				add(words[i+1])
			}
		}
		return url, headers
	}
	servers := map[string]map[string]parsedSnippet{}
	if path := "mcp_servers"; strings.HasPrefix(text, "[") {
		if _, err := toml.Decode(text, &servers); err != nil {
			t.Fatal(err)
		}
		return servers[path][ServerName].URL, servers[path][ServerName].FromEnv
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &file); err != nil || strings.Contains(text, "\n") {
		t.Fatalf("%s: %s, %v", h.Name, text, err)
	}
	var entries map[string]parsedSnippet
	if err := json.Unmarshal(file[h.jsonPath[0]], &entries); err != nil {
		t.Fatal(err)
	}
	e := entries[ServerName]
	if h.Name != "claude-desktop" {
		return e.URL + e.ServerURL, e.Headers
	}
	for i, word := range e.Args {
		if word == "--header" {
			add(e.Args[i+1])
		}
	}
	if e.Env[EnvAuthorization] != placeholderHeaders().Authorization || e.Env[EnvWallet] != placeholderHeaders().Wallet {
		t.Errorf("%s: %q", h.Name, e.Env)
	}
	return e.Args[2], headers
}
