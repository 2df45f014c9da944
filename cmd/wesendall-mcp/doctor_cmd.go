package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/auth"
	"github.com/wesendall/wesendall-mcp/internal/doctor"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// doctorCommand is the only command that continues with invalid settings.
const doctorCommand = "doctor"

type doctorCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run reports what is wrong and how to fix it. It never spends.
func (c doctorCmd) Run(ctx context.Context, env environment, cfg *Config, parsed *kong.Context) error {
	if envFile := cfg.generatedEnvFile(env); envFile != "" {
		logf(env, "No credentials are set here. Using the file that config created, as with --env-file %s", envFile)
		env.args = append([]string{"--env-file=" + envFile}, env.args...)
		return exitCodeError(run(ctx, env))
	}
	opts, release, err := cfg.doctorOptions(ctx, env, parsed)
	if err != nil {
		return err
	}
	defer release()
	findings := doctor.Run(ctx, opts)
	for i, f := range findings {
		findings[i].Message, findings[i].Fix = cfg.variables.redact(f.Message), cfg.variables.redact(f.Fix)
	}
	if err := c.printFindings(env, findings); err != nil {
		return err
	}
	if doctor.HasErrors(findings) {
		return exitCodeError(exitError)
	}
	return nil
}

// generatedEnvFile returns the file that config creates, if it exists and no credentials are
// set elsewhere.
func (cfg *Config) generatedEnvFile(env environment) string {
	if cfg.EnvFile != "" || cfg.Sandbox || len(cfg.invalid) > 0 {
		return ""
	}
	envFile := defaultEnvFilePath(env)
	if info, err := os.Stat(envFile); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if creds, err := cfg.loadCredentials(env); err != nil || creds.origin != "" {
		return ""
	}
	return envFile
}

// doctorOptions collects what doctor checks. Settings that cannot be used are not an error but
// a finding.
func (cfg *Config) doctorOptions(
	ctx context.Context, env environment, parsed *kong.Context,
) (opts doctor.Options, release func(), err error) {
	opts = doctor.Options{Version: version(), ReadOnly: cfg.ReadOnly, Now: time.Now}
	release = func() {}
	if opts.Settings, opts.SecretFiles, err = cfg.effectiveSettings(env, parsed); err != nil {
		return opts, release, err
	}
	b, err := cfg.newBackend(ctx, env)
	if err == nil {
		release = func() { _ = b.closeFn() }
		opts.API, opts.CredentialProblem, opts.Wallet = b.API, b.NotConfiguredReason, b.Wallet
		opts.WalletNotice = b.walletNotice
		opts.ProxyProblems = proxyProblems(env.lookupEnv, b.baseURL)
		if opts.Ledger, err = cfg.ledgerSource(b.baseURL); err == nil {
			var options *guard.Options
			if options, err = cfg.guardOptions(b.baseURL, nil); err == nil {
				opts.DoNotText = options.DoNotText
			}
		}
		if err == nil {
			err = cfg.validateToolNames()
		}
	}
	if err != nil {
		cfg.invalid = append(cfg.invalid, err.Error())
	}
	if cfg.TokenFile != "" {
		opts.TokensWithoutID = cfg.countTokensWithoutID()
	}
	opts.ConfigErrors = cfg.invalid
	if opts.Self.Path, err = os.Executable(); err != nil {
		return opts, release, err
	}
	for _, flag := range flagsFromCommandLine(parsed) {
		opts.Self.Args = append(opts.Self.Args, formatFlag(parsed, flag))
	}
	opts.Self.Env = os.Environ()
	opts.UnknownNames = env.unknownEnvironmentNames()
	if notice := cfg.ignoredDotEnvLines(env); notice != "" {
		opts.IgnoredLines = notice + ". To use the whole file, start with --env-file"
	}
	opts.Hosts = hostconfig.Detect(hostconfig.CurrentDirs(xdg.Home, configDir(env)), opts.Self.Path)
	opts.DescribeHostEntry = func(entry hostconfig.ServerEntry) (string, string) {
		return cfg.describeHostEntry(ctx, env, entry)
	}
	opts.CheckHostEntry = func(entry hostconfig.ServerEntry) string { return checkHostEntry(ctx, entry, env.defaults) }
	return opts, release, nil
}

// countTokensWithoutID reads the token file. One that cannot be read is an invalid setting.
func (cfg *Config) countTokensWithoutID() int {
	tokens, err := auth.OpenTokenFile(cfg.TokenFile, nil, "", cfg.limits(), nil)
	if err != nil {
		cfg.invalid = append(cfg.invalid, "--http-token-file: "+err.Error())
		return 0
	}
	return tokens.CountWithoutID()
}

// checkHostEntry says what is wrong with a host's entry: its arguments, and its credentials.
// An entry without credentials may get them from the host's environment, which only the
// host knows.
func checkHostEntry(ctx context.Context, entry hostconfig.ServerEntry, defaults guard.Options) (problem string) {
	const startsNoServer = "its arguments do not start a server"
	var c cli
	env := environment{
		args: entry.Args, stdout: os.Stderr, stderr: io.Discard,
		lookupEnv: mapLookup(entry.Env), defaults: defaults,
	}
	defer func() {
		if recovered := recover(); recovered != nil { // as after --help
			problem = startsNoServer
		}
	}()
	parsed, err := c.parse(ctx, env)
	if err == nil {
		err = c.validate(parsed)
	}
	switch {
	case err != nil:
		return c.variables.redact(err.Error())
	case parsed.Command() != "serve":
		return startsNoServer
	case c.EnvFile != "" && !filepath.IsAbs(c.EnvFile):
		return "the path " + c.EnvFile + " depends on the directory in which the host runs"
	case c.Sandbox:
		return ""
	}
	if _, err := c.ledgerSource(client.DefaultBaseURL); err != nil {
		return err.Error()
	}
	isSet := func(name string) bool { return c.variables.source(name) != "" }
	if c.EnvFile == "" && !slices.ContainsFunc(credentialVariables(), isSet) {
		return ""
	}
	return strings.TrimSuffix(readCredentials(c.variables.lookup, "").problem, ".")
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
