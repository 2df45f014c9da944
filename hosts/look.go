package hosts

import (
	"os"
	"path/filepath"
	"strings"
)

// Sighting is a host that is on this machine.
type Sighting struct {
	Host
	Place string // its file, whether that is there or not
	Here  bool   // the file names the program
	Other bool   // or another of the same name
}

// Look finds the hosts on this machine: those whose file is there, or the
// directory of their own that it would be in. It reads no more of a file than
// whether the program is in it.
func Look(p Places, program string) []Sighting {
	var found []Sighting
	for _, h := range All() {
		s := Sighting{Host: h, Place: h.File(p)}
		text, err := os.ReadFile(s.Place)
		if err != nil {
			dir := filepath.Dir(s.Place)
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || dir == filepath.Clean(p.Home) {
				continue
			}
		}
		escaped := strings.Trim(string(compact(program)), `"`) // as JSON and TOML have it
		s.Here = strings.Contains(string(text), program) || strings.Contains(string(text), escaped)
		s.Other = !s.Here && (strings.Contains(string(text), "wesendall-mcp") || strings.Contains(string(text), `"`+server+`"`) || strings.Contains(string(text), "mcp_servers."+server))
		found = append(found, s)
	}
	return found
}
