package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// hostEntry returns how a host starts this program.
func (c configCmd) hostEntry(env environment, cfg *Config, parsed *kong.Context) (hostconfig.Entry, error) {
	executable, err := os.Executable()
	if err == nil {
		err = cfg.validateForHost(c.WithSecrets)
	}
	if err != nil {
		return hostconfig.Entry{}, err
	}
	if strings.Contains(filepath.ToSlash(executable), "/go-build") {
		logf(env, "This is a temporary build of go run, which will be deleted. "+
			"Install the program first (go install ./cmd/wesendall-mcp) and run that.")
	}
	entry := hostconfig.Entry{
		Command: pathInPATH(executable), Args: []string{},
		Overrides: append([]string{"--sandbox", "--env-file"}, credentialVariables()...),
	}
	switch {
	case cfg.Sandbox:
		entry.Args = append(entry.Args, "--sandbox")
	case c.WithSecrets:
		creds, err := cfg.loadCredentials(env)
		if err != nil {
			return entry, err
		}
		if creds.problem != "" || creds.wallet == "" {
			problem := strings.TrimSuffix(cmp.Or(creds.problem, "set "+envWalletID), ".")
			return entry, usageErrorf("config: --with-secrets needs the credentials: %s", problem)
		}
		logf(env, "The secret will be in a file of the host. Everything that can read the file can read the secret.")
		entry.Env = map[string]string{
			envAPIKey: creds.key, envAPISecret: creds.secret.Reveal(), envWalletID: creds.wallet,
		}
	default:
		envFile, err := cfg.ensureEnvFile(env)
		if err != nil {
			return entry, err
		}
		entry.Args = append(entry.Args, "--env-file", envFile)
	}
	entry.Args = append(entry.Args, cfg.flagsForHost(env, parsed)...)
	return entry, nil
}

// validateForHost checks the settings before a host's file gets them: the host would only
// say that the server does not start.
func (cfg *Config) validateForHost(withSecrets bool) error {
	api, err := cfg.newClient(cfg.BaseURL, "", client.Secret{})
	if err != nil {
		return usageError{err}
	}
	if _, err := cfg.guardOptions(api.BaseURL(), nil); err != nil {
		return err
	}
	if err := cfg.validateToolNames(); err != nil {
		return err
	}
	if cfg.DoNotText, err = absolutePath(cfg.DoNotText); err != nil {
		return err
	}
	switch {
	case strings.Contains(cfg.Ledger, "://"):
		if !withSecrets {
			return usageErrorf("config: the URL of the ledger may contain a password: " +
				"set WESENDALL_LEDGER in the file of --env-file, or add --with-secrets")
		}
	case cfg.Ledger != "" && cfg.Ledger != "memory":
		cfg.Ledger, err = ledgerPath(cfg.Ledger, xdg.Home)
	}
	return err
}

// flagsForHost returns the settings that were typed or are in the environment: the host needs
// them, the operator's limits above all. Settings in the file of --env-file stay there, and
// those of a server over HTTP are not for a host.
func (cfg *Config) flagsForHost(env environment, parsed *kong.Context) []string {
	var args []string
	typed := flagsFromCommandLine(parsed)
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 || flag.Group != nil && flag.Group.Key == httpGroup {
			continue
		}
		value, ok := env.lookupEnv(flag.Envs[0])
		if (!ok || value == "") && !slices.Contains(typed, flag) {
			continue
		}
		switch flag.Name { // with absolute paths: a host starts the program in any directory
		case "ledger":
			args = append(args, "--ledger="+cfg.Ledger)
		case "do-not-text":
			args = append(args, "--do-not-text="+cfg.DoNotText)
		default:
			args = append(args, formatFlag(parsed, flag))
		}
	}
	return args
}
