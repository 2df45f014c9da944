package hostconfig

import (
	"path/filepath"
)

// ExistingServers returns the entries for this server in the host's file that apply to all
// projects. A file that cannot be read has none: Write and doctor report it.
func (h Host) ExistingServers(dirs Dirs, program string) []ServerEntry {
	data, err := readRegularFile(h.ConfigPath(dirs))
	if err != nil {
		return nil
	}
	all, err := h.findServers(data, program)
	if err != nil {
		return nil
	}
	var servers []ServerEntry
	for _, s := range all {
		if s.Project == "" {
			servers = append(servers, s)
		}
	}
	return servers
}

// Backups returns the copies of the host's file that Write made, oldest first.
func (h Host) Backups(dirs Dirs) []string {
	file := h.ConfigPath(dirs)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	const timestamp = ".[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9]*.bak"
	backups, _ := filepath.Glob(globEscape(file) + timestamp) // Glob sorts; the pattern is valid
	return backups
}

// globEscape quotes what has a meaning in a pattern.
func globEscape(path string) string {
	if filepath.Separator == '\\' {
		return path // there is no escape character on Windows
	}
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
