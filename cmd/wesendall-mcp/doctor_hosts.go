package main

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// describeHostEntry says in which mode a host's entry runs this program and where its credentials
// are, and in what that differs from what doctor checks. Both are "" for an entry that starts no
// server, which checkHostEntry reports.
func (cfg *Config) describeHostEntry(
	ctx context.Context, env environment, entry hostconfig.ServerEntry,
) (description, difference string) {
	defer func() {
		if recovered := recover(); recovered != nil { // as after --help
			description, difference = "", ""
		}
	}()
	var c cli
	parsed, err := c.parse(ctx, environment{
		args: entry.Args, stdout: os.Stderr, stderr: io.Discard, lookupEnv: mapLookup(entry.Env), defaults: env.defaults,
	})
	if err != nil || c.validate(parsed) != nil {
		return "", ""
	}
	isSet := func(name string) bool { return c.variables.source(name) != "" }
	hasCredentials := slices.ContainsFunc(credentialVariables(), isSet)
	source := "credentials from the host's environment"
	switch {
	case c.Sandbox:
		source = "the sandbox's own credentials"
	case c.EnvFile != "":
		source = "credentials from " + c.EnvFile
	case hasCredentials:
		source = "credentials in the entry"
	}
	description = "runs " + entry.Command + ", " + c.mode() + ", " + source
	if c.Sandbox != cfg.Sandbox {
		return description, "doctor checks " + cfg.mode() + " here"
	}
	own, err := cfg.loadCredentials(env)
	if err != nil || c.Sandbox || !hasCredentials || own.problem != "" {
		return description, ""
	}
	theirs := readCredentials(c.variables.lookup, "")
	if theirs.problem == "" && (theirs.key != own.key || theirs.wallet != own.wallet) {
		return description, "doctor checks another key or wallet here"
	}
	return description, ""
}

// mode names what a server works with.
func (cfg *Config) mode() string {
	if cfg.Sandbox {
		return "sandbox"
	}
	return "live"
}
