package hostconfig

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestExistingServers(t *testing.T) {
	t.Parallel()
	host, _ := FindHost("cursor")
	dirs := Dirs{Home: t.TempDir(), Config: t.TempDir(), GOOS: "linux"}
	if got := host.ExistingServers(dirs, os.Args[0]); got != nil {
		t.Errorf("%+v", got)
	}
	file := host.ConfigPath(dirs)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	text := `{"mcpServers":{"Wesendall":{"command":"x"},"wesendall":{"command":"y"},"other":{"command":"z"},` +
		`"sms":{"command":"/opt/wesendall-mcp"}}}`
	for _, name := range []string{file, file + ".20261126-090000.bak", file + ".20261126-090000-2.bak", file + ".bak"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, s := range host.ExistingServers(dirs, os.Args[0]) {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"Wesendall", "sms", "wesendall"}) {
		t.Error(names)
	}
	if got := host.Backups(dirs); len(got) != 2 {
		t.Error(got)
	}
}
