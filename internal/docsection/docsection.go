// Package docsection keeps the generated sections of documents up to date. Only tests use it.
package docsection

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Check compares a section of a document with text, or writes text there if update is true. A
// section stands between the comments <!-- name: how to update it --> and <!-- /name -->.
func Check(t testing.TB, path, name, text string, update bool) {
	t.Helper()
	document, err := os.ReadFile(path) //nolint:gosec // a document of this repository
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?s)(<!-- ` + name + `:[^>]*-->\n).*?(<!-- /` + name + ` -->)`)
	parts := pattern.FindStringSubmatch(string(document))
	if parts == nil {
		t.Errorf("%s has no section %s", path, name)
		return
	}
	want := strings.Replace(string(document), parts[0], parts[1]+text+parts[2], 1)
	switch {
	case want == string(document):
	case !update:
		t.Errorf("the section %s of %s is out of date: its first comment says how to update it", name, path)
	default:
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil { //nolint:gosec // as above
			t.Fatal(err)
		}
	}
}
