package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

const (
	maxIgnoredLines   = 20
	maxShownNameRunes = 60
)

// ignoredDotEnvLines says which lines of the .env in the working directory do not count; "" if
// there are none. The file may belong to a stranger's project, so no value is read.
func (cfg *Config) ignoredDotEnvLines(env environment) string {
	path := filepath.Join(env.workDir, ".env")
	if cfg.EnvFile != "" && isSameFile(path, cfg.EnvFile) {
		return ""
	}
	text, err := os.ReadFile(path) //nolint:gosec // the name is fixed
	if err != nil {
		return ""
	}
	known, used := knownVariables(), cfg.usesDotEnv(env)
	names := linesOfNames(strings.TrimPrefix(string(text), "\ufeff"))
	var lines []int
	shown := map[int]string{}
	for name, line := range names {
		isKnown := slices.Contains(known, name)
		isCredential := name == envAPIKey || name == envAPISecret || name == envWalletID
		if !isKnown && closestVariable(name) == "" || isCredential && (used || cfg.Sandbox) {
			continue
		}
		lines = append(lines, line)
		shown[line] = fmt.Sprintf("%s (line %d)", sanitize.Truncate(name, maxShownNameRunes), line)
	}
	if lines == nil {
		return ""
	}
	slices.Sort(lines)
	var list []string
	for _, line := range lines[:min(len(lines), maxIgnoredLines)] {
		list = append(list, shown[line])
	}
	if rest := len(lines) - len(list); rest > 0 {
		list = append(list, fmt.Sprintf("%d more", rest))
	}
	return "the .env in the working directory does not set " + strings.Join(list, ", ") +
		": only a key, a secret and a wallet are read from it, all three together, and only if none is set elsewhere"
}

// usesDotEnv tells whether the credentials come from the .env in the working directory.
func (cfg *Config) usesDotEnv(env environment) bool {
	creds, err := cfg.loadCredentials(env)
	return err == nil && creds.dotEnv != ""
}

func isSameFile(a, b string) bool {
	aInfo, err := os.Stat(a)
	if err != nil {
		return false
	}
	bInfo, err := os.Stat(b)
	return err == nil && os.SameFile(aInfo, bInfo)
}

// ignoredSettings returns what the user may believe to be set and is not.
func (cfg *Config) ignoredSettings(env environment) []string {
	notices := env.unknownEnvironmentNames()
	if dotEnv := cfg.ignoredDotEnvLines(env); dotEnv != "" {
		notices = append(notices, dotEnv)
	}
	return notices
}
