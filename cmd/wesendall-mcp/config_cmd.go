package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

type configCmd struct {
	Host        string `arg:"" help:"Which host: ${hosts}." enum:"${hosts}"`
	Write       bool   `help:"Put it into the host's own file (Claude Desktop and Cursor); what was there is kept beside it."`
	WithSecrets bool   `help:"Put the credentials into the host's file or command, instead of the name of a file with them."`
}

// Run prints what tells a host about this program, or writes it where the host
// looks. What is printed on stdout can be pasted; everything else is on stderr.
func (c configCmd) Run(env environment, cfg *config, parsed *kong.Context) error {
	host, _ := hostconfig.FindHost(c.Host)
	if c.Write && !host.CanWrite {
		alternative := "run the command that this prints without it"
		if host.AddCommand == nil {
			alternative = "paste what this prints without it"
		}
		return usageErrorf("config: --write is for Claude Desktop and Cursor; for %s %s", host.Title, alternative)
	}
	entry, err := c.hostEntry(env, cfg, parsed)
	if err != nil {
		return err
	}
	if err := c.printOrWrite(env, host, entry); err != nil {
		return err
	}
	if checkArgs := entry.Args; !c.WithSecrets {
		checkArgs = checkArgs[:map[bool]int{true: 1, false: 2}[cfg.Sandbox]] // --sandbox, or --env-file and its name
		logf(env, "Then see whether it works: %s", hostconfig.ShellQuote(append([]string{entry.Command, doctorCommand}, checkArgs...), runtime.GOOS))
	}
	return nil
}

// printOrWrite writes an entry, or prints it.
func (c configCmd) printOrWrite(env environment, host hostconfig.Host, entry hostconfig.Entry) error {
	places := hostconfig.CurrentDirs(xdg.Home, configDir(env))
	switch {
	case c.Write:
		return writeHostFile(env, host, entry, places)
	case host.AddCommand != nil:
		logf(env, "Run this to add the server to %s:", host.Title)
		_, err := fmt.Fprintln(env.stdout, hostconfig.ShellQuote(host.AddCommand(entry), runtime.GOOS))
		return err
	}
	logf(env, "Put this into %s%s:", host.ConfigPath(places), map[bool]string{true: ", or run the same with --write"}[host.CanWrite])
	_, err := io.WriteString(env.stdout, host.ConfigSnippet(entry))
	return err
}

func writeHostFile(env environment, host hostconfig.Host, entry hostconfig.Entry, places hostconfig.Dirs) error {
	result, err := host.Write(entry, places, time.Now())
	if err != nil {
		return err
	}
	if len(result.Preserved) > 0 {
		logf(env, "Kept from the entry that was there: %s", strings.Join(result.Preserved, ", "))
	}
	if result.Disabled {
		logf(env, "%s is told not to start it: switch it on there.", host.Title)
	}
	switch {
	case !result.Changed:
		_, err = fmt.Fprintf(env.stdout, "%s has it already.\n", result.File)
	case result.Backup == "":
		_, err = fmt.Fprintf(env.stdout, "Written to %s. Start %s again.\n", result.File, host.Title)
	default:
		_, err = fmt.Fprintf(env.stdout, "Written to %s; what was there is in %s. Start %s again.\n", result.File, result.Backup, host.Title)
	}
	return err
}

// configDir is where programs keep their configuration: on Windows the part of
// it that follows a person from machine to machine.
func configDir(env environment) string {
	if runtime.GOOS == "darwin" { // where hosts look at no variable
		return filepath.Join(xdg.Home, "Library", "Application Support")
	}
	variable := map[string]string{"windows": "APPDATA"}[runtime.GOOS]
	if dir, ok := env.lookupEnv(cmp.Or(variable, "XDG_CONFIG_HOME")); ok && dir != "" {
		return dir
	}
	return xdg.ConfigHome
}

func logf(env environment, format string, args ...any) {
	_, _ = fmt.Fprintf(env.stderr, format+"\n", args...)
}

// hostEntry is how a host is to start this program.
func (c configCmd) hostEntry(env environment, cfg *config, parsed *kong.Context) (hostconfig.Entry, error) {
	executable, err := os.Executable()
	if err == nil {
		err = cfg.validateForHost(c.WithSecrets)
	}
	if err != nil {
		return hostconfig.Entry{}, err
	}
	if strings.Contains(filepath.ToSlash(executable), "/go-build") {
		logf(env, "This program is a temporary build, which will be gone: install it first (go install ./cmd/wesendall-mcp), and run that.")
	}
	entry := hostconfig.Entry{Command: executable, Args: []string{}, Overrides: []string{"--sandbox", "--env-file", envAPIKey, envAPISecret, envAPISecretFile, envWalletID}}
	switch {
	case cfg.Sandbox:
		entry.Args = append(entry.Args, "--sandbox")
	case c.WithSecrets:
		creds, err := cfg.loadCredentials(env)
		if err != nil {
			return entry, err
		}
		if creds.problem != "" || creds.wallet == "" {
			return entry, usageErrorf("config: --with-secrets needs the credentials: %s", strings.TrimSuffix(cmp.Or(creds.problem, "set "+envWalletID), "."))
		}
		logf(env, "The secret will be in a file of the host's, readable by whatever reads that.")
		entry.Env = map[string]string{envAPIKey: creds.key, envAPISecret: creds.secret.Reveal(), envWalletID: creds.wallet}
	default:
		envFile, err := cfg.ensureEnvFile(env)
		if err != nil {
			return entry, err
		}
		entry.Args = append(entry.Args, "--env-file", envFile)
	}
	entry.Args = append(entry.Args, flagsForHost(env, parsed, cfg.Ledger)...)
	return entry, nil
}

// validateForHost tells whether the settings can go into a host's file: a host would only say
// that the server does not start.
func (cfg *config) validateForHost(withSecrets bool) error {
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
	switch {
	case strings.Contains(cfg.Ledger, "://"):
		if !withSecrets {
			return usageErrorf("config: the ledger's URL may have a password in it: set WESENDALL_LEDGER in the file of --env-file, or say --with-secrets")
		}
	case cfg.Ledger != "" && cfg.Ledger != "memory": // the host runs elsewhere
		cfg.Ledger, err = filepath.Abs(cfg.Ledger)
	}
	return err
}

// flagsForHost are the settings of the command line and the environment, which the host
// must not lose: the operator's limits are among them. Those of the file of
// variables stay there. A server over HTTP is no host's to start.
func flagsForHost(env environment, parsed *kong.Context, ledger string) []string {
	var args []string
	explicitFlags := flagsFromCommandLine(parsed)
	for _, flag := range parsed.Model.Flags {
		if len(flag.Envs) == 0 || flag.Group != nil && flag.Group.Key == httpGroup {
			continue
		}
		value, ok := env.lookupEnv(flag.Envs[0])
		if ok && value != "" || slices.Contains(explicitFlags, flag) {
			args = append(args, formatFlag(parsed, flag))
		}
	}
	if idx := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--ledger=") }); idx >= 0 {
		args[idx] = "--ledger=" + ledger // whose path is absolute by now
	}
	return args
}

// defaultEnvFilePath is where the credentials for hosts are, if nothing else is said.
func defaultEnvFilePath(env environment) string {
	return filepath.Join(configDir(env), "wesendall-mcp", "wesendall.env")
}

// ensureEnvFile is the file that a host's entry names. One that is not there is made,
// for its owner alone, with what the environment has.
func (cfg *config) ensureEnvFile(env environment) (string, error) {
	path := cfg.EnvFile
	if path == "" {
		path = defaultEnvFilePath(env)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if values, parseErr := readEnvFile(path); err == nil && parseErr == nil && readCredentials(func(name string) (string, bool) { value, ok := values[name]; return value, ok }, path).problem != "" {
		logf(env, "Fill in the values that are missing in %s.", path)
	}
	switch {
	case err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		logf(env, "Others can read %s: chmod 600 it.", path)
		return path, nil
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	copied := false
	envLine := func(name, placeholder string) string {
		text, ok := env.lookupEnv(name)
		assignment := name + "='" + text + "'"
		if parsed, err := parseEnvFile(assignment); !ok || text == "" || err != nil || parsed[name] != text {
			return name + "=" + placeholder // a person knows how to write it
		}
		copied = true
		return assignment
	}
	secret := envLine(envAPISecret, "YOUR_API_SECRET")
	if secretFile, ok := env.lookupEnv(envAPISecretFile); ok && secretFile != "" && !strings.ContainsAny(secretFile, "'\n") && strings.HasSuffix(secret, "=YOUR_API_SECRET") {
		if secretFile, err = filepath.Abs(secretFile); err != nil {
			return "", err
		}
		secret = envAPISecretFile + "='" + secretFile + "'"
	}
	text := fmt.Sprintf(envFileTemplate, envLine(envAPIKey, "YOUR_API_KEY"), secret, envLine(envWalletID, "YOUR_WALLET_ID"))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	if copied {
		logf(env, "What the environment has of the credentials is now in %s, which nobody else can read.", path)
	}
	if strings.Contains(text, "=YOUR_") {
		logf(env, "Fill in the values that are missing in %s.", path)
	}
	return path, nil
}

const envFileTemplate = `# Credentials for wesendall-mcp, and what it may do. Nobody else should read this.
# The three values are on the page "API" of the Wesendall dashboard.
%s
%s
%s

# Limits in UGX, as they are unless you change them.
#WESENDALL_MAX_PER_CALL=50000
#WESENDALL_MAX_PER_DAY=100000
#WESENDALL_CONFIRM_ABOVE=1000
#WESENDALL_MAX_TOPUP=500000
`

// hostEnum are the choices of the command line.
func hostEnum() string { return strings.Join(hostconfig.HostNames(), ",") }
