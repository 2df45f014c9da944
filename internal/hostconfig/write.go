package hostconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// WriteResult is what came of writing into a host's file.
type WriteResult struct {
	File, Backup string // Backup is "" where there was nothing to keep
	Changed      bool
	Preserved    []string // names of the flags and variables of the entry that was there
	Disabled     bool     // the host is told not to start it
}

// Write puts the server into the host's file: nothing else in it changes, what
// was there is kept beside it, and the file is whole at every moment. A file that
// cannot be read is left alone.
func (h Host) Write(e Entry, dirs Dirs, now time.Time) (WriteResult, error) {
	file := h.ConfigPath(dirs)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // a link stays one
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
	servers, _ := h.findServers(old, e.Command) // a file that cannot be read is not merged into
	if slices.ContainsFunc(servers, func(s ServerEntry) bool { return s.Name == serverName && s.Project == "" && s.URL != "" }) {
		return result, fmt.Errorf("%s was left as it is: its entry %q is for a server over HTTP; take that out first", file, serverName)
	}
	e, result.Preserved = preserveUserArgs(servers, e)
	text, err := mergeJSONC(old, h.jsonPath, h.renderEntry(e))
	if err != nil {
		return result, fmt.Errorf("%s was left as it is: %w", file, err)
	}
	if servers, err = h.findServers(text, e.Command); err == nil {
		result.Disabled = slices.ContainsFunc(servers, func(s ServerEntry) bool { return s.Name == serverName && s.Project == "" && s.Disabled })
	}
	if bytes.Equal(text, old) {
		return result, nil
	}
	if len(e.Env) > 0 {
		mode &^= 0o077 // there may be secrets in it now
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

// preserveUserArgs adds to an entry what somebody gave to the one that is there, and says
// what that is.
func preserveUserArgs(servers []ServerEntry, e Entry) (Entry, []string) {
	i := slices.IndexFunc(servers, func(s ServerEntry) bool { return s.Name == serverName && s.Project == "" })
	if i < 0 {
		return e, nil
	}
	if e.Env == nil && len(servers[i].Env) > 0 {
		e.Env = map[string]string{} // which takes out what is there
	}
	if !servers[i].IsThisBinary && !servers[i].hasBinaryName() {
		return e, nil // what another program was given means nothing to this one
	}
	var preserved []string
	overridden := func(name string) bool {
		return slices.Contains(e.Overrides, name) || slices.ContainsFunc(e.Args, func(arg string) bool { return flagName(arg) == name })
	}
	args := slices.Clone(e.Args)
	for rest := servers[i].Args; len(rest) > 0; {
		n := 1 // a flag, and its value if that stands apart
		if strings.HasPrefix(rest[0], "-") && !strings.Contains(rest[0], "=") && len(rest) > 1 && !strings.HasPrefix(rest[1], "-") {
			n = 2
		}
		if !overridden(flagName(rest[0])) {
			args, preserved = append(args, rest[:n]...), append(preserved, flagName(rest[0]))
		}
		rest = rest[n:]
	}
	env := maps.Clone(e.Env)
	for _, name := range sortedKeys(servers[i].Env) {
		if _, exists := e.Env[name]; !exists && !slices.Contains(e.Overrides, name) {
			env[name] = servers[i].Env[name]
			preserved = append(preserved, name)
		}
	}
	e.Args, e.Env = args, env
	return e, preserved
}

// flagName is an argument without the value that it has.
func flagName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}

// unusedPath is a name that no file has yet.
func unusedPath(name, extension string) string {
	path := name + extension
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = fmt.Sprintf("%s-%d%s", name, n, extension)
	}
}

// writeFileAtomic writes a file beside the one that it becomes.
func writeFileAtomic(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // if it is still there
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// mergeJSONC sets the members of one entry in a JSON text that may have comments, and
// keeps every other byte.
func mergeJSONC(text []byte, path []string, entry any) ([]byte, error) {
	rest, hasBOM := bytes.CutPrefix(text, byteOrderMark)
	empty := len(bytes.TrimSpace(rest)) == 0
	if empty {
		rest = []byte("{}\n")
	}
	root, err := hujson.Parse(rest)
	if err != nil && !bytes.HasSuffix(rest, []byte("\n")) { // a last comment must have an end
		root, err = hujson.Parse(append(bytes.Clone(rest), '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("it is not valid JSON (%w); mend it, or paste the entry by hand", err)
	}
	l := layout{newline: "\n", indent: "  "}
	if bytes.Contains(rest, []byte("\r\n")) {
		l.newline = "\r\n"
	}
	if first := firstMember(&root); first != nil {
		if unit, ok := memberIndent(first.Name.BeforeExtra); ok && unit != "" {
			l.indent = unit
		}
	}
	// Each member for itself: what the host or a person added to the entry stays.
	parsed, err := hujson.Parse(compactJSON(entry))
	if err != nil {
		return nil, err
	}
	members, _ := parsed.Value.(*hujson.Object)
	for _, member := range members.Members {
		name, _ := member.Name.Value.(hujson.Literal)
		if err := l.setPath(&root, append(slices.Clone(path), serverName, name.String()), json.RawMessage(member.Value.Pack()), ""); err != nil {
			return nil, err
		}
	}
	out := root.Pack()
	if hasBOM {
		out = append(slices.Clone(byteOrderMark), out...)
	}
	return out, nil
}

// layout is how a text is laid out.
type layout struct{ newline, indent string }

func firstMember(v *hujson.Value) *hujson.ObjectMember {
	if object, ok := v.Value.(*hujson.Object); ok && len(object.Members) > 0 {
		return &object.Members[0]
	}
	return nil
}

// memberIndent is what stands before a member on its line, if it has one of its own.
func memberIndent(before hujson.Extra) (string, bool) {
	pos := lastNewline(before)
	if pos < 0 {
		return "", false
	}
	line := before[pos+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))]), true
}

// lastNewline is where the last line of what stands between values begins, at the
// newline before it. One within a comment begins no line.
func lastNewline(extra hujson.Extra) int {
	last := -1
	for i := 0; i < len(extra); i++ {
		switch {
		case extra[i] == '\n':
			last = i
		case bytes.HasPrefix(extra[i:], []byte("//")):
			i += max(bytes.IndexByte(extra[i:], '\n'), 1) - 1 // it ends with its line
		case bytes.HasPrefix(extra[i:], []byte("/*")):
			i += 2 + max(bytes.Index(extra[i+2:], []byte("*/")), 0) + 1
		}
	}
	return last
}

// setPath sets the value at the end of a path of names.
func (l layout) setPath(v *hujson.Value, path []string, value any, indent string) error {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		return fmt.Errorf("where %q should be is no object; paste the entry by hand", path[0])
	}
	inner := indent + l.indent
	if first := firstMember(v); first != nil {
		if ownIndent, ok := memberIndent(first.Name.BeforeExtra); ok {
			inner = ownIndent
		}
	}
	matches := func(m hujson.ObjectMember) bool {
		name, ok := m.Name.Value.(hujson.Literal)
		return ok && name.String() == path[0]
	}
	if i := slices.IndexFunc(object.Members, matches); i >= 0 {
		member := &object.Members[i]
		switch {
		case slices.ContainsFunc(object.Members[i+1:], matches):
			return fmt.Errorf("it has %q twice, and programs differ on which of them counts; take one out", path[0])
		case len(path) > 1:
			return l.setPath(&member.Value, path[1:], value, inner)
		}
		return l.replaceValue(&member.Value, value, inner)
	}
	for _, name := range slices.Backward(path[1:]) {
		value = map[string]any{name: value}
	}
	return l.appendMember(object, path[0], value, indent, inner)
}

// replaceValue replaces a value where it says something else.
func (l layout) replaceValue(v *hujson.Value, value any, indent string) error {
	newValue, err := l.format(value, indent)
	if err != nil {
		return err
	}
	before, after := v.Clone(), newValue.Clone()
	before.BeforeExtra, before.AfterExtra = nil, nil
	before.Minimize()
	after.Minimize()
	if !bytes.Equal(before.Pack(), after.Pack()) {
		v.Value = newValue.Value
	}
	return nil
}

// appendMember adds a member at the end. What stands behind the last one, such as a
// comment about it, stays behind it.
func (l layout) appendMember(object *hujson.Object, name string, value any, indent, inner string) error {
	newValue, err := l.format(value, inner)
	if err != nil {
		return err
	}
	before := l.newline + inner
	trailing := object.AfterExtra
	if pos := lastNewline(trailing); pos >= 0 {
		before = strings.TrimRight(string(trailing[:pos+1]), " \t\r\n") + before
		object.AfterExtra = slices.Clone(trailing[pos:])
		if l.newline == "\r\n" {
			object.AfterExtra = append(hujson.Extra("\r"), object.AfterExtra...)
		}
	} else {
		object.AfterExtra = append(slices.Clone(bytes.TrimRight(trailing, " \t")), l.newline+indent...)
	}
	member := hujson.ObjectMember{Name: hujson.Value{BeforeExtra: hujson.Extra(before), Value: hujson.String(name)}, Value: newValue}
	member.Value.BeforeExtra = hujson.Extra(" ")
	if last := len(object.Members) - 1; last >= 0 && object.Members[last].Value.AfterExtra != nil {
		member.Value.AfterExtra = hujson.Extra{} // and so is the last comma
	}
	object.Members = append(object.Members, member)
	return nil
}

// format lays a value out as its surroundings are.
func (l layout) format(value any, indent string) (hujson.Value, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, compactJSON(value), indent, l.indent); err != nil {
		return hujson.Value{}, err
	}
	return hujson.Parse(bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte(l.newline)))
}
