package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// A change of the defaults in the package guard reaches the help, the env template and what
// the program does.
func TestDefaults_OneSource(t *testing.T) {
	t.Parallel()
	defaults := guard.DefaultOptions()
	defaults.Confirm, defaults.Countries, defaults.Rate = guard.ConfirmByQuote, []string{"254", "255"}, 7.5
	defaults.Limits = guard.Limits{
		PerCall: 61, PerDay: 7001, TopUp: 6001, Recipients: 13, ConfirmAbove: 36, DuplicateWindow: 90 * time.Minute,
	}
	dir := t.TempDir()
	runProgram := func(args ...string) runResult { return runWithDefaults(t, defaults, dir, nil, "", args...) }

	help := strings.Join(strings.Fields(runProgram("--help").stdout), " ")
	for _, want := range []string{
		"default 61 ($WESENDALL_MAX_PER_CALL)", "default 7001 ($WESENDALL_MAX_PER_DAY)",
		"default 6001 ($WESENDALL_MAX_TOPUP)", "default 13 ($WESENDALL_MAX_RECIPIENTS)",
		"default quote ($WESENDALL_CONFIRM)", "default 36 ($WESENDALL_CONFIRM_ABOVE)",
		"default 254,255 ($WESENDALL_ALLOWED_COUNTRIES)", "default 1h30m ($WESENDALL_DUPLICATE_WINDOW)",
		"default 7.5 ($WESENDALL_RATE)",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in %s", want, help)
		}
	}

	envFile := filepath.Join(dir, "made.env")
	if got := runProgram("config", "cursor", "--env-file", envFile); got.exitCode != exitOK {
		t.Fatalf("%+v", got)
	}
	text, err := os.ReadFile(envFile)
	for _, want := range []string{
		"#WESENDALL_MAX_PER_CALL=61\n", "#WESENDALL_MAX_PER_DAY=7001\n",
		"#WESENDALL_CONFIRM_ABOVE=36\n", "#WESENDALL_MAX_TOPUP=6001\n",
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("no %q in %s, %v", want, text, err)
		}
	}

	const arguments = `{"recipient":["+256700000010","+256700000011"],"message":"Hi"}` // costs UGX 70
	for flag, want := range map[string]string{
		"--allowed-countries=256": `"code":"limit_exceeded"`,
		"--max-per-call=100":      `"code":"destination_not_allowed"`,
	} {
		if got := runProgram("call", "--sandbox", "send_sms", arguments, flag); !strings.Contains(got.stdout, want) {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// The default of a limit is written in the package guard and nowhere else.
func TestDefaults_WrittenOnce(t *testing.T) {
	t.Parallel()
	limits := guard.DefaultOptions().Limits
	distinctive := []int64{limits.PerCall, limits.PerDay, limits.TopUp} // the others are common numbers
	var found []string
	err := filepath.WalkDir(repoRoot, func(path string, _ fs.DirEntry, err error) error {
		isCode := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
		if err != nil || !isCode || strings.Contains(path, "testdata") || strings.Contains(path, "node_modules") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.INT {
				value, err := strconv.ParseInt(literal.Value, 0, 64)
				if err == nil && slices.Contains(distinctive, value) {
					found = append(found, filepath.Base(path)+": "+literal.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(found) != len(distinctive) {
		t.Errorf("the defaults are in %q, %v", found, err)
	}
}
