package tools

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./tools -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./tools -update writes it again); got\n%s", path, got)
	}
}

func TestSchemas_Golden(t *testing.T) {
	t.Parallel()
	for folder, o := range map[string]Options{"wallet_fixed": {Wallet: "wal_1"}, "wallet_argument": {}} {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range s.tools {
			text, err := json.MarshalIndent(map[string]any{
				"name": tool.Name, "title": tool.Title, "description": tool.Description, "hints": tool.Annotations(),
				"input": tool.inputSchema, "output": tool.outputSchema,
			}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", folder, tool.Name+".json"), append(text, '\n'))
		}
	}
}
