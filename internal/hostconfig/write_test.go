package hostconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailscale/hujson"
)

// writeEnv is a home directory with Cursor's file in it.
type writeEnv struct {
	*testing.T
	cursor Host
	dirs   Dirs
	file   string
}

func newWriteEnv(t *testing.T) writeEnv {
	t.Helper()
	t.Parallel()
	cursor, _ := FindHost("cursor")
	dirs := Dirs{Home: t.TempDir(), Config: t.TempDir(), GOOS: runtime.GOOS}
	env := writeEnv{t, cursor, dirs, cursor.ConfigPath(dirs)}
	if err := os.MkdirAll(filepath.Dir(env.file), 0o700); err != nil {
		t.Fatal(err)
	}
	return env
}

func (env writeEnv) write(e Entry) (WriteResult, error) {
	return env.cursor.Write(e, env.dirs, time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC))
}

// setFile sets the content and mode of a file.
func (env writeEnv) setFile(path, text string, mode fs.FileMode) {
	env.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		env.Fatal(err)
	}
}

func (env writeEnv) expectMode(path string, mode fs.FileMode) {
	env.Helper()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		env.Errorf("%v, %v", info, err)
	}
}

// expectServer compares this server's entry, without formatting and comments.
func (env writeEnv) expectServer(want string) {
	env.Helper()
	text, err := os.ReadFile(env.file)
	if err != nil {
		env.Fatal(err)
	}
	got, err := hujson.Minimize(text)
	if err != nil || string(got) != `{"mcpServers":{"wesendall":`+want+`}}` {
		env.Errorf("%s, %v", got, err)
	}
}

func TestWrite_NewFile(t *testing.T) {
	env := newWriteEnv(t)
	got, err := env.write(sampleEntry)
	if err != nil || !got.Changed || got.Backup != "" || got.File != env.file {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = env.write(sampleEntry); err != nil || got.Changed || got.Backup != "" {
		t.Errorf("twice: %+v, %v", got, err)
	}
}

// The file behind a link is changed and keeps its mode, and each write has its own backup.
func TestWrite_LinkAndBackups(t *testing.T) {
	env := newWriteEnv(t)
	const old = "{\n  // mine\n  \"mcpServers\": {\"b\": {\"command\": \"x\"}}\n}\n"
	target := filepath.Join(env.dirs.Home, "dotfiles.json")
	env.setFile(target, old, 0o640)
	if err := os.Symlink(target, env.file); err != nil {
		t.Fatal(err)
	}
	first, err := env.write(sampleEntry)
	if err != nil || first.Backup != target+".20261124-090000.bak" {
		t.Errorf("%+v, %v", first, err)
	}
	if info, err := os.Lstat(env.file); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	env.expectMode(target, 0o640)
	leftovers, err := filepath.Glob(filepath.Join(env.dirs.Home, ".*.json-*"))
	if err != nil || len(leftovers) > 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}
	second, err := env.write(Entry{Command: "/other"}) // in the same second
	if err != nil || second.Backup == first.Backup || !second.Changed {
		t.Errorf("%+v, %v", second, err)
	}
	if backup, err := os.ReadFile(first.Backup); err != nil || string(backup) != old {
		t.Errorf("the first backup is wrong: %s, %v", backup, err)
	}
}

// What the user added to the entry stays, except what the new entry decides.
func TestWrite_PreservesUserArgs(t *testing.T) {
	env := newWriteEnv(t)
	env.setFile(env.file, `{"mcpServers":{"wesendall":{"command":"/old/wesendall-mcp",`+
		`"args":["--env-file","/a","--max-per-day","500","--read-only","--confirm=off"],`+
		`"env":{"HTTPS_PROXY":"x","WESENDALL_API_SECRET":"s"},"disabled":false}}}`, 0o600)
	got, err := env.write(Entry{
		Command: "/new", Args: []string{"--sandbox", "--confirm=quote"},
		Overrides: []string{"--sandbox", "--env-file", "WESENDALL_API_SECRET"},
	})
	if want := []string{"--max-per-day", "--read-only", "HTTPS_PROXY"}; err != nil || !slices.Equal(got.Preserved, want) {
		t.Errorf("%+v, %v", got, err)
	}
	env.expectServer(`{"command":"/new","args":["--sandbox","--confirm=quote","--max-per-day","500","--read-only"],` +
		`"env":{"HTTPS_PROXY":"x"},"disabled":false}`)
}

// Flags of another program are dropped, numbers keep their spelling, and a file with a secret
// becomes private.
func TestWrite_Secrets(t *testing.T) {
	for name, c := range map[string]struct{ old, want string }{
		"another program": {
			`{"command":"docker","args":["run","-i"],"env":{"A":"b"}}`,
			`{"command":"/new","args":["--sandbox"],"env":{"WESENDALL_API_KEY":"k"}}`,
		},
		"numbers": {
			`{"command":"wesendall-mcp","args":["--max-per-day",1234567,null],"env":{"D":1234567,"C":null}}`,
			`{"command":"/new","args":["--sandbox","--max-per-day","1234567"],` +
				`"env":{"D":"1234567","WESENDALL_API_KEY":"k"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newWriteEnv(t)
			env.setFile(env.file, `{"mcpServers":{"wesendall":`+c.old+`}} // mine`, 0o644)
			entry := Entry{
				Command: "/new", Args: []string{"--sandbox"}, Env: map[string]string{"WESENDALL_API_KEY": "k"},
			}
			if _, err := env.write(entry); err != nil {
				t.Error(err)
			}
			env.expectServer(c.want)
			env.expectMode(env.file, 0o600)
		})
	}
}

func TestWrite_Refused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an entry over HTTP": {`{"mcpServers":{"wesendall":{"url":"https://example.com"}}}`, "over HTTP"},
		"not JSON":           {"{ not JSON", "was not changed"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newWriteEnv(t)
			env.setFile(env.file, c.text, 0o600)
			if got, err := env.write(sampleEntry); err == nil || got.Changed || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v", got, err)
			}
			if text, err := os.ReadFile(env.file); err != nil || string(text) != c.text {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

// A link without a target, or to a directory, is not replaced.
func TestWrite_RefusesLinks(t *testing.T) {
	env := newWriteEnv(t)
	target := filepath.Join(env.dirs.Home, "target")
	if err := os.Symlink(target, env.file); err != nil {
		t.Fatal(err)
	}
	expectRefusal := func(want string) {
		t.Helper()
		if got, err := env.write(sampleEntry); err == nil || got.Changed || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v, %v", got, err)
		}
		if info, err := os.Lstat(env.file); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v", err)
		}
	}
	expectRefusal("a link")
	if err := os.Mkdir(target, 0o700); err != nil {
		t.Fatal(err)
	}
	expectRefusal("not a file")
}
