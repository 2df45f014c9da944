package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repoRoot = "../.."

// repoFiles lists the repository's files with these extensions, outside testdata and node_modules.
func repoFiles(t *testing.T, extensions ...string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(repoRoot, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata"}, entry.Name()) {
			return filepath.SkipDir
		}
		if err == nil && slices.Contains(extensions, filepath.Ext(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// documents returns the text of each Markdown document for people, by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, path := range repoFiles(t, ".md") {
		rel := strings.TrimPrefix(filepath.ToSlash(path), repoRoot+"/")
		if strings.HasPrefix(rel, "llm-reference/") || strings.HasPrefix(rel, "prompts/") {
			continue // templates, which the program renders
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[rel] = string(text)
	}
	if len(texts) < 10 {
		t.Fatalf("only %d documents were found", len(texts))
	}
	return texts
}

// The user must know what the check for duplicates cannot see.
func TestDocs_GroupsCannotBeCompared(t *testing.T) {
	t.Parallel()
	if want := "A group and the numbers in it cannot be compared"; !strings.Contains(documents(t)["docs/safety.md"], want) {
		t.Errorf("docs/safety.md does not say %q", want)
	}
}

func TestDocs_READMELength(t *testing.T) {
	t.Parallel()
	readme := documents(t)["README.md"]
	lines := strings.Split(strings.TrimSuffix(readme, "\n"), "\n")
	if words := len(strings.Fields(readme)); words > 1000 || len(lines) > 130 {
		t.Errorf("the README has %d words and %d lines; the most are 1000 and 130", words, len(lines))
	}
	for i, line := range lines {
		if length := len([]rune(line)); length > 200 {
			t.Errorf("line %d of the README has %d characters; the most are 200", i+1, length)
		}
	}
}

// The tests that a document names exist.
func TestDocs_TestNames(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	for _, path := range repoFiles(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	count := 0
	pattern := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	for path, text := range documents(t) {
		for _, name := range pattern.FindAllStringSubmatch(text, -1) {
			count++
			if !strings.Contains(tests.String(), "func "+name[1]+"(") {
				t.Errorf("%s names %s, which is no test", path, name[1])
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d tests are named", count)
	}
}

// Links between documents lead to a file, and to a heading in it.
func TestDocs_Links(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	pattern := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]+))?\)`)
	for path, text := range docs {
		for _, link := range pattern.FindAllStringSubmatch(text, -1) {
			target := path
			if link[1] != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(path), link[1]))
			}
			if _, err := os.Stat(filepath.Join(repoRoot, target)); err != nil {
				t.Errorf("%s links to %s: %v", path, link[1], err)
			}
			if link[2] != "" && !slices.Contains(anchors(docs[target]), link[2]) {
				t.Errorf("%s links to #%s, which %s does not have", path, link[2], target)
			}
		}
	}
}

// anchors returns the names that GitHub gives to the headings of a document.
func anchors(text string) []string {
	var names []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
