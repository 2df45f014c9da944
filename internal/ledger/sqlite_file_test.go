package ledger

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// A file that others control, or that has another name, is refused before anything
// is created.
func TestOpen_FileRefused(t *testing.T) {
	ledgertest.SQLiteOnly(t)
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no owner and mode there")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path string) { t.Helper(); must(os.WriteFile(path, nil, 0o600)) }
	for name, c := range map[string]struct {
		prepare  func(dir, path string)
		says     string
		needRoot bool
	}{
		"a symbolic link": {func(dir, path string) {
			write(filepath.Join(dir, "other.db"))
			must(os.Symlink("other.db", path))
		}, "is a symbolic link", false},
		"a symbolic link to nothing": {func(_, path string) { must(os.Symlink("other.db", path)) }, "is a symbolic link", false},
		"a hard link": {func(dir, path string) {
			write(filepath.Join(dir, "other.db"))
			must(os.Link(filepath.Join(dir, "other.db"), path))
		}, "has 2 names", false},
		"a log that is a link": {func(_, path string) {
			write(path)
			must(os.Symlink("other.db", path+"-wal"))
		}, "-wal is a symbolic link", false},
		"a log without a ledger": {func(_, path string) { must(os.Symlink("other.db", path+"-shm")) }, "-shm is a symbolic link", false},
		"writable by others":     {func(_, path string) { write(path); must(os.Chmod(path, 0o602)) }, "can be written by every user", false},
		"open to all":            {func(_, path string) { write(path); must(os.Chmod(path, 0o666)) }, "mode 0666", false},
		"a log writable by others": {func(_, path string) {
			write(path)
			write(path + "-wal")
			must(os.Chmod(path+"-wal", 0o666))
		}, "-wal can be written", false},
		"another owner's": {func(_, path string) { write(path); must(os.Chown(path, 12345, -1)) }, "belongs to user 12345", true},
		"a folder":        {func(_, path string) { must(os.Mkdir(path, 0o700)) }, "is not a file", false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.needRoot && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			expectRefused(t, c.prepare, c.says)
		})
	}
}

// expectRefused prepares a ledger's path, and checks that opening it fails and creates
// nothing.
func expectRefused(t *testing.T, prepare func(dir, path string), says string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "l.db")
	prepare(dir, path)
	before, _ := filepath.Glob(filepath.Join(dir, "*"))
	l, err := Open(context.Background(), path, Options{})
	if err == nil {
		_ = l.Close(context.Background())
	}
	if err == nil || !strings.Contains(err.Error(), says) || FixFor(err) == "" {
		t.Errorf("%v", err)
	}
	if after, _ := filepath.Glob(filepath.Join(dir, "*")); len(after) != len(before) {
		t.Errorf("created: %v", after)
	}
	if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() && stat.Size() > 0 {
		t.Error("something was written")
	}
}

func TestOpen_FileWarnings(t *testing.T) {
	ledgertest.SQLiteOnly(t)
	t.Parallel()
	for mode, says := range map[os.FileMode]string{
		0o600: "", 0o640: "its group can read it", 0o620: "its group can change it", 0o660: "its group can change it",
		0o644: "every user of this machine can read it",
	} {
		path := filepath.Join(t.TempDir(), "l.db")
		openTestLedger(t, path, Options{})
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		openTestLedger(t, path, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if got := log.String(); says == "" && got != "" || !strings.Contains(got, says) {
			t.Errorf("%o: %s", mode, got)
		}
		info, err := InspectFile(path)
		if err != nil || info.Owner == "" && hasOwners || info.Mode != mode || (len(info.Warnings) > 0) != (says != "") {
			t.Errorf("%o: %+v, %v", mode, info, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // what it is about
		t.Fatal(err)
	}
	info, err := InspectFile(filepath.Join(dir, "none.db"))
	if err != nil || info.Owner != "" || len(info.Warnings) != 0 {
		t.Errorf("a missing file: %+v, %v", info, err)
	}
	openTestLedger(t, filepath.Join(dir, "l.db"), Options{})
	if info, err = InspectFile(filepath.Join(dir, "l.db")); err != nil || len(info.Warnings) != 1 {
		t.Errorf("a folder that everyone can write: %+v, %v", info, err)
	}
}
