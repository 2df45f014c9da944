package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/alecthomas/kong"

	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
	"github.com/wesendall/wesendall-mcp/internal/loopback"
)

type configCmd struct {
	Host        string `arg:"" help:"The host: ${hosts}." enum:"${hosts}"`
	Write       bool   `help:"Write it into the host's file and keep a backup (Claude Desktop, Cursor)." xor:"action"`
	Remove      bool   `help:"Print how to remove the server from the host." xor:"action"`
	WithSecrets bool   `help:"Put the credentials themselves into the entry, not the name of a file with them."`
}

// Hints on stderr about the text on stdout.
const (
	addHint   = "Run this to add the server to %s:"
	pasteHint = "Put this into %s%s:"
)

// Run prints how to add this server to a host or to remove it, or writes it into the
// host's file. What it prints on stdout can be pasted; the rest is on stderr.
func (c configCmd) Run(env environment, cfg *Config, parsed *kong.Context) error {
	host, _ := hostconfig.FindHost(c.Host)
	typedHTTP := false
	for _, flag := range flagsFromCommandLine(parsed) {
		typedHTTP = typedHTTP || flag.Name == httpFlag
	}
	switch {
	case c.Remove:
		return printRemoval(env, host)
	case typedHTTP: // WESENDALL_HTTP is the address of a server on this machine
		return c.printHTTP(env, host, parsed)
	case c.Write && !host.CanWrite:
		alternative := "run the command that this prints without --write"
		if host.AddCommand == nil {
			alternative = "paste what this prints without --write"
		}
		return usageErrorf("config: --write is for Claude Desktop and Cursor; for %s, %s", host.Title, alternative)
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	servers := host.ExistingServers(hostDirs(env), executable)
	entryEnv, hasCredentials := withEntryCredentials(env, servers)
	entry, err := c.hostEntry(entryEnv, cfg, parsed)
	if err != nil {
		return err
	}
	describeExisting(env, host, hostDirs(env), servers)
	if envFile := entry.FlagValue("--env-file"); hasCredentials && envFile != "" {
		logf(env, "The entry of %s has credentials. From now on the server reads those in %s.", host.Title, envFile)
	}
	if err := c.printOrWrite(env, host, entry, servers); err != nil {
		return err
	}
	command := []string{entry.Command, doctorCommand}
	switch {
	case cfg.Sandbox:
		command = append(command, "--sandbox")
	case !c.WithSecrets:
		command = append(command, "--env-file", entry.FlagValue("--env-file"))
	default:
		return nil
	}
	logf(env, "Then check that it works: %s", hostconfig.ShellQuote(command, runtime.GOOS))
	return nil
}

func (c configCmd) printOrWrite(
	env environment, host hostconfig.Host, entry hostconfig.Entry, servers []hostconfig.ServerEntry,
) error {
	dirs := hostDirs(env)
	switch {
	case c.Write:
		return writeHostFile(env, host, entry, dirs)
	case host.AddCommand != nil:
		logf(env, addHint, host.Title)
		_, err := fmt.Fprintln(env.stdout,
			removeFirst(host, servers)+hostconfig.ShellQuote(host.AddCommand(entry), runtime.GOOS))
		return err
	}
	hint := ""
	if host.CanWrite {
		hint = ", or run this again with --write"
	}
	logf(env, pasteHint, host.ConfigPath(dirs), hint)
	_, err := io.WriteString(env.stdout, host.ConfigSnippet(entry))
	return err
}

func writeHostFile(env environment, host hostconfig.Host, entry hostconfig.Entry, dirs hostconfig.Dirs) error {
	result, err := host.Write(entry, dirs, time.Now())
	if err != nil {
		return err
	}
	if len(result.Preserved) > 0 {
		logf(env, "Kept from the previous entry: %s", strings.Join(result.Preserved, ", "))
	}
	if result.Disabled {
		logf(env, "The server is disabled in %s. Enable it there.", host.Title)
	}
	switch {
	case !result.Changed:
		_, err = fmt.Fprintf(env.stdout, "Nothing to do: %s already has this entry.\n", result.File)
	case result.Backup == "":
		_, err = fmt.Fprintf(env.stdout, "Written to %s. Restart %s.\n", result.File, host.Title)
	default:
		_, err = fmt.Fprintf(env.stdout, "Written to %s. The previous file is %s. Restart %s.\n",
			result.File, result.Backup, host.Title)
	}
	return err
}

func printRemoval(env environment, host hostconfig.Host) error {
	if host.RemoveCommand != nil {
		logf(env, "Run this to remove the server from %s:", host.Title)
		_, err := fmt.Fprintln(env.stdout, hostconfig.ShellQuote(host.RemoveCommand, runtime.GOOS))
		return err
	}
	_, err := fmt.Fprintf(env.stdout, "Delete the entry %q in %s and restart %s.\n",
		hostconfig.ServerName, host.ConfigPath(hostDirs(env)), host.Title)
	return err
}

// printHTTP prints how to connect a host to a server over HTTP. Other settings belong to that
// server.
func (c configCmd) printHTTP(env environment, host hostconfig.Host, parsed *kong.Context) error {
	if c.Write || c.WithSecrets {
		return usageErrorf("config: --write and --with-secrets do not work with --http")
	}
	serverURL := ""
	for _, flag := range flagsFromCommandLine(parsed) {
		if flag.Name != httpFlag {
			return usageErrorf("config: --%s does not work with --http: set it where that server is started", flag.Name)
		}
		serverURL, _ = parsed.FlagValue(flag).(string)
	}
	serverURL, err := validateServerURL(serverURL)
	if err != nil {
		return err
	}
	entry := host.HTTPEntry(serverURL, runtime.GOOS)
	if entry.IsCommand {
		logf(env, addHint, host.Title)
	} else {
		logf(env, pasteHint, host.ConfigPath(hostDirs(env)), "")
	}
	if _, err := fmt.Fprintln(env.stdout, entry.Text); err != nil {
		return err
	}
	if entry.Caveat != "" {
		logf(env, "%s %s.", host.Title, entry.Caveat)
		return nil
	}
	logf(env, "Before you start %s, set these variables. The values are your own, or a token of the server's operator:",
		host.Title)
	logf(env, "%s='Basic <base64 of KEY:SECRET>' or 'Bearer <token>'", hostconfig.EnvAuthorization)
	logf(env, "%s=<wallet>", hostconfig.EnvWallet)
	return nil
}

// validateServerURL returns the URL in its standard form. Errors do not quote it, because it
// may contain a password.
func validateServerURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return "", usageErrorf("config: --http must be the URL of a server, such as https://mcp.example.com/mcp")
	case u.User != nil, u.Fragment != "":
		return "", usageErrorf("config: --http must not contain credentials or a fragment: they go into headers")
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return "", usageErrorf("config: --http must begin with https://, because credentials are sent to it; " +
			"http:// works on this machine only")
	}
	return u.String(), nil
}

// hostDirs returns where hosts keep their files.
func hostDirs(env environment) hostconfig.Dirs {
	return hostconfig.CurrentDirs(xdg.Home, configDir(env))
}

// configDir returns where programs keep their configuration; on Windows the roaming directory.
func configDir(env environment) string {
	var variable string
	switch runtime.GOOS {
	case "darwin": // hosts read no variable there
		return filepath.Join(xdg.Home, "Library", "Application Support")
	case "windows":
		variable = "APPDATA"
	}
	if dir, ok := env.lookupEnv(cmp.Or(variable, "XDG_CONFIG_HOME")); ok && dir != "" {
		return dir
	}
	return xdg.ConfigHome
}

// hostEnum lists the hosts for kong.
func hostEnum() string { return strings.Join(hostconfig.HostNames(), ",") }
