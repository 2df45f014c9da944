package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// pathInPATH returns the name under which PATH has this program, such as a link that stays when
// the program is updated; the executable itself if PATH has it not.
func pathInPATH(executable string) string {
	path, err := exec.LookPath(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"))
	if err != nil || !filepath.IsAbs(path) || !isSameFile(path, executable) {
		return executable
	}
	return path
}

// describeExisting says on stderr what the host already has: other entries for this server, and
// backups of its file.
func describeExisting(env environment, host hostconfig.Host, dirs hostconfig.Dirs, servers []hostconfig.ServerEntry) {
	for _, s := range servers {
		if s.Name != hostconfig.ServerName {
			logf(env, "%s already has this server under the name %q. Remove that entry, or the agent gets each tool twice.",
				host.Title, s.Name)
		}
	}
	if backups := host.Backups(dirs); host.CanWrite && len(backups) > 0 {
		logf(env, "Backups of %s: %s", host.ConfigPath(dirs), strings.Join(backups, ", "))
	}
}

// removeFirst returns the line that removes the present entry, because the host refuses to add a
// second one; "" if there is no entry.
func removeFirst(host hostconfig.Host, servers []hostconfig.ServerEntry) string {
	if host.RemoveCommand == nil {
		return ""
	}
	for _, s := range servers {
		if s.Name == hostconfig.ServerName {
			return hostconfig.ShellQuote(host.RemoveCommand, runtime.GOOS) + "\n"
		}
	}
	return ""
}

// withEntryCredentials adds the credentials in a host's present entry to the environment, which
// ensureEnvFile copies into a new file. It tells whether the entry has some.
func withEntryCredentials(env environment, servers []hostconfig.ServerEntry) (environment, bool) {
	for _, s := range servers {
		if s.Name != hostconfig.ServerName || s.HasVariables() || readCredentials(mapLookup(s.Env), "").problem != "" {
			continue
		}
		for _, name := range credentialVariables() { // those of the environment stay together
			if value, _ := env.lookupEnv(name); value != "" {
				return env, true
			}
		}
		lookup := env.lookupEnv
		env.lookupEnv = func(name string) (string, bool) {
			if value, ok := s.Env[name]; ok && isCredential(name) {
				return value, true
			}
			return lookup(name)
		}
		return env, true
	}
	return env, false
}

func isCredential(name string) bool {
	return slices.Contains(credentialVariables(), name)
}
