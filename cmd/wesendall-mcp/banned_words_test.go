package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Comments, documents, help, errors and tool texts use plain words. testdata/banned_words.txt
// lists the words that have a plainer one.
func TestDocs_BannedWords(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(filepath.Join("testdata", "banned_words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSpace(string(list)), "\n")
	banned := regexp.MustCompile(`(?i)\b(?:` + strings.Join(words, "|") + `)\b`)
	texts := 0
	for _, path := range repoFiles(t, ".go", ".md", ".tmpl") {
		for position, text := range textsOf(t, path) {
			texts++
			text = strings.Join(strings.Fields(text), " ") // a phrase may wrap
			if found := banned.FindString(text); found != "" {
				t.Errorf("%s: %q is banned: %.150s", position, found, text)
			}
		}
	}
	if texts < 1000 {
		t.Errorf("only %d texts were found", texts)
	}
}

// textsOf returns the paragraphs of a document, or the comments and strings of a Go file, by
// their position.
func textsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	if filepath.Ext(path) != ".go" {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, paragraph := range strings.Split(string(content), "\n\n") {
			texts[fmt.Sprintf("%s, paragraph %d", path, i+1)] = paragraph
		}
		return texts
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		texts[files.Position(group.Pos()).String()] = group.Text()
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				texts[files.Position(literal.Pos()).String()] = text
			}
		}
		return true
	})
	return texts
}
