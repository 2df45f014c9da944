package hosts

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

const overHTTP = "https://mcp.example.com/mcp"

// told are the URL and the headers of every form that a host has.
type told struct {
	URL       string            `json:"url" toml:"url"`
	ServerURL string            `json:"serverUrl"`
	Headers   map[string]string `json:"headers"`
	FromEnv   map[string]string `toml:"env_http_headers"`
	Args      []string          `json:"args"`
	Env       map[string]string `json:"env"`
}

// Each form, read as its host reads it, says where the server is and both
// headers, and no secret.
func TestEachHostHasAWayOverHTTP(t *testing.T) {
	t.Parallel()
	if len(remotes) != len(All()) {
		t.Errorf("%d hosts have a way, of %d", len(remotes), len(All()))
	}
	want := map[string][2]string{
		"cursor": {"${env:WESENDALL_AUTHORIZATION}", "${env:WESENDALL_WALLET_ID}"}, "windsurf": {"${env:WESENDALL_AUTHORIZATION}", "${env:WESENDALL_WALLET_ID}"},
		"vscode": {"${input:authorization}", "${input:wallet}"}, "codex": {"WESENDALL_AUTHORIZATION", "WESENDALL_WALLET_ID"}, "opencode": {"{env:WESENDALL_AUTHORIZATION}", "{env:WESENDALL_WALLET_ID}"},
		"zed": {"Basic <base64 of KEY:SECRET>", "<wallet>"},
	}
	for _, h := range All() {
		text, note := h.Remote(overHTTP)
		url, headers := parse(t, h, text)
		expected, ok := want[h.Name]
		if !ok {
			expected = [2]string{"${WESENDALL_AUTHORIZATION}", "${WESENDALL_WALLET_ID}"}
		}
		if url != overHTTP || len(headers) != 2 || headers["Authorization"] != expected[0] || headers["X-Wesendall-Wallet"] != expected[1] {
			t.Errorf("%s: %s %q", h.Name, url, headers)
		}
		for _, word := range regexp.MustCompile(`[A-Za-z0-9+/=]{8,}`).FindAllString(text, -1) {
			if plain, err := base64.StdEncoding.DecodeString(word); err == nil && strings.Contains(string(plain), ":") {
				t.Errorf("%s has credentials: %s", h.Name, word)
			}
		}
		if literally := strings.Contains(text, literal.Authorization); literally != (h.Name == "zed" || h.Name == "claude-desktop") || literally && note == "" {
			t.Errorf("%s: %s (%s)", h.Name, text, note)
		}
	}
}

// parse reads a form as its host does.
func parse(t *testing.T, h Host, text string) (url string, headers map[string]string) {
	t.Helper()
	headers = map[string]string{}
	add := func(header string) {
		name, value, _ := strings.Cut(header, ":")
		if h.Name == "opencode" {
			name, value, _ = strings.Cut(header, "=")
		}
		headers[name] = strings.TrimSpace(value)
	}
	if remotes[h.Name].own != nil {
		words := remotes[h.Name].own(overHTTP)
		if Quote(words, "linux") != text {
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
	servers := map[string]map[string]told{}
	if path := "mcp_servers"; strings.HasPrefix(text, "[") {
		if _, err := toml.Decode(text, &servers); err != nil {
			t.Fatal(err)
		}
		return servers[path][server].URL, servers[path][server].FromEnv
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &file); err != nil || strings.Contains(text, "\n") {
		t.Fatalf("%s: %s, %v", h.Name, text, err)
	}
	var entries map[string]told
	if err := json.Unmarshal(file[h.path[0]], &entries); err != nil {
		t.Fatal(err)
	}
	e := entries[server]
	if h.Name != "claude-desktop" {
		return e.URL + e.ServerURL, e.Headers
	}
	for i, word := range e.Args {
		if word == "--header" {
			add(e.Args[i+1])
		}
	}
	if e.Env[authorizationVariable] != literal.Authorization || e.Env[walletVariable] != literal.Wallet {
		t.Errorf("%s: %q", h.Name, e.Env)
	}
	return e.Args[2], headers
}
