package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The files and folders that a document names exist.
func TestDocs_Paths(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile("`((?:cmd|client|tools|prompts|llm-reference|internal|test|docs|packaging)/[A-Za-z0-9_./-]+)`")
	count := 0
	for path, text := range documents(t) {
		for _, named := range pattern.FindAllStringSubmatch(text, -1) {
			count++
			if _, err := os.Stat(filepath.Join(repoRoot, named[1])); err != nil {
				t.Errorf("%s names %s: %v", path, named[1], err)
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d paths were found", count)
	}
}

// CONTRIBUTING.md says what each package does.
func TestDocs_Packages(t *testing.T) {
	t.Parallel()
	contributing := documents(t)["CONTRIBUTING.md"]
	for _, path := range repoFiles(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), repoRoot+"/")
		if !strings.Contains(contributing, "`"+pkg+"`") {
			t.Errorf("CONTRIBUTING.md does not name the package %s", pkg)
		}
	}
}
