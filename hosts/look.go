package hosts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"
)

// Sighting is a host that is on this machine, and what it knows of this server.
type Sighting struct {
	Host
	Place   string // its file, whether that is there or not
	Servers []Server
	Err     error // the file cannot be read
}

// Server is an entry of a host's file that is meant to start this server: it has
// its name, or its program.
type Server struct {
	Name    string
	Project string // the directory that it is for; "" is all of them
	Entry
	URL  string // of a server over HTTP, in place of a program
	Off  bool   // the host is told not to start it
	Same bool   // what it starts is this very program
	Err  error  // what it should start cannot be found
}

// Look finds the hosts on this machine: those whose file is there, or the
// directory of their own that it would be in.
func Look(p Places, program string) []Sighting {
	var found []Sighting
	for _, h := range All() {
		s := Sighting{Host: h, Place: h.File(p)}
		text, err := readFile(s.Place)
		if errors.Is(err, fs.ErrNotExist) && filepath.Ext(s.Place) == ".json" { // some take this too
			if with, failed := readFile(s.Place + "c"); failed == nil {
				s.Place, text, err = s.Place+"c", with, nil
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			dir := filepath.Dir(s.Place)
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || dir == filepath.Clean(p.Home) {
				continue
			}
			err = nil
		}
		if s.Err = err; err == nil {
			s.Servers, s.Err = h.servers(text, program)
		}
		found = append(found, s)
	}
	return found
}

// readFile reads a file, and nothing else: a pipe would never end. A file that is
// not there is empty.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		if _, dangling := os.Readlink(name); dangling == nil {
			return nil, fmt.Errorf("%s is a link to a file that cannot be read", name)
		}
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	}
	return os.ReadFile(name) //nolint:gosec // the host's own file
}

// servers finds this server in a host's file.
func (h Host) servers(text []byte, program string) ([]Server, error) {
	root := map[string]any{}
	text = bytes.TrimPrefix(text, byteOrderMark)
	path := h.path
	switch {
	case len(bytes.TrimSpace(text)) == 0:
	case h.path == nil:
		path = []string{"mcp_servers"}
		if err := toml.Unmarshal(text, &root); err != nil {
			return nil, fmt.Errorf("it is not valid TOML: %w", err)
		}
	default:
		plain, err := hujson.Standardize(append(bytes.Clone(text), '\n')) // a last comment must have an end
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(plain))
			decoder.UseNumber() // so that it stays as it is written
			err = decoder.Decode(&root)
		}
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
	}
	found := ours(root, path, "", program)
	projects, _ := root["projects"].(map[string]any) // Claude Code's
	for _, project := range slices.Sorted(maps.Keys(projects)) {
		if own, ok := projects[project].(map[string]any); ok {
			found = append(found, ours(own, path, project, program)...)
		}
	}
	return found, nil
}

// ours are the entries at a path that are meant to start this server.
func ours(root map[string]any, path []string, project, program string) []Server {
	for _, name := range path {
		root, _ = root[name].(map[string]any)
	}
	var found []Server
	for _, name := range slices.Sorted(maps.Keys(root)) {
		s := Server{Name: name, Project: project}
		s.read(root[name])
		if s.URL == "" {
			s.Same, s.Err = same(s.Command, program)
		}
		if name == server || s.Same || s.named() {
			found = append(found, s)
		}
	}
	return found
}

// named tells whether the program has the name of this one.
func (s *Server) named() bool {
	return strings.TrimSuffix(filepath.Base(filepath.FromSlash(s.Command)), ".exe") == "wesendall-mcp"
}

// read understands the forms that hosts have: a command and its arguments, or all
// of it in one list or object.
func (s *Server) read(value any) {
	members, _ := value.(map[string]any)
	switch command := members["command"].(type) {
	case string:
		s.Command = command
	case []any:
		if all := texts(command); len(all) > 0 {
			s.Command, s.Args = all[0], all[1:]
		}
	case map[string]any:
		s.Command, _ = command["path"].(string)
		members = command
	}
	for _, name := range []string{"url", "serverUrl", "httpUrl"} {
		if at, ok := members[name].(string); ok && s.Command == "" {
			s.URL = at
		}
	}
	if list, ok := members["args"].([]any); ok {
		s.Args = texts(list)
	}
	s.Env = map[string]string{}
	for _, name := range []string{"env", "environment"} {
		variables, _ := members[name].(map[string]any)
		for name, value := range variables {
			if value != nil {
				s.Env[name] = fmt.Sprint(value)
			}
		}
	}
	if slices.ContainsFunc(s.Args, func(arg string) bool { return strings.HasPrefix(arg, "mcp-remote") }) { // a bridge to one
		if at := slices.IndexFunc(s.Args, func(arg string) bool { return strings.HasPrefix(arg, "http") }); at >= 0 {
			s.URL = s.Args[at]
		}
	}
	if at, err := url.Parse(s.URL); err == nil { // and not what may be secret in it
		at.User, at.RawQuery, at.Fragment = nil, "", ""
		s.URL = at.String()
	}
	s.Off = members["disabled"] == true || members["enabled"] == false
}

func texts(list []any) []string {
	var all []string
	for _, each := range list {
		if each != nil {
			all = append(all, fmt.Sprint(each))
		}
	}
	return all
}

// same tells whether a command starts a program, wherever links lead.
func same(command, program string) (bool, error) {
	switch slashed := filepath.ToSlash(command); {
	case command == "":
		return false, errors.New("it names no program")
	case strings.Contains(slashed, "/") && !filepath.IsAbs(command):
		return false, fmt.Errorf("the path %s depends on where the host runs", command)
	}
	path, err := exec.LookPath(command)
	if err != nil {
		return false, err
	}
	one, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	other, err := os.Stat(program)
	return err == nil && os.SameFile(one, other), nil
}

// Filled tells whether the host fills something in, such as ${HOME}: what that
// is, nobody else knows.
func (e Entry) Filled() bool {
	open := func(text string) bool { return strings.Contains(text, "${") }
	return slices.ContainsFunc(e.Args, open) || slices.ContainsFunc(slices.Collect(maps.Values(e.Env)), open)
}

// Flag is the value that an entry's arguments give a flag, such as --env-file.
func (e Entry) Flag(name string) string {
	value := ""
	for i, arg := range e.Args {
		if rest, ok := strings.CutPrefix(arg, name+"="); ok {
			value = rest
		} else if arg == name && i+1 < len(e.Args) {
			value = e.Args[i+1]
		}
	}
	return value
}
