package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/doctor"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// doctorCommand is the command, which goes on in spite of wrong settings.
const doctorCommand = "doctor"

type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run looks for what is wrong, and says how to mend it. It never spends.
func (c doctorCmd) Run(ctx context.Context, env environment, cfg *config, parsed *kong.Context) error {
	if envFile := cfg.generatedEnvFile(env); envFile != "" {
		logf(env, "No credentials are set here: looking at the file that config made, as with --env-file %s", envFile)
		env.args = append([]string{"--env-file=" + envFile}, env.args...)
		return exitCodeError(run(ctx, env))
	}
	opts, release, err := cfg.doctorOptions(ctx, env, parsed)
	if err != nil {
		return err
	}
	defer release()
	findings := doctor.Run(ctx, opts)
	if err := c.printFindings(env, findings); err != nil {
		return err
	}
	if doctor.HasErrors(findings) {
		return exitCodeError(exitError)
	}
	return nil
}

// generatedEnvFile is the file that config makes, where it is there and nothing else says
// what the credentials are.
func (cfg *config) generatedEnvFile(env environment) string {
	envFile := defaultEnvFilePath(env)
	if info, err := os.Stat(envFile); err != nil || !info.Mode().IsRegular() || cfg.EnvFile != "" || cfg.Sandbox || len(cfg.invalid) > 0 {
		return ""
	}
	if creds, err := cfg.loadCredentials(env); err != nil || creds.origin != "" {
		return ""
	}
	return envFile
}

// doctorOptions is what the doctor looks at. What cannot be used is a problem to be
// told, and no error.
func (cfg *config) doctorOptions(ctx context.Context, env environment, parsed *kong.Context) (opts doctor.Options, release func(), err error) {
	opts = doctor.Options{Version: version(), ReadOnly: cfg.ReadOnly, Now: time.Now}
	release = func() {}
	if opts.Settings, opts.SecretFiles, err = cfg.effectiveSettings(env, parsed); err != nil {
		return opts, release, err
	}
	b, err := cfg.newBackend(ctx, env)
	if err == nil {
		release = func() { _ = b.closeFn() }
		opts.API, opts.CredentialProblem, opts.Wallet = b.API, b.NotConfiguredReason, b.Wallet
		if opts.Ledger, err = cfg.ledgerSource(b.baseURL); err == nil {
			_, err = cfg.guardOptions(b.baseURL, nil)
		}
		if err == nil {
			err = cfg.validateToolNames()
		}
	}
	if err != nil {
		cfg.invalid = append(cfg.invalid, err.Error())
	}
	opts.ConfigErrors = cfg.invalid
	if opts.Self.Path, err = os.Executable(); err != nil {
		return opts, release, err
	}
	for _, flag := range flagsFromCommandLine(parsed) {
		opts.Self.Args = append(opts.Self.Args, formatFlag(parsed, flag))
	}
	opts.Self.Env = os.Environ()
	opts.Hosts = hostconfig.Detect(hostconfig.CurrentDirs(xdg.Home, configDir(env)), opts.Self.Path)
	opts.CheckHostEntry = func(entry hostconfig.ServerEntry) string { return checkHostEntry(ctx, entry) }
	return opts, release, nil
}

// checkHostEntry says what is wrong with what a host passes: its arguments, and the
// credentials in the variables of its entry or in the file that it names. One that
// passes none may have them in its environment, which nobody else sees.
func checkHostEntry(ctx context.Context, entry hostconfig.ServerEntry) (problem string) {
	var c cli
	lookupEnv := func(name string) (string, bool) { value, ok := entry.Env[name]; return value, ok }
	env := environment{args: entry.Args, stdout: os.Stderr, stderr: io.Discard, lookupEnv: lookupEnv}
	defer func() {
		if recovered := recover(); recovered != nil { // as after --help
			problem = "its arguments start no server"
		}
	}()
	parsed, err := c.parse(ctx, env)
	if err == nil {
		err = c.validate(env, parsed)
	}
	switch {
	case err != nil:
		return err.Error()
	case parsed.Command() != "serve":
		return "its arguments start no server"
	case c.EnvFile != "" && !filepath.IsAbs(c.EnvFile):
		return "the path " + c.EnvFile + " depends on where the host runs"
	case c.Sandbox:
		return ""
	}
	lookup, err := lookupWithEnvFile(lookupEnv, c.EnvFile)
	if err != nil {
		return err.Error()
	}
	isSet := func(name string) bool { _, ok := lookup(name); return ok }
	if c.EnvFile == "" && !slices.ContainsFunc([]string{envAPIKey, envAPISecret, envAPISecretFile, envWalletID}, isSet) {
		return ""
	}
	return strings.TrimSuffix(readCredentials(lookup, "").problem, ".")
}

func (c doctorCmd) printFindings(env environment, findings []doctor.Finding) error {
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(map[string]any{"findings": findings})
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-8s %-12s %s", f.Status, f.Check, sanitize.Text(f.Message))
		if f.Fix != "" {
			line += "\n" + strings.Repeat(" ", 22) + "→ " + f.Fix
		}
		if _, err := fmt.Fprintln(env.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// effectiveSettings are the settings with the places that they come from, and the files
// that nobody else should read.
func (cfg *config) effectiveSettings(env environment, parsed *kong.Context) (settings []doctor.EffectiveSetting, sensitiveFiles []string, err error) {
	explicitFlags := flagsFromCommandLine(parsed)
	lookup, err := lookupWithEnvFile(env.lookupEnv, cfg.EnvFile)
	if err != nil {
		return nil, nil, err
	}
	sourceOf := func(name string) string {
		if value, ok := env.lookupEnv(name); ok && value != "" {
			return "environment"
		}
		if _, ok := lookup(name); ok {
			return cfg.EnvFile
		}
		return ""
	}
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 {
			continue
		}
		source := "default"
		if slices.Contains(explicitFlags, flag) {
			source = "--" + flag.Name
		} else if set := sourceOf(flag.Envs[0]); set != "" {
			source = set
		}
		value := guard.RedactSource(strings.Trim(fmt.Sprint(parsed.FlagValue(flag)), "[]"))
		if flag.Name == "ledger" && looksLikeDatabaseURL(value) {
			value = "[not shown]" // a password may be in it
		}
		if value == "" {
			value = "not set"
		}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			value = u.Redacted()
		}
		settings = append(settings, doctor.EffectiveSetting{Name: flag.Envs[0], Value: value, Source: source})
	}
	if cfg.EnvFile != "" {
		sensitiveFiles = append(sensitiveFiles, cfg.EnvFile)
	}
	if cfg.Sandbox {
		return append(settings, doctor.EffectiveSetting{Name: "credentials", Value: "the sandbox's own", Source: "--sandbox"}), sensitiveFiles, nil
	}
	creds, err := cfg.loadCredentials(env)
	if err != nil {
		return nil, nil, err
	}
	for _, variable := range []struct{ name, value string }{{envAPIKey, maskKey(creds.key)}, {envAPISecret, "[redacted]"}, {envAPISecretFile, ""}, {envWalletID, creds.wallet}} {
		source := sourceOf(variable.name)
		if source == "" && creds.origin == dotEnvSource && variable.name != envAPISecretFile {
			source = dotEnvSource
		}
		if source == "" {
			continue
		}
		set, _ := lookup(variable.name)
		switch {
		case sanitize.Placeholder(set) != "":
			variable.value = "a placeholder"
		case variable.name == envAPISecretFile:
			variable.value = set
			sensitiveFiles = append(sensitiveFiles, set)
		}
		settings = append(settings, doctor.EffectiveSetting{Name: variable.name, Value: variable.value, Source: source})
	}
	if creds.origin == dotEnvSource {
		sensitiveFiles = append(sensitiveFiles, filepath.Join(env.workDir, ".env"))
	}
	return settings, sensitiveFiles, nil
}

// maskKey leaves so much of a key that one knows which it is.
func maskKey(key string) string { return key[:min(8, len(key)/2)] + "…" }
