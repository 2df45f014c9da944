package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// defaultEnvFilePath returns the file that config creates for the credentials.
func defaultEnvFilePath(env environment) string {
	return filepath.Join(configDir(env), "wesendall-mcp", "wesendall.env")
}

// ensureEnvFile returns the path of the file that a host's entry names. If there is none, it
// is created for its owner only, with what the environment has.
func (cfg *Config) ensureEnvFile(env environment) (string, error) {
	path := cfg.EnvFile
	if path == "" {
		path = defaultEnvFilePath(env)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, createEnvFile(env, path)
	case err != nil:
		return "", err
	}
	if err := fillPlaceholders(env, path, info.Mode().Perm()); err != nil {
		return "", err
	}
	values, parseErr := readEnvFile(path)
	if parseErr == nil && readCredentials(mapLookup(values), path).problem != "" {
		logf(env, "Fill in the missing values in %s.", path)
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		logf(env, "Other users can read %s. Run chmod 600 on it.", path)
	}
	return path, nil
}

// fillPlaceholders replaces the untouched placeholders of a created file by the credentials of
// the environment.
func fillPlaceholders(env environment, path string, mode fs.FileMode) error {
	old, err := os.ReadFile(path) //nolint:gosec // the operator chooses it
	if err != nil {
		return err
	}
	text := string(old)
	for _, name := range []string{envAPIKey, envAPISecret, envWalletID} {
		placeholder := name + "=YOUR_" + strings.TrimPrefix(name, "WESENDALL_")
		text = strings.Replace(text, "\n"+placeholder+"\n", "\n"+envLine(env, name)+"\n", 1)
	}
	if text == string(old) {
		return nil
	}
	logf(env, "The credentials that were missing in %s are filled in.", path)
	return os.WriteFile(path, []byte(text), mode) //nolint:gosec // the operator's own path
}

// createEnvFile writes the file with the credentials of the environment, and placeholders
// for the rest.
func createEnvFile(env environment, path string) error {
	const missing = "=YOUR_" // the start of each placeholder
	key, secret, wallet := envLine(env, envAPIKey), envLine(env, envAPISecret), envLine(env, envWalletID)
	copied := !strings.Contains(key, missing) || !strings.Contains(secret, missing) || !strings.Contains(wallet, missing)
	secretFile, ok := env.lookupEnv(envAPISecretFile)
	if ok && secretFile != "" && !strings.ContainsAny(secretFile, "'\n") && strings.Contains(secret, missing) {
		secretFile, err := filepath.Abs(secretFile)
		if err != nil {
			return err
		}
		secret = envAPISecretFile + "='" + secretFile + "'"
	}
	text := envFileText(key, secret, wallet, env)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	if copied {
		logf(env, "The credentials of the environment are now in %s. Only you can read it.", path)
	}
	if strings.Contains(text, missing) {
		logf(env, "Fill in the missing values in %s.", path)
	}
	return nil
}

// envLine returns the assignment of a credential, with a placeholder if the value is not set
// or cannot be quoted.
func envLine(env environment, name string) string {
	value, ok := env.lookupEnv(name)
	assignment := name + "='" + value + "'"
	parsed, err := parseEnvFile(assignment)
	if !ok || value == "" || err != nil || parsed[name] != value {
		return name + "=YOUR_" + strings.TrimPrefix(name, "WESENDALL_")
	}
	return assignment
}

func envFileText(key, secret, wallet string, env environment) string {
	limits := env.defaults.Limits
	return fmt.Sprintf(`# Credentials and limits for wesendall-mcp. Keep this file private.
# The three values are on the page "API" of the Wesendall dashboard.
%s
%s
%s

# Limits in UGX, with their defaults. Remove a # to change one.
#WESENDALL_MAX_PER_CALL=%d
#WESENDALL_MAX_PER_DAY=%d
#WESENDALL_CONFIRM_ABOVE=%d
#WESENDALL_MAX_TOPUP=%d
`, key, secret, wallet, limits.PerCall, limits.PerDay, limits.ConfirmAbove, limits.TopUp)
}
