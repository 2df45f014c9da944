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

// DetectedHost is a host on this machine, with its entries for this server.
type DetectedHost struct {
	Host
	ConfigFile string // may not exist
	Servers    []ServerEntry
	Err        error // set if the file cannot be read
}

// ServerEntry is an entry of a host's file for this server: it has the server's name, or
// starts a program of that name.
type ServerEntry struct {
	Name    string
	Project string // the only directory that it applies to; "" for all
	Entry
	URL          string // of a server over HTTP; then there is no Command
	Disabled     bool
	IsThisBinary bool  // it starts the running program
	Err          error // set if its program cannot be found
}

// Detect returns the hosts on this machine: those whose file, or the directory for it, exists.
// The program is the path of the running one.
func Detect(dirs Dirs, program string) []DetectedHost {
	var detected []DetectedHost
	for _, h := range Hosts() {
		s := DetectedHost{Host: h, ConfigFile: h.ConfigPath(dirs)}
		data, err := readRegularFile(s.ConfigFile)
		if errors.Is(err, fs.ErrNotExist) && filepath.Ext(s.ConfigFile) == ".json" { // some hosts accept .jsonc
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

// readRegularFile refuses pipes, which could block for ever, and dangling links, which a write
// would replace.
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

// findServers returns the entries for this server in the content of a host's file.
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
		standard, err := hujson.Standardize(append(bytes.Clone(data), '\n')) // a line comment at the end needs a newline
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(standard))
			decoder.UseNumber() // numbers keep their spelling
			err = decoder.Decode(&root)
		}
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
	}
	matches := matchingServers(root, path, "", program)
	projects, _ := root["projects"].(map[string]any) // only Claude Code has them
	for _, project := range slices.Sorted(maps.Keys(projects)) {
		if settings, ok := projects[project].(map[string]any); ok {
			matches = append(matches, matchingServers(settings, path, project, program)...)
		}
	}
	return matches, nil
}

// matchingServers returns the entries for this server in the object at path.
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
		if strings.EqualFold(name, ServerName) || s.IsThisBinary || s.hasBinaryName() {
			matches = append(matches, s)
		}
	}
	return matches
}

// hasBinaryName tells whether the entry's program is called wesendall-mcp.
func (s *ServerEntry) hasBinaryName() bool {
	return strings.TrimSuffix(filepath.Base(filepath.FromSlash(s.Command)), ".exe") == "wesendall-mcp"
}

// parse reads the forms that hosts use: a command with arguments, one list, or an object.
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
	// A bridge to a server over HTTP takes the URL as an argument.
	if indexOfPrefix(s.Args, "mcp-remote") >= 0 {
		if at := indexOfPrefix(s.Args, "http"); at >= 0 {
			s.URL = s.Args[at]
		}
	}
	if at, err := url.Parse(s.URL); err == nil { // without the parts that may hold a secret
		at.User, at.RawQuery, at.Fragment = nil, "", ""
		s.URL = at.String()
	}
	s.Disabled = fields["disabled"] == true || fields["enabled"] == false
}

func indexOfPrefix(args []string, prefix string) int {
	return slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, prefix) })
}

// stringList formats the items of a list, without nulls.
func stringList(list []any) []string {
	var out []string
	for _, item := range list {
		if item != nil {
			out = append(out, fmt.Sprint(item))
		}
	}
	return out
}

// sameBinary tells whether a command starts the program, also through links.
func sameBinary(command, program string) (bool, error) {
	switch slashed := filepath.ToSlash(command); {
	case command == "":
		return false, errors.New("it has no command")
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
	programInfo, err := os.Stat(program) //nolint:gosec // the operator's own path
	return err == nil && os.SameFile(info, programInfo), nil
}

// HasVariables tells whether the host replaces something, such as ${HOME}. Only the host knows
// the values.
func (e Entry) HasVariables() bool {
	hasVariable := func(text string) bool { return strings.Contains(text, "${") }
	values := append(slices.Collect(maps.Values(e.Env)), e.Args...)
	return slices.ContainsFunc(values, hasVariable)
}

// FlagValue returns the value of a flag, such as --env-file, in the entry's arguments.
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
