package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/doctor"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// effectiveSettings returns the settings with their sources, without secrets, and the files
// that contain secrets.
func (cfg *Config) effectiveSettings(
	env environment, parsed *kong.Context,
) (settings []doctor.EffectiveSetting, secretFiles []string, err error) {
	typed := flagsFromCommandLine(parsed)
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 {
			continue
		}
		source := "default"
		if slices.Contains(typed, flag) {
			source = "--" + flag.Name
		} else if set := cfg.variables.source(flag.Envs[0]); set != "" {
			source = set
		}
		settings = append(settings, doctor.EffectiveSetting{
			Name: flag.Envs[0], Value: cfg.shownValue(parsed, flag), Source: source,
		})
	}
	if cfg.EnvFile != "" {
		secretFiles = append(secretFiles, cfg.EnvFile)
	}
	if cfg.Sandbox {
		sandboxCredentials := doctor.EffectiveSetting{Name: "credentials", Value: "the sandbox's own", Source: "--sandbox"}
		return append(settings, sandboxCredentials), secretFiles, nil
	}
	creds, err := cfg.loadCredentials(env)
	if err != nil {
		return nil, nil, err
	}
	if creds.origin == dotEnvSource {
		secretFiles = append(secretFiles, filepath.Join(env.workDir, ".env"))
	} else if path, ok := cfg.variables.lookup(envAPISecretFile); ok && sanitize.Placeholder(path) == "" {
		secretFiles = append(secretFiles, path)
	}
	return append(settings, cfg.credentialSettings(creds)...), secretFiles, nil
}

// shownValue returns the value of a flag without a password.
func (cfg *Config) shownValue(parsed *kong.Context, flag *kong.Flag) string {
	value := ledger.RedactSource(strings.Trim(fmt.Sprint(parsed.FlagValue(flag)), "[]"))
	if cfg.variables.holdsSecret(value) {
		return "[redacted]"
	}
	if flag.Name == "ledger" && looksLikeDatabaseURL(value) {
		return "[not shown]" // it may contain a password
	}
	if value == "" {
		return "not set"
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return u.Redacted()
	}
	return value
}

// credentialSettings returns the credentials that are set, without the secret.
func (cfg *Config) credentialSettings(creds credentials) []doctor.EffectiveSetting {
	secretFile, _ := cfg.variables.lookup(envAPISecretFile)
	all := []doctor.EffectiveSetting{
		{Name: envAPIKey, Value: maskKey(creds.key)},
		{Name: envAPISecret, Value: "[redacted]"},
		{Name: envAPISecretFile, Value: secretFile},
		{Name: envWalletID, Value: creds.wallet},
	}
	var settings []doctor.EffectiveSetting
	for _, s := range all {
		s.Source = cfg.variables.source(s.Name)
		if s.Source == "" && creds.origin == dotEnvSource && s.Name != envAPISecretFile {
			s.Source = dotEnvSource
		}
		if value, _ := cfg.variables.lookup(s.Name); sanitize.Placeholder(value) != "" {
			s.Value = "a placeholder"
		}
		if s.Source != "" {
			settings = append(settings, s)
		}
	}
	return settings
}

// maskKey keeps enough of a key to recognise it.
func maskKey(key string) string { return key[:min(8, len(key)/2)] + "…" }
