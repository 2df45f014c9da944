package hostconfig

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

// DetectedHost is a host that is on this machine, and what it knows of this server.
type DetectedHost struct {
	Host
	ConfigFile string // its file, whether that is there or not
	Servers    []ServerEntry
	Err        error // the file cannot be read
}

// ServerEntry is an entry of a host's file that is meant to start this server: it has
// its name, or its program.
type ServerEntry struct {
	Name    string
	Project string // the directory that it is for; "" is all of them
	Entry
	URL          string // of a server over HTTP, in place of a program
	Disabled     bool   // the host is told not to start it
	IsThisBinary bool   // what it starts is this very program
	Err          error  // what it should start cannot be found
}

// Detect finds the hosts on this machine: those whose file is there, or the
// directory of their own that it would be in.
func Detect(dirs Dirs, program string) []DetectedHost {
	var detected []DetectedHost
	for _, h := range Hosts() {
		s := DetectedHost{Host: h, ConfigFile: h.ConfigPath(dirs)}
		data, err := readRegularFile(s.ConfigFile)
		if errors.Is(err, fs.ErrNotExist) && filepath.Ext(s.ConfigFile) == ".json" { // some take this too
			if alternative, altErr := readRegularFile(s.ConfigFile + "c"); altErr == nil {
				s.ConfigFile, data, err = s.ConfigFile+"c", alternative, nil
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			dir := filepath.Dir(s.ConfigFile)
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || dir == filepath.Clean(dirs.Home) {
				continue
			}
			err = nil
		}
		if s.Err = err; err == nil {
			s.Servers, s.Err = h.findServers(data, program)
		}
		detected = append(detected, s)
	}
	return detected
}

// readRegularFile reads a file, and nothing else: a pipe would never end. A file that is
// not there is empty.
func readRegularFile(name string) ([]byte, error) {
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

// findServers finds this server in a host's file.
func (h Host) findServers(data []byte, program string) ([]ServerEntry, error) {
	root := map[string]any{}
	data = bytes.TrimPrefix(data, byteOrderMark)
	path := h.jsonPath
	switch {
	case len(bytes.TrimSpace(data)) == 0:
	case h.jsonPath == nil:
		path = []string{"mcp_servers"}
		if err := toml.Unmarshal(data, &root); err != nil {
			return nil, fmt.Errorf("it is not valid TOML: %w", err)
		}
	default:
		standard, err := hujson.Standardize(append(bytes.Clone(data), '\n')) // a last comment must have an end
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(standard))
			decoder.UseNumber() // so that it stays as it is written
			err = decoder.Decode(&root)
		}
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
	}
	matches := matchingServers(root, path, "", program)
	projects, _ := root["projects"].(map[string]any) // Claude Code's
	for _, project := range slices.Sorted(maps.Keys(projects)) {
		if settings, ok := projects[project].(map[string]any); ok {
			matches = append(matches, matchingServers(settings, path, project, program)...)
		}
	}
	return matches, nil
}

// matchingServers are the entries at a path that are meant to start this server.
func matchingServers(root map[string]any, path []string, project, program string) []ServerEntry {
	for _, name := range path {
		root, _ = root[name].(map[string]any)
	}
	var matches []ServerEntry
	for _, name := range slices.Sorted(maps.Keys(root)) {
		s := ServerEntry{Name: name, Project: project}
		s.parse(root[name])
		if s.URL == "" {
			s.IsThisBinary, s.Err = sameBinary(s.Command, program)
		}
		if name == serverName || s.IsThisBinary || s.hasBinaryName() {
			matches = append(matches, s)
		}
	}
	return matches
}

// hasBinaryName tells whether the program has the name of this one.
func (s *ServerEntry) hasBinaryName() bool {
	return strings.TrimSuffix(filepath.Base(filepath.FromSlash(s.Command)), ".exe") == "wesendall-mcp"
}

// parse understands the forms that hosts have: a command and its arguments, or all
// of it in one list or object.
func (s *ServerEntry) parse(value any) {
	fields, _ := value.(map[string]any)
	switch command := fields["command"].(type) {
	case string:
		s.Command = command
	case []any:
		if words := stringList(command); len(words) > 0 {
			s.Command, s.Args = words[0], words[1:]
		}
	case map[string]any:
		s.Command, _ = command["path"].(string)
		fields = command
	}
	for _, name := range []string{"url", "serverUrl", "httpUrl"} {
		if at, ok := fields[name].(string); ok && s.Command == "" {
			s.URL = at
		}
	}
	if list, ok := fields["args"].([]any); ok {
		s.Args = stringList(list)
	}
	s.Env = map[string]string{}
	for _, name := range []string{"env", "environment"} {
		variables, _ := fields[name].(map[string]any)
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
	s.Disabled = fields["disabled"] == true || fields["enabled"] == false
}

func stringList(list []any) []string {
	var out []string
	for _, item := range list {
		if item != nil {
			out = append(out, fmt.Sprint(item))
		}
	}
	return out
}

// sameBinary tells whether a command starts a program, wherever links lead.
func sameBinary(command, program string) (bool, error) {
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
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	programInfo, err := os.Stat(program)
	return err == nil && os.SameFile(info, programInfo), nil
}

// HasVariables tells whether the host fills something in, such as ${HOME}: what that
// is, nobody else knows.
func (e Entry) HasVariables() bool {
	hasVariable := func(text string) bool { return strings.Contains(text, "${") }
	return slices.ContainsFunc(e.Args, hasVariable) || slices.ContainsFunc(slices.Collect(maps.Values(e.Env)), hasVariable)
}

// FlagValue is the value that an entry's arguments give a flag, such as --env-file.
func (e Entry) FlagValue(name string) string {
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
