package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Credentials in an entry are moved into the env file before the entry loses them.
func TestConfigCommand_MovesCredentials(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".cursor"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, filepath.Join(home, ".cursor"), "mcp.json", `{"mcpServers":{"Wesendall":{"command":"`+path+
		`"},"wesendall":{"command":"`+path+`","env":{"WESENDALL_API_KEY":"`+sandbox.APIKey+
		`","WESENDALL_API_SECRET":"`+sandbox.APISecret+`","WESENDALL_WALLET_ID":"`+sandbox.WalletID+`"}}}}`)
	if got := runInHome(t, home, nil, "config", "codex"); got.exitCode != exitOK { // a file with placeholders
		t.Fatalf("%+v", got)
	}
	got := runInHome(t, home, nil, "config", "cursor", "--write")
	envFile := filepath.Join(home, ".config", "wesendall-mcp", "wesendall.env")
	text, err := os.ReadFile(envFile)
	if got.exitCode != exitOK || err != nil || !strings.Contains(string(text), sandbox.APISecret) ||
		!strings.Contains(got.stderr, "From now on the server reads those in "+envFile) ||
		!strings.Contains(got.stderr, `under the name "Wesendall"`) || strings.Contains(got.stderr, sandbox.APISecret) {
		t.Errorf("%+v, %s, %v", got, text, err)
	}
	if text, err = os.ReadFile(file); err != nil || strings.Contains(string(text), sandbox.APISecret) {
		t.Errorf("%s, %v", text, err)
	}
	if got = runInHome(t, home, nil, "config", "cursor"); !strings.Contains(got.stderr, "Backups of "+file+": "+file+".2") {
		t.Errorf("%+v", got)
	}
}

// Claude Code refuses to add a server that it has: the line that removes it comes first.
func TestConfigCommand_RemovesFirst(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	writeFile(t, home, ".claude.json", `{"mcpServers":{"wesendall":{"command":"/opt/wesendall-mcp"}}}`)
	got := runInHome(t, home, nil, "config", "claude-code", "--sandbox")
	if got.exitCode != exitOK || !strings.HasPrefix(got.stdout,
		"claude mcp remove --scope user wesendall\nclaude mcp add ") {
		t.Errorf("%+v", got)
	}
}

// A program that PATH has as a link is named by the link, which stays after an update.
func TestConfigCommand_KeepsLink(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "wesendall-mcp")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	got := runInHome(t, t.TempDir(), []string{"PATH=" + dir}, "config", "cursor", "--sandbox")
	if got.exitCode != exitOK || !strings.Contains(got.stdout, `"`+link+`"`) {
		t.Errorf("%+v", got)
	}
}
