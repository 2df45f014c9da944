package hosts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tailscale/hujson"
)

var sample = Entry{Command: "/opt/wesendall-mcp", Args: []string{"--sandbox"}}

// Nothing but the entry changes, whatever the file looks like.
func TestMerge(t *testing.T) {
	t.Parallel()
	const entry = `{
      "command": "/opt/wesendall-mcp",
      "args": [
        "--sandbox"
      ]
    }`
	for name, c := range map[string]struct{ old, want string }{
		"no file":     {"", "{\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"empty":       {"{}\n", "{\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"other keys":  {"{\n  \"a\": 1\n}", "{\n  \"a\": 1,\n  \"mcpServers\": {\n    \"wesendall\": " + entry + "\n  }\n}"},
		"a neighbour": {"{\n  \"mcpServers\": {\n    \"b\": {\"command\":   \"x\"}\n  }\n}\n", "{\n  \"mcpServers\": {\n    \"b\": {\"command\":   \"x\"},\n    \"wesendall\": " + entry + "\n  }\n}\n"},
		"comments": {
			"{\n  // of mine\n  \"mcpServers\": {\n    \"b\": {} // about b\n    /* the end */\n  } // after\n}\n",
			"{\n  // of mine\n  \"mcpServers\": {\n    \"b\": {}, // about b\n    /* the end */\n    \"wesendall\": " + entry + "\n  } // after\n}\n",
		},
		"a last comma": {"{\n  \"mcpServers\": {\n    \"b\": {},\n  },\n}\n", "{\n  \"mcpServers\": {\n    \"b\": {},\n    \"wesendall\": " + entry + ",\n  },\n}\n"},
		"another of ours": {
			"{\n  \"mcpServers\": {\n    \"wesendall\": {\"command\": \"/old\"}, // ours\n    \"b\": {}\n  }\n}",
			"{\n  \"mcpServers\": {\n    \"wesendall\": " + entry + ", // ours\n    \"b\": {}\n  }\n}",
		},
		"the same, laid out in its own way": {
			`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
			`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
		},
	} {
		got, err := merge([]byte(c.old), []string{"mcpServers"}, plain(sample))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s\nnot\n%s", name, err, got, c.want)
		}
		again, err := merge(got, []string{"mcpServers"}, plain(sample))
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s, again: %v\n%s", name, err, again)
		}
	}
	tabs, err := merge([]byte("{\r\n\t\"a\": {}\r\n}\r\n"), []string{"mcpServers"}, plain(sample))
	if want := "{\r\n\t\"a\": {},\r\n\t\"mcpServers\": {\r\n\t\t\"wesendall\": {\r\n\t\t\t\"command\""; err != nil || !strings.HasPrefix(string(tabs), want) || strings.Contains(strings.ReplaceAll(string(tabs), "\r\n", ""), "\n") {
		t.Errorf("%v %q", err, tabs)
	}
	if marked, err := merge([]byte("\xef\xbb\xbf{}"), nil, plain(sample)); err != nil || !bytes.HasPrefix(marked, byteOrderMark) {
		t.Errorf("%v %q", err, marked)
	}
	for _, wrong := range []string{"{", "[]", "7", `{"mcpServers": []}`, `{"mcpServers": null}`, `{"a": 1 "b": 2}`, "\x00"} {
		if got, err := merge([]byte(wrong), []string{"mcpServers"}, plain(sample)); err == nil || !strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s: %s, %v", wrong, got, err)
		}
	}
}

func FuzzMerge(f *testing.F) {
	for _, text := range []string{"", "{}", "{ /* a */ }", "{\n// x\n\"mcpServers\": {\"b\": 1,},}", `{"mcpServers":{"wesendall":7}}`, "{\"a\":\r\n1}", "\xef\xbb\xbf{}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		old := bytes.Clone(text)
		got, err := merge(text, []string{"mcpServers"}, plain(sample))
		if !bytes.Equal(old, text) {
			t.Fatal("the text that was read has changed")
		}
		if err != nil {
			return
		}
		// What was there is still there, and the entry is.
		members := func(text []byte) (all map[string]json.RawMessage, servers map[string]json.RawMessage) {
			plain, err := hujson.Minimize(bytes.TrimPrefix(text, byteOrderMark))
			if err != nil || json.Unmarshal(plain, &all) != nil {
				t.Fatalf("%v: %q", err, text)
			}
			_ = json.Unmarshal(all["mcpServers"], &servers)
			return all, servers
		}
		all, servers := members(got)
		if string(servers["wesendall"]) != `{"command":"/opt/wesendall-mcp","args":["--sandbox"]}` {
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
		if len(servers)+len(wantServers) > 0 && !reflect.DeepEqual(servers, wantServers) || len(all)+len(wantAll) > 0 && !reflect.DeepEqual(all, wantAll) {
			t.Errorf("%q of %q", got, text)
		}
		if again, err := merge(got, []string{"mcpServers"}, plain(sample)); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q, again: %v %q", got, err, again)
		}
	})
}

func TestWrite(t *testing.T) {
	t.Parallel()
	cursor, _ := Find("cursor")
	p := Places{Home: t.TempDir(), Config: t.TempDir(), System: runtime.GOOS}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	file := filepath.Join(p.Home, ".cursor", "mcp.json")

	w, err := cursor.Write(sample, p, now)
	if err != nil || !w.Changed || w.Backup != "" || w.File != file {
		t.Fatalf("%+v, %v", w, err)
	}
	if w, err = cursor.Write(sample, p, now); err != nil || w.Changed || w.Backup != "" {
		t.Errorf("twice: %+v, %v", w, err)
	}
	mine := "{\n  // mine\n  \"mcpServers\": {\"b\": {\"command\": \"x\"}}\n}\n"
	target := filepath.Join(p.Home, "dotfiles.json")
	if err := errors.Join(os.WriteFile(target, []byte(mine), 0o640), os.Remove(file), os.Symlink(target, file)); err != nil {
		t.Fatal(err)
	}
	w, err = cursor.Write(sample, p, now)
	kept, readErr := os.ReadFile(w.Backup)
	if err != nil || readErr != nil || string(kept) != mine || w.Backup != target+".20261124-090000.bak" {
		t.Errorf("%+v, %v, %v", w, err, readErr)
	}
	info, err := os.Lstat(file)
	mode, modeErr := os.Stat(target)
	if err != nil || modeErr != nil || info.Mode()&fs.ModeSymlink == 0 || mode.Mode().Perm() != 0o640 {
		t.Errorf("the link is gone, or the mode: %v, %v", info, mode)
	}
	if left, err := filepath.Glob(filepath.Join(p.Home, ".*.json-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	// A second one in the same second has a backup of its own.
	if again, err := cursor.Write(Entry{Command: "/other"}, p, now); err != nil || again.Backup == w.Backup || !again.Changed {
		t.Errorf("%+v, %v", again, err)
	}
	if kept, err := os.ReadFile(w.Backup); err != nil || string(kept) != mine {
		t.Errorf("the first backup is gone: %s, %v", kept, err)
	}

	broken := "{ not JSON"
	if err := os.WriteFile(target, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cursor.Write(sample, p, now); err == nil || !strings.Contains(err.Error(), "was left as it is") {
		t.Error(err)
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != broken {
		t.Errorf("%s, %v", text, err)
	}
}
