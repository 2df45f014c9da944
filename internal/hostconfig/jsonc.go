package hostconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// This file merges one entry into a JSON file with comments (JSONC). No library does what
// is needed: a user's file keeps its comments, indentation and line endings, and the new
// entry looks like those around it. hujson.Patch does not format what it adds, and
// hujson.Format reformats the whole file.

// byteOrderMark starts a file that some Windows editors wrote.
var byteOrderMark = []byte("\xef\xbb\xbf")

// mergeJSONC sets the members of the server's entry, which is in the object at path. It keeps
// every other byte, including members that the host or the user added to the entry.
func mergeJSONC(text []byte, path []string, entry any) ([]byte, error) {
	rest, hasBOM := bytes.CutPrefix(text, byteOrderMark)
	empty := len(bytes.TrimSpace(rest)) == 0
	if empty {
		rest = []byte("{}\n")
	}
	root, err := hujson.Parse(rest)
	if err != nil && !bytes.HasSuffix(rest, []byte("\n")) { // a line comment at the end needs a newline
		root, err = hujson.Parse(append(bytes.Clone(rest), '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("it is not valid JSON (%w); fix it, or paste the entry by hand", err)
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
	parsed, err := hujson.Parse(compactJSON(entry))
	if err != nil {
		return nil, err
	}
	members, _ := parsed.Value.(*hujson.Object)
	for _, member := range members.Members {
		name, _ := member.Name.Value.(hujson.Literal)
		memberPath := append(slices.Clone(path), ServerName, name.String())
		if err := l.setPath(&root, memberPath, json.RawMessage(member.Value.Pack()), ""); err != nil {
			return nil, err
		}
	}
	out := root.Pack()
	if hasBOM {
		out = append(slices.Clone(byteOrderMark), out...)
	}
	return out, nil
}

// layout is how a file is formatted.
type layout struct{ newline, indent string }

func firstMember(v *hujson.Value) *hujson.ObjectMember {
	if object, ok := v.Value.(*hujson.Object); ok && len(object.Members) > 0 {
		return &object.Members[0]
	}
	return nil
}

// memberIndent returns the indentation of a member; ok is false if it does not start its line.
func memberIndent(before hujson.Extra) (string, bool) {
	pos := lastNewline(before)
	if pos < 0 {
		return "", false
	}
	line := before[pos+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))]), true
}

// lastNewline returns the index of the last newline that is not inside a block comment, or -1.
func lastNewline(extra hujson.Extra) int {
	last := -1
	for i := 0; i < len(extra); i++ {
		switch {
		case extra[i] == '\n':
			last = i
		case bytes.HasPrefix(extra[i:], []byte("//")):
			i += max(bytes.IndexByte(extra[i:], '\n'), 1) - 1 // the newline itself counts
		case bytes.HasPrefix(extra[i:], []byte("/*")):
			i += 2 + max(bytes.Index(extra[i+2:], []byte("*/")), 0) + 1
		}
	}
	return last
}

// setPath sets the value at a path of member names and creates the objects on the way.
func (l layout) setPath(v *hujson.Value, path []string, value any, indent string) error {
	object, ok := v.Value.(*hujson.Object)
	if !ok {
		return fmt.Errorf("the place for %q is not an object; paste the entry by hand", path[0])
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
			return fmt.Errorf("it has %q twice, and programs differ on which one counts; remove one", path[0])
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

// replaceValue replaces a value if the new one differs in more than formatting.
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

// appendMember adds a member at the end. A comment after the last member stays with that
// member.
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
	member := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: hujson.Extra(before), Value: hujson.String(name)},
		Value: newValue,
	}
	member.Value.BeforeExtra = hujson.Extra(" ")
	if last := len(object.Members) - 1; last >= 0 && object.Members[last].Value.AfterExtra != nil {
		member.Value.AfterExtra = hujson.Extra{} // keeps the trailing comma
	}
	object.Members = append(object.Members, member)
	return nil
}

// format formats a value like the text around it.
func (l layout) format(value any, indent string) (hujson.Value, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, compactJSON(value), indent, l.indent); err != nil {
		return hujson.Value{}, err
	}
	return hujson.Parse(bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte(l.newline)))
}
