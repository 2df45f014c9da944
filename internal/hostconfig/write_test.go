package hostconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailscale/hujson"
)

var sampleEntry = Entry{Command: "/opt/wesendall-mcp", Args: []string{"--sandbox"}}

// Nothing but the entry changes, whatever the file looks like.
func TestMergeJSONC(t *testing.T) {
	t.Parallel()
	const entry = `{
      "command": "/opt/wesendall-mcp",
      "args": [
        "--sandbox"
      ]
    }`
	for name, c := range map[string]struct{ old, want string }{
		"no file":    {"", "{\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"empty":      {"{}\n", "{\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"other keys": {"{\n  \"a\": 1\n}", "{\n  \"a\": 1,\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}"},
		"a neighbour": {"{\n  \"mcpServers\": {\n    \"b\": {\"command\":   \"x\"}\n  }\n}\n",
			"{\n  \"mcpServers\": {\n    \"b\": {\"command\":   \"x\"},\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"comments": {
			"{\n  // of mine\n  \"mcpServers\": {\n    \"b\": {} // about b\n    /* the end */\n  } // after\n}\n",
			"{\n  // of mine\n  \"mcpServers\": {\n    \"b\": {}, // about b\n    /* the end */\n    \"wesendall\": " + entry +
				"\n  } // after\n}\n",
		},
		"a comment of two lines": {"{/* a\n b */}", "{\n  \"mcpServers\": {\n    \"wesendall\": " + entry +
			"\n  }/* a\n b */\n}"},
		"a last comma": {"{\n  \"mcpServers\": {\n    \"b\": {},\n  },\n}\n",
			"{\n  \"mcpServers\": {\n    \"b\": {},\n    \"wesendall\": " + entry + ",\n  },\n}\n"},
		"another of ours": {
			"{\n  \"mcpServers\": {\n    \"wesendall\": {\"command\": \"/old\"}, // ours\n    \"b\": {}\n  }\n}",
			"{\n  \"mcpServers\": {\n    \"wesendall\": {\"command\": \"/opt/wesendall-mcp\",\n      \"args\": [\n        \"--sandbox\"\n      ]\n    }, // ours\n    \"b\": {}\n  }\n}",
		},
		"what was added to ours": {
			"{\n  \"mcpServers\": {\n    \"wesendall\": {\n      \"command\": \"/old\", // ours\n      \"args\": [], \"autoApprove\": [\"get_balance\"]\n    }\n  }\n}",
			"{\n  \"mcpServers\": {\n    \"wesendall\": {\n      \"command\": \"/opt/wesendall-mcp\", // ours\n      \"args\": [\n        \"--sandbox\"\n      ], \"autoApprove\": [\"get_balance\"]\n    }\n  }\n}",
		},
		"the same, laid out in its own way": {
			`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
			`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
		},
	} {
		got, err := mergeJSONC([]byte(c.old), []string{"mcpServers"}, standardEntry(sampleEntry))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s\nnot\n%s", name, err, got, c.want)
		}
		again, err := mergeJSONC(got, []string{"mcpServers"}, standardEntry(sampleEntry))
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s, again: %v\n%s", name, err, again)
		}
	}
	tabs, err := mergeJSONC([]byte("{\r\n\t\"a\": {}\r\n}\r\n"), []string{"mcpServers"}, standardEntry(sampleEntry))
	if want := "{\r\n\t\"a\": {},\r\n\t\"mcpServers\": {\r\n\t\t\"wesendall\": {\r\n\t\t\t\"command\""; err != nil ||
		!strings.HasPrefix(string(tabs), want) || strings.Contains(strings.ReplaceAll(string(tabs), "\r\n", ""), "\n") {
		t.Errorf("%v %q", err, tabs)
	}
	if marked, err := mergeJSONC([]byte("\xef\xbb\xbf{}"), nil, standardEntry(sampleEntry)); err != nil ||
		!bytes.HasPrefix(marked, byteOrderMark) {
		t.Errorf("%v %q", err, marked)
	}
	for _, twice := range []string{`{"mcpServers":{},"mcpServers":{}}`,
		`{"mcpServers":{"wesendall":{},"b":{},"wesendall":{}}}`, `{"mcpServers":{"wesendall":{"args":[],"args":[]}}}`} {
		if got, err := mergeJSONC([]byte(twice), []string{"mcpServers"}, standardEntry(sampleEntry)); err == nil ||
			!strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %s, %v", twice, got, err)
		}
	}
	for _, wrong := range []string{"{", "[]", "7", `{"mcpServers": []}`, `{"mcpServers": null}`,
		`{"mcpServers": {"wesendall": 7}}`, `{"a": 1 "b": 2}`, "\x00"} {
		if got, err := mergeJSONC([]byte(wrong), []string{"mcpServers"}, standardEntry(sampleEntry)); err == nil ||
			!strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s: %s, %v", wrong, got, err)
		}
	}
}

func FuzzMergeJSONC(f *testing.F) {
	for _, text := range []string{"", "{}", "{ /* a */ }", "{\n// x\n\"mcpServers\": {\"b\": 1,},}",
		`{"mcpServers":{"wesendall":7}}`, "{\"a\":\r\n1}", "\xef\xbb\xbf{}", "{}//", "{/*\n*/}",
		"{\n/* a\n b */ \"a\":1 // \"/*\"\n}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		old := bytes.Clone(text)
		got, err := mergeJSONC(text, []string{"mcpServers"}, standardEntry(sampleEntry))
		if !bytes.Equal(old, text) {
			t.Fatal("the text that was read has changed")
		}
		if err != nil {
			return
		}
		// What was there is still there, and the entry is.
		members := func(text []byte) (all map[string]json.RawMessage, servers map[string]json.RawMessage) {
			minimized, err := hujson.Minimize(append(bytes.TrimPrefix(text, byteOrderMark), '\n')) // for a last comment
			if err != nil || json.Unmarshal(minimized, &all) != nil {
				t.Fatalf("%v: %q", err, text)
			}
			_ = json.Unmarshal(all["mcpServers"], &servers)
			return all, servers
		}
		all, servers := members(got)
		var entry struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		}
		if err := json.Unmarshal(servers["wesendall"], &entry); err != nil || entry.Command != sampleEntry.Command ||
			!slices.Equal(entry.Args, sampleEntry.Args) {
			t.Fatalf("%q of %q", got, text)
		}
		delete(servers, "wesendall")
		delete(all, "mcpServers")
		if len(bytes.TrimSpace(bytes.TrimPrefix(text, byteOrderMark))) == 0 {
			return
		}
		wantAll, wantServers := members(text)
		delete(wantServers, "wesendall")
		delete(wantAll, "mcpServers")
		if len(servers)+len(wantServers) > 0 && !reflect.DeepEqual(servers, wantServers) || len(all)+len(wantAll) > 0 &&
			!reflect.DeepEqual(all, wantAll) {
			t.Errorf("%q of %q", got, text)
		}
		if again, err := mergeJSONC(got, []string{"mcpServers"}, standardEntry(sampleEntry)); err != nil ||
			!bytes.Equal(again, got) {
			t.Errorf("%q, again: %v %q", got, err, again)
		}
	})
}

func TestWriteConfig(t *testing.T) {
	t.Parallel()
	cursor, _ := FindHost("cursor")
	dirs := Dirs{Home: t.TempDir(), Config: t.TempDir(), GOOS: runtime.GOOS}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	file := filepath.Join(dirs.Home, ".cursor", "mcp.json")

	w, err := cursor.Write(sampleEntry, dirs, now)
	if err != nil || !w.Changed || w.Backup != "" || w.File != file {
		t.Fatalf("%+v, %v", w, err)
	}
	if w, err = cursor.Write(sampleEntry, dirs, now); err != nil || w.Changed || w.Backup != "" {
		t.Errorf("twice: %+v, %v", w, err)
	}
	mine := "{\n  // mine\n  \"mcpServers\": {\"b\": {\"command\": \"x\"}}\n}\n"
	target := filepath.Join(dirs.Home, "dotfiles.json")
	if err := errors.Join(os.WriteFile(target, []byte(mine), 0o640), os.Remove(file),
		os.Symlink(target, file)); err != nil {
		t.Fatal(err)
	}
	w, err = cursor.Write(sampleEntry, dirs, now)
	backup, backupErr := os.ReadFile(w.Backup)
	if err != nil || backupErr != nil || string(backup) != mine || w.Backup != target+".20261124-090000.bak" {
		t.Errorf("%+v, %v, %v", w, err, backupErr)
	}
	info, err := os.Lstat(file)
	mode, modeErr := os.Stat(target)
	if err != nil || modeErr != nil || info.Mode()&fs.ModeSymlink == 0 || mode.Mode().Perm() != 0o640 {
		t.Errorf("the link is gone, or the mode: %v, %v", info, mode)
	}
	if leftovers, err := filepath.Glob(filepath.Join(dirs.Home, ".*.json-*")); err != nil || len(leftovers) > 0 {
		t.Errorf("left behind: %v, %v", leftovers, err)
	}

	// A second one in the same second has a backup of its own.
	if again, err := cursor.Write(Entry{Command: "/other"}, dirs, now); err != nil || again.Backup == w.Backup ||
		!again.Changed {
		t.Errorf("%+v, %v", again, err)
	}
	if backup, err := os.ReadFile(w.Backup); err != nil || string(backup) != mine {
		t.Errorf("the first backup is gone: %s, %v", backup, err)
	}

	// What somebody added to the entry stays; what the new one decides does not.
	mine = `{"mcpServers":{"wesendall":{"command":"/old/wesendall-mcp","args":["--env-file","/a","--max-per-day","500","--read-only","--confirm=off"],"env":{"HTTPS_PROXY":"x","WESENDALL_API_SECRET":"s"},"disabled":false}}}`
	if err := os.WriteFile(target, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err = cursor.Write(Entry{Command: "/new", Args: []string{"--sandbox", "--confirm=quote"},
		Overrides: []string{"--sandbox", "--env-file", "WESENDALL_API_SECRET"}}, dirs, now)
	if want := []string{"--max-per-day", "--read-only", "HTTPS_PROXY"}; err != nil || !slices.Equal(w.Preserved, want) {
		t.Errorf("%+v, %v", w, err)
	}
	text, err := os.ReadFile(target)
	var after bytes.Buffer
	if err != nil || json.Compact(&after, text) != nil ||
		after.String() != `{"mcpServers":{"wesendall":{"command":"/new","args":["--sandbox","--confirm=quote","--max-per-day","500","--read-only"],"env":{"HTTPS_PROXY":"x"},"disabled":false}}}` {
		t.Errorf("%s, %v", text, err)
	}

	// What another program was given means nothing to this one. Numbers stay as they
	// are written, and a file with a secret is its owner's alone.
	for old, want := range map[string]string{
		`{"command":"docker","args":["run","-i"],"env":{"A":"b"}}`:                                       `{"command":"/new","args":["--sandbox"],"env":{"WESENDALL_API_KEY":"k"}}`,
		`{"command":"wesendall-mcp","args":["--max-per-day",1234567,null],"env":{"D":1234567,"C":null}}`: `{"command":"/new","args":["--sandbox","--max-per-day","1234567"],"env":{"D":"1234567","WESENDALL_API_KEY":"k"}}`,
	} {
		if err := errors.Join(os.WriteFile(target, []byte(`{"mcpServers":{"wesendall":`+old+`}} // mine`), 0o600),
			os.Chmod(target, 0o644)); err != nil { //nolint:gosec // as it may be
			t.Fatal(err)
		}
		if _, err := cursor.Write(Entry{Command: "/new", Args: []string{"--sandbox"},
			Env: map[string]string{"WESENDALL_API_KEY": "k"}}, dirs, now); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(target)
		minimized, jsonErr := hujson.Minimize(text)
		if err != nil || jsonErr != nil || string(minimized) != `{"mcpServers":{"wesendall":`+want+`}}` {
			t.Errorf("%s, %v", minimized, errors.Join(err, jsonErr))
		}
		if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}

	remote := `{"mcpServers":{"wesendall":{"url":"https://example.com"}}}`
	if err := os.WriteFile(target, []byte(remote), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := cursor.Write(sampleEntry, dirs, now); err == nil || w.Changed ||
		!strings.Contains(err.Error(), "over HTTP") {
		t.Errorf("%+v, %v", w, err)
	}

	broken := "{ not JSON"
	if err := os.WriteFile(target, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cursor.Write(sampleEntry, dirs, now); err == nil || !strings.Contains(err.Error(), "was not changed") {
		t.Error(err)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != broken {
		t.Errorf("%s, %v", text, err)
	}

	// Neither a link that leads nowhere nor what is no file is replaced.
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"a link", "not a file"} {
		if w, err := cursor.Write(sampleEntry, dirs, now); err == nil || w.Changed || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %+v, %v", what, w, err)
		}
		if info, err := os.Lstat(file); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s: the link is gone: %v", what, err)
		}
		if err := os.Mkdir(target, 0o700); err != nil && what == "a link" {
			t.Fatal(err)
		}
	}
}
