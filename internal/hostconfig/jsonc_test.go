package hostconfig

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

var sampleEntry = Entry{Command: "/opt/wesendall-mcp", Args: []string{"--sandbox"}}

// mergeCase is a file before and after the merge of sampleEntry. ENTRY stands for its text.
type mergeCase struct{ name, old, want string }

// entryText is sampleEntry as a member of the second level.
const entryText = `"wesendall": {
      "command": "/opt/wesendall-mcp",
      "args": [
        "--sandbox"
      ]
    }`

var mergeCases = []mergeCase{
	{"no file", "", "{\n  \"mcpServers\": {\n    ENTRY\n  }\n}\n"},
	{"empty object", "{}\n", "{\n  \"mcpServers\": {\n    ENTRY\n  }\n}\n"},
	{"other keys", `{
  "a": 1
}`, `{
  "a": 1,
  "mcpServers": {
    ENTRY
  }
}`},
	{"another server", `{
  "mcpServers": {
    "b": {"command":   "x"}
  }
}
`, `{
  "mcpServers": {
    "b": {"command":   "x"},
    ENTRY
  }
}
`},
	{"comments", `{
  // of mine
  "mcpServers": {
    "b": {} // about b
    /* the end */
  } // after
}
`, `{
  // of mine
  "mcpServers": {
    "b": {}, // about b
    /* the end */
    ENTRY
  } // after
}
`},
	{"comment of two lines", "{/* a\n b */}", "{\n  \"mcpServers\": {\n    ENTRY\n  }/* a\n b */\n}"},
	{"trailing commas", `{
  "mcpServers": {
    "b": {},
  },
}
`, `{
  "mcpServers": {
    "b": {},
    ENTRY,
  },
}
`},
	{"previous entry", `{
  "mcpServers": {
    "wesendall": {"command": "/old"}, // ours
    "b": {}
  }
}`, `{
  "mcpServers": {
    "wesendall": {"command": "/opt/wesendall-mcp",
      "args": [
        "--sandbox"
      ]
    }, // ours
    "b": {}
  }
}`},
	{"members that the user added", `{
  "mcpServers": {
    "wesendall": {
      "command": "/old", // ours
      "args": [], "autoApprove": ["get_balance"]
    }
  }
}`, `{
  "mcpServers": {
    "wesendall": {
      "command": "/opt/wesendall-mcp", // ours
      "args": [
        "--sandbox"
      ], "autoApprove": ["get_balance"]
    }
  }
}`},
	{
		"same entry, formatted differently",
		`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
		`{"mcpServers": {"wesendall": {"command":"/opt/wesendall-mcp", "args":["--sandbox"]}}}`,
	},
}

func mergeSample(text []byte) ([]byte, error) {
	return mergeJSONC(text, []string{"mcpServers"}, standardEntry(sampleEntry))
}

// Only the entry changes, whatever the file looks like.
func TestMergeJSONC(t *testing.T) {
	t.Parallel()
	for _, c := range mergeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := strings.ReplaceAll(c.want, "ENTRY", entryText)
			got, err := mergeSample([]byte(c.old))
			if err != nil || string(got) != want {
				t.Errorf("%v\n%s\nnot\n%s", err, got, want)
			}
			again, err := mergeSample(got)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("again: %v\n%s", err, again)
			}
		})
	}
}

func TestMergeJSONC_FileFormat(t *testing.T) {
	t.Parallel()
	got, err := mergeSample([]byte("{\r\n\t\"a\": {}\r\n}\r\n"))
	want := "{\r\n\t\"a\": {},\r\n\t\"mcpServers\": {\r\n\t\t\"wesendall\": {\r\n\t\t\t\"command\""
	hasBareNewline := strings.Contains(strings.ReplaceAll(string(got), "\r\n", ""), "\n")
	if err != nil || !strings.HasPrefix(string(got), want) || hasBareNewline {
		t.Errorf("tabs and Windows newlines: %v %q", err, got)
	}
	got, err = mergeJSONC([]byte("\xef\xbb\xbf{}"), nil, standardEntry(sampleEntry))
	if err != nil || !bytes.HasPrefix(got, byteOrderMark) {
		t.Errorf("byte order mark: %v %q", err, got)
	}
}

func TestMergeJSONC_Refused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"mcpServers":{},"mcpServers":{}}`, `{"mcpServers":{"wesendall":{},"b":{},"wesendall":{}}}`,
		`{"mcpServers":{"wesendall":{"args":[],"args":[]}}}`,
	} {
		if got, err := mergeSample([]byte(text)); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"{", "[]", "7", `{"mcpServers": []}`, `{"mcpServers": null}`, `{"mcpServers": {"wesendall": 7}}`,
		`{"a": 1 "b": 2}`, "\x00",
	} {
		if got, err := mergeSample([]byte(text)); err == nil || !strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s: %s, %v", text, got, err)
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
		got, err := mergeSample(text)
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
		if again, err := mergeSample(got); err != nil ||
			!bytes.Equal(again, got) {
			t.Errorf("%q, again: %v %q", got, err, again)
		}
	})
}
