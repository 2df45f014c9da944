package hostconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// WriteResult says what Write did.
type WriteResult struct {
	File, Backup string // Backup is "" if there was no file before
	Changed      bool
	Preserved    []string // names of flags and variables kept from the previous entry
	Disabled     bool     // the host's file says not to start the server
}

// Write adds or updates the server's entry in the host's file and changes nothing else in
// it. It first writes a backup next to the file, and replaces the file atomically. A
// file that is not valid is not changed.
func (h Host) Write(e Entry, dirs Dirs, now time.Time) (WriteResult, error) {
	file := h.ConfigPath(dirs)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // keep the link
	}
	result := WriteResult{File: file}
	old, err := readRegularFile(file)
	mode := fs.FileMode(0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return result, err
	default:
		info, err := os.Stat(file)
		if err != nil {
			return result, err
		}
		mode = info.Mode().Perm()
	}
	servers, _ := h.findServers(old, e.Command) // mergeJSONC reports an invalid file
	existing, exists := findUserEntry(servers)
	if existing.URL != "" {
		return result, fmt.Errorf("%s was not changed: its entry %q is for a server over HTTP; remove that entry first",
			file, ServerName)
	}
	if exists {
		e, result.Preserved = preserveUserArgs(existing, e)
	}
	text, err := mergeJSONC(old, h.jsonPath, h.renderEntry(e))
	if err != nil {
		return result, fmt.Errorf("%s was not changed: %w", file, err)
	}
	if servers, err = h.findServers(text, e.Command); err == nil {
		written, _ := findUserEntry(servers)
		result.Disabled = written.Disabled
	}
	if bytes.Equal(text, old) {
		return result, nil
	}
	if len(e.Env) > 0 {
		mode &^= 0o077 // it may contain secrets now
	}
	result.Changed = true
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return result, err
	}
	if old != nil {
		result.Backup = unusedPath(file+"."+now.Format("20060102-150405"), ".bak")
		if err := writeFileAtomic(result.Backup, old, mode); err != nil {
			return result, err
		}
	}
	return result, writeFileAtomic(file, text, mode)
}

// findUserEntry returns the entry that Write updates: the one for all projects.
func findUserEntry(servers []ServerEntry) (ServerEntry, bool) {
	i := slices.IndexFunc(servers, func(s ServerEntry) bool { return s.Name == ServerName && s.Project == "" })
	if i < 0 {
		return ServerEntry{}, false
	}
	return servers[i], true
}

// preserveUserArgs adds the flags and variables of the existing entry that the new entry does
// not set, and returns their names.
func preserveUserArgs(existing ServerEntry, e Entry) (Entry, []string) {
	if e.Env == nil && len(existing.Env) > 0 {
		e.Env = map[string]string{} // so that the existing variables are removed
	}
	if !existing.IsThisBinary && !existing.hasBinaryName() {
		return e, nil // flags of another program
	}
	var preserved []string
	isSet := func(name string) bool {
		return slices.Contains(e.Overrides, name) ||
			slices.ContainsFunc(e.Args, func(arg string) bool { return flagName(arg) == name })
	}
	args := slices.Clone(e.Args)
	for rest := existing.Args; len(rest) > 0; {
		n := 1 // 2 for a flag and its value in separate arguments
		if isFlag(rest[0]) && !strings.Contains(rest[0], "=") && len(rest) > 1 && !isFlag(rest[1]) {
			n = 2
		}
		if name := flagName(rest[0]); !isSet(name) {
			args, preserved = append(args, rest[:n]...), append(preserved, name)
		}
		rest = rest[n:]
	}
	env := maps.Clone(e.Env)
	for _, name := range slices.Sorted(maps.Keys(existing.Env)) {
		if _, exists := e.Env[name]; !exists && !slices.Contains(e.Overrides, name) {
			env[name] = existing.Env[name]
			preserved = append(preserved, name)
		}
	}
	e.Args, e.Env = args, env
	return e, preserved
}

func isFlag(arg string) bool { return strings.HasPrefix(arg, "-") }

// flagName returns an argument without its =value.
func flagName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}

// unusedPath returns a path at which no file exists.
func unusedPath(name, extension string) string {
	path := name + extension
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = fmt.Sprintf("%s-%d%s", name, n, extension)
	}
}

// writeFileAtomic writes a temporary file in the same directory and renames it.
func writeFileAtomic(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // after a failure
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
