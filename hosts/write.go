package hosts

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

// Written is what came of writing into a host's file.
type Written struct {
	File, Backup string // Backup is "" where there was nothing to keep
	Changed      bool
	Kept         []string // names of the flags and variables of the entry that was there
	Off          bool     // the host is told not to start it
}

// Write puts the server into the host's file: nothing else in it changes, what
// was there is kept beside it, and the file is whole at every moment. A file that
// cannot be read is left alone.
func (h Host) Write(e Entry, p Places, now time.Time) (Written, error) {
	file := h.File(p)
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target // a link stays one
	}
	w := Written{File: file}
	old, err := readFile(file)
	mode := fs.FileMode(0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return w, err
	default:
		info, err := os.Stat(file)
		if err != nil {
			return w, err
		}
		mode = info.Mode().Perm()
	}
	servers, _ := h.servers(old, e.Command) // a file that cannot be read is not merged into
	if slices.ContainsFunc(servers, func(s Server) bool { return s.Name == server && s.Project == "" && s.URL != "" }) {
		return w, fmt.Errorf("%s was left as it is: its entry %q is for a server over HTTP; take that out first", file, server)
	}
	e, w.Kept = carry(servers, e)
	text, err := merge(old, h.path, h.entry(e))
	if err != nil {
		return w, fmt.Errorf("%s was left as it is: %w", file, err)
	}
	if servers, err = h.servers(text, e.Command); err == nil {
		w.Off = slices.ContainsFunc(servers, func(s Server) bool { return s.Name == server && s.Project == "" && s.Off })
	}
	if bytes.Equal(text, old) {
		return w, nil
	}
	if len(e.Env) > 0 {
		mode &^= 0o077 // there may be secrets in it now
	}
	w.Changed = true
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return w, err
	}
	if old != nil {
		w.Backup = free(file+"."+now.Format("20060102-150405"), ".bak")
		if err := replace(w.Backup, old, mode); err != nil {
			return w, err
		}
	}
	return w, replace(file, text, mode)
}

// carry adds to an entry what somebody gave to the one that is there, and says
// what that is.
func carry(servers []Server, e Entry) (Entry, []string) {
	at := slices.IndexFunc(servers, func(s Server) bool { return s.Name == server && s.Project == "" })
	if at < 0 {
		return e, nil
	}
	if e.Env == nil && len(servers[at].Env) > 0 {
		e.Env = map[string]string{} // which takes out what is there
	}
	if !servers[at].Same && !servers[at].named() {
		return e, nil // what another program was given means nothing to this one
	}
	var kept []string
	settled := func(name string) bool {
		return slices.Contains(e.Settles, name) || slices.ContainsFunc(e.Args, func(arg string) bool { return flagOf(arg) == name })
	}
	args := slices.Clone(e.Args)
	for rest := servers[at].Args; len(rest) > 0; {
		one := 1 // a flag, and its value if that stands apart
		if strings.HasPrefix(rest[0], "-") && !strings.Contains(rest[0], "=") && len(rest) > 1 && !strings.HasPrefix(rest[1], "-") {
			one = 2
		}
		if !settled(flagOf(rest[0])) {
			args, kept = append(args, rest[:one]...), append(kept, flagOf(rest[0]))
		}
		rest = rest[one:]
	}
	env := maps.Clone(e.Env)
	for _, name := range names(servers[at].Env) {
		if _, ours := e.Env[name]; !ours && !slices.Contains(e.Settles, name) {
			env[name] = servers[at].Env[name]
			kept = append(kept, name)
		}
	}
	e.Args, e.Env = args, env
	return e, kept
}

// flagOf is an argument without the value that it has.
func flagOf(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}

// free is a name that no file has yet.
func free(name, extension string) string {
	path := name + extension
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = fmt.Sprintf("%s-%d%s", name, n, extension)
	}
}

// replace writes a file beside the one that it becomes.
func replace(path string, text []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // if it is still there
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// merge sets the members of one entry in a JSON text that may have comments, and
// keeps every other byte.
func merge(text []byte, path []string, entry any) ([]byte, error) {
	rest, marked := bytes.CutPrefix(text, byteOrderMark)
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
	f := form{line: "\n", unit: "  "}
	if bytes.Contains(rest, []byte("\r\n")) {
		f.line = "\r\n"
	}
	if first := firstMember(&root); first != nil {
		if unit, ok := indentOf(first.Name.BeforeExtra); ok && unit != "" {
			f.unit = unit
		}
	}
	// Each member for itself: what the host or a person added to the entry stays.
	written, err := hujson.Parse(compact(entry))
	if err != nil {
		return nil, err
	}
	members, _ := written.Value.(*hujson.Object)
	for _, member := range members.Members {
		name, _ := member.Name.Value.(hujson.Literal)
		if err := f.set(&root, append(slices.Clone(path), server, name.String()), json.RawMessage(member.Value.Pack()), ""); err != nil {
			return nil, err
		}
	}
	out := root.Pack()
	if marked {
		out = append(slices.Clone(byteOrderMark), out...)
	}
	return out, nil
}

// form is how a text is laid out.
type form struct{ line, unit string }

func firstMember(v *hujson.Value) *hujson.ObjectMember {
	if object, ok := v.Value.(*hujson.Object); ok && len(object.Members) > 0 {
		return &object.Members[0]
	}
	return nil
}

// indentOf is what stands before a member on its line, if it has one of its own.
func indentOf(before hujson.Extra) (string, bool) {
	at := lastLine(before)
	if at < 0 {
		return "", false
	}
	line := before[at+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))]), true
}

// lastLine is where the last line of what stands between values begins, at the
// newline before it. One within a comment begins no line.
func lastLine(extra hujson.Extra) int {
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

// set sets the value at the end of a path of names.
func (f form) set(v *hujson.Value, path []string, value any, indent string) error {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		return fmt.Errorf("where %q should be is no object; paste the entry by hand", path[0])
	}
	inner := indent + f.unit
	if first := firstMember(v); first != nil {
		if own, ok := indentOf(first.Name.BeforeExtra); ok {
			inner = own
		}
	}
	named := func(m hujson.ObjectMember) bool {
		name, ok := m.Name.Value.(hujson.Literal)
		return ok && name.String() == path[0]
	}
	if at := slices.IndexFunc(object.Members, named); at >= 0 {
		member := &object.Members[at]
		switch {
		case slices.ContainsFunc(object.Members[at+1:], named):
			return fmt.Errorf("it has %q twice, and programs differ on which of them counts; take one out", path[0])
		case len(path) > 1:
			return f.set(&member.Value, path[1:], value, inner)
		}
		return f.put(&member.Value, value, inner)
	}
	for _, name := range slices.Backward(path[1:]) {
		value = map[string]any{name: value}
	}
	return f.add(object, path[0], value, indent, inner)
}

// put replaces a value where it says something else.
func (f form) put(v *hujson.Value, value any, indent string) error {
	written, err := f.write(value, indent)
	if err != nil {
		return err
	}
	was, is := v.Clone(), written.Clone()
	was.BeforeExtra, was.AfterExtra = nil, nil
	was.Minimize()
	is.Minimize()
	if !bytes.Equal(was.Pack(), is.Pack()) {
		v.Value = written.Value
	}
	return nil
}

// add adds a member at the end. What stands behind the last one, such as a
// comment about it, stays behind it.
func (f form) add(object *hujson.Object, name string, value any, indent, inner string) error {
	written, err := f.write(value, inner)
	if err != nil {
		return err
	}
	before := f.line + inner
	behind := object.AfterExtra
	if at := lastLine(behind); at >= 0 {
		before = strings.TrimRight(string(behind[:at+1]), " \t\r\n") + before
		object.AfterExtra = slices.Clone(behind[at:])
		if f.line == "\r\n" {
			object.AfterExtra = append(hujson.Extra("\r"), object.AfterExtra...)
		}
	} else {
		object.AfterExtra = append(slices.Clone(bytes.TrimRight(behind, " \t")), f.line+indent...)
	}
	member := hujson.ObjectMember{Name: hujson.Value{BeforeExtra: hujson.Extra(before), Value: hujson.String(name)}, Value: written}
	member.Value.BeforeExtra = hujson.Extra(" ")
	if last := len(object.Members) - 1; last >= 0 && object.Members[last].Value.AfterExtra != nil {
		member.Value.AfterExtra = hujson.Extra{} // and so is the last comma
	}
	object.Members = append(object.Members, member)
	return nil
}

// write lays a value out as its surroundings are.
func (f form) write(value any, indent string) (hujson.Value, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, compact(value), indent, f.unit); err != nil {
		return hujson.Value{}, err
	}
	return hujson.Parse(bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte(f.line)))
}
