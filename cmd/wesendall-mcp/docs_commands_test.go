package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

const goRun = "go run ./cmd/wesendall-mcp"

// Commands that the documents show: a line of a code block, or code within a sentence.
var (
	blockCommandPattern  = regexp.MustCompile(`(?m)^ *(?:` + goRun + `|wesendall-mcp) (.+)$`)
	inlineCommandPattern = regexp.MustCompile("`wesendall-mcp ([^`]+)`")
	shellBlockPattern    = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// documentCommands returns the arguments of each command in a document.
func documentCommands(text string) [][]string {
	var commands [][]string
	for _, pattern := range []*regexp.Regexp{blockCommandPattern, inlineCommandPattern} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			commands = append(commands, splitShellWords(match[1]))
		}
	}
	return commands
}

// splitShellWords splits a command at spaces, outside single quotes.
func splitShellWords(command string) []string {
	var words []string
	for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1) {
		words = append(words, strings.Trim(word, "'"))
	}
	return words
}

// The command line accepts each command that a document shows.
func TestDocs_MarkdownCommands(t *testing.T) {
	t.Parallel()
	// What a document writes for a value that the reader fills in.
	placeholders := map[string]string{"HOST": "cursor", "UGX": "1", "ID": "1", "sent|failed": "sent", "JSON": "{}"}
	count := 0
	for path, text := range documents(t) {
		for _, args := range documentCommands(text) {
			count++
			for i, arg := range args {
				if value, ok := placeholders[arg]; ok {
					args[i] = value
				}
			}
			if err := parseArgs(t, args); err != nil {
				t.Errorf("%s shows wesendall-mcp %s: %v", path, strings.Join(args, " "), err)
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d commands were found", count)
	}
}

// parseArgs parses a command line and runs nothing.
func parseArgs(t *testing.T, args []string) error {
	t.Helper()
	var c cli
	noVariables := func(string) (string, bool) { return "", false }
	_, err := c.parse(t.Context(), environment{
		args: args, stderr: t.Output(), lookupEnv: noVariables, workDir: t.TempDir(), defaults: guard.DefaultOptions(),
	})
	return err
}

// The commands in the shell blocks of docs work. CI runs those of the README.
func TestDocs_ShellBlocks(t *testing.T) {
	t.Parallel()
	count := 0
	for path, text := range documents(t) {
		if !strings.HasPrefix(path, "docs/") {
			continue
		}
		for _, block := range shellBlockPattern.FindAllStringSubmatch(text, -1) {
			for command := range strings.Lines(block[1]) {
				count++
				args, ok := strings.CutPrefix(strings.TrimSpace(command), goRun+" ")
				if !ok {
					t.Errorf("%s: %q does not run this program", path, command)
					continue
				}
				got := runInProcess(t, t.TempDir(), nil, "", splitShellWords(args)...)
				if got.exitCode != exitOK || got.stdout == "" {
					t.Errorf("%s: %s: %+v", path, command, got)
				}
			}
		}
	}
	if count == 0 {
		t.Error("no shell block was found")
	}
}
