// Package doctor checks what the server needs: settings, credentials, the clock, the
// ledger, the program itself in both protocols, and the hosts that start it. Each finding
// says how to fix it.
//
// It only reads, and asks Wesendall for one balance. It never spends.
package doctor

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// Status is the result of a check.
type Status string

// The results. Only StatusError makes the command fail.
const (
	StatusOK      Status = "ok"
	StatusWarning Status = "warning"
	StatusError   Status = "failure"
)

// Finding is one line of the report.
type Finding struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Message string `json:"text"`
	Fix     string `json:"fix,omitempty"` // what to do about it
}

func ok(check, message string) Finding           { return Finding{check, StatusOK, message, ""} }
func warning(check, message, fix string) Finding { return Finding{check, StatusWarning, message, fix} }
func failure(check, message, fix string) Finding { return Finding{check, StatusError, message, fix} }

// EffectiveSetting is the value of a setting, and where it is set. The value holds no secret.
type EffectiveSetting struct{ Name, Value, Source string }

// Options are what is checked.
type Options struct {
	Version           string
	Settings          []EffectiveSetting
	ConfigErrors      []string // settings that cannot be used
	UnknownNames      []string // variables of the environment that look like settings and are none
	IgnoredLines      string   // which lines of the .env in the working directory do not count
	ProxyProblems     []string // proxy variables that do nothing
	SecretFiles       []string // files that only their owner should be able to read
	TokensWithoutID   int      // lines of the token file that the ledger knows by their names
	CredentialProblem string   // what to set, if the credentials cannot be used
	Wallet            string
	WalletNotice      string // why the wallet may not be the user's, if so
	API               guard.API
	ReadOnly          bool
	DoNotText         *guard.DoNotTextList
	Ledger            string // a file or a PostgreSQL URL; "" for in memory
	Self              Program
	Hosts             []hostconfig.DetectedHost
	// CheckHostEntry says what is wrong with the arguments and credentials of a host's entry;
	// "" if nothing is.
	CheckHostEntry func(hostconfig.ServerEntry) string
	// DescribeHostEntry says what a host's entry runs, in which mode and with which credentials,
	// and in what that differs from what is checked here; "" if in nothing.
	DescribeHostEntry func(hostconfig.ServerEntry) (description, difference string)
	Now               func() time.Time
}

// Run makes all checks. With wrong settings it contacts neither Wesendall nor the ledger,
// because they might not be the ones that the operator means.
func Run(ctx context.Context, o Options) []Finding {
	findings := []Finding{ok("program", "wesendall-mcp "+o.Version+" at "+o.Self.Path)}
	for _, s := range o.Settings {
		findings = append(findings, ok("setting", fmt.Sprintf("%s = %s (%s)", s.Name, s.Value, s.Source)))
	}
	for _, problem := range o.ConfigErrors {
		findings = append(findings, failure("setting", problem,
			"fix it where it is set: on the command line, in the environment, or in the file of --env-file"))
	}
	for _, problem := range o.UnknownNames {
		findings = append(findings, failure("setting", problem, "rename the variable, or remove it"))
	}
	if o.IgnoredLines != "" {
		findings = append(findings, warning("setting", o.IgnoredLines, "remove the lines, or move them to the file of --env-file"))
	}
	for _, problem := range o.ProxyProblems {
		findings = append(findings, warning("proxy", problem, "set HTTPS_PROXY to the address of the proxy, or remove it"))
	}
	for _, file := range o.SecretFiles {
		findings = append(findings, checkFileMode("setting", file)...)
	}
	findings = append(findings, o.checkDoNotText()...)
	if o.TokensWithoutID > 0 {
		findings = append(findings, warning("setting",
			fmt.Sprintf("tokens without id= in the token file: %d; with a new name they get a new budget", o.TokensWithoutID),
			"add id=NAME to their lines, with the present name"))
	}
	if len(o.ConfigErrors) == 0 {
		findings = append(findings, o.checkCredentials(ctx)...)
		findings = append(findings, o.checkLedger(ctx)...)
		findings = append(findings, o.Self.checkSelf(ctx)...)
	} else { // the program would end with the same problem
		findings = append(findings,
			warning("credentials", "credentials and ledger were not checked", "fix the settings first"))
	}
	return append(findings, o.checkHosts()...)
}

// HasErrors tells whether a check failed.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == StatusError })
}

// checkFileMode warns of a file with secrets that other users can read.
func checkFileMode(check, file string) []Finding {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return []Finding{warning(check, "other users of this machine can read "+file, "chmod 600 "+file)}
}
