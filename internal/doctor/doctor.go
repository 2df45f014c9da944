// Package doctor finds what keeps the server from working, before its users have
// to ask: settings, credentials, the clock, the ledger, the program itself in
// both eras of the protocol, and the hosts that should start it.
//
// It reads, and asks the API for one balance. It never spends.
package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/hostconfig"
)

// Status says how a check ended.
type Status string

// The three ends.
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

// EffectiveSetting is one that is in force, and where it came from.
type EffectiveSetting struct{ Name, Value, Source string }

// Options are what is looked at.
type Options struct {
	Version           string
	Settings          []EffectiveSetting
	ConfigErrors      []string // settings that cannot be used
	SecretFiles       []string // files that nobody else should read
	CredentialProblem string   // what must be set, where the credentials are unusable
	Wallet            string
	API               guard.API
	ReadOnly          bool
	Ledger            string // its file or its database's URL; "" is in memory
	Self              Program
	Hosts             []hostconfig.DetectedHost
	// Unusable says what is wrong with what a host passes.
	CheckHostEntry func(hostconfig.ServerEntry) string
	Now            func() time.Time
}

// Run makes all the checks, in an order in which one explains the next.
func Run(ctx context.Context, o Options) []Finding {
	findings := []Finding{{"program", StatusOK, "wesendall-mcp " + o.Version + " at " + o.Self.Path, ""}}
	for _, s := range o.Settings {
		findings = append(findings, Finding{"setting", StatusOK, fmt.Sprintf("%s = %s (%s)", s.Name, s.Value, s.Source), ""})
	}
	for _, problem := range o.ConfigErrors {
		findings = append(findings, Finding{"setting", StatusError, problem, "mend it where it is set: on the command line, in the environment, or in the file of --env-file"})
	}
	for _, file := range o.SecretFiles {
		findings = append(findings, checkFileMode("setting", file)...)
	}
	if len(o.ConfigErrors) == 0 { // else the API might be another than the one that is meant
		findings = append(findings, checkCredentials(ctx, o)...)
		findings = append(findings, checkLedger(ctx, o)...)
	} else {
		findings = append(findings, Finding{"credentials", StatusWarning, "not tried, and nor was the ledger", "mend the settings first"})
	}
	findings = append(findings, o.Self.checkSelf(ctx)...)
	return append(findings, o.checkHosts()...)
}

// checkFileMode warns of a file with secrets that others can read.
func checkFileMode(check, file string) []Finding {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return []Finding{{check, StatusWarning, "others on this machine can read " + file, "chmod 600 " + file}}
}

// HasErrors tells whether something must be mended.
func HasErrors(findings []Finding) bool {
	for _, f := range findings {
		if f.Status == StatusError {
			return true
		}
	}
	return false
}

// maxClockSkew is how far the clocks may be apart: TLS and the day of the budget want
// them close.
const maxClockSkew = 2 * time.Minute

// checkCredentials are tried with one balance call, whose answer also has a clock.
func checkCredentials(ctx context.Context, o Options) []Finding {
	if o.CredentialProblem != "" {
		return []Finding{{"credentials", StatusError, strings.TrimSuffix(o.CredentialProblem, "."), "the values are on the page API of the dashboard; wesendall-mcp config HOST makes a file for them"}}
	}
	var findings []Finding
	if o.Wallet == "" {
		findings = append(findings, Finding{"wallet", StatusWarning, "WESENDALL_WALLET_ID is not set: only reading works", "set it to the id beside the API keys"})
	}
	response, err := o.API.Balance(ctx, client.BalanceRequest{WalletID: o.Wallet})
	if err != nil {
		findings = append(findings, explainBalanceError(err, o.Wallet))
		if apiErr, ok := errors.AsType[*client.Error](err); ok && apiErr.Status != 0 {
			findings = append(findings, o.checkClock(apiErr.ServerTime))
		}
		return findings
	}
	var data struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil || data.Cost <= 0 {
		findings = append(findings, Finding{"credentials", StatusError, "the balance call does not say what the wallet holds and a unit costs, so nothing can be sent", "look at WESENDALL_BASE_URL"})
	} else {
		findings = append(findings, Finding{"credentials", StatusOK, fmt.Sprintf("accepted; the wallet holds UGX %.10g, a unit costs %.10g", *data.Balance, data.Cost), ""})
	}
	return append(findings, o.checkClock(response.ServerTime))
}

// checkClock compares this machine's with the API's.
func (o Options) checkClock(serverTime time.Time) Finding {
	switch skew := o.Now().Sub(serverTime); {
	case serverTime.IsZero():
		return Finding{"clock", StatusWarning, "the API's answer has no date to compare with", ""}
	case math.Abs(skew.Seconds()) > maxClockSkew.Seconds():
		return Finding{"clock", StatusWarning, fmt.Sprintf("this machine's clock is %s off the API's", skew.Round(time.Second)), "set it by the network: the day of the budget and TLS go by it"}
	}
	return Finding{"clock", StatusOK, fmt.Sprintf("within %s of the API's", maxClockSkew), ""}
}

// explainBalanceError explains why the balance call failed.
func explainBalanceError(err error, wallet string) Finding {
	finding := Finding{"credentials", StatusError, err.Error(), "compare the key, the secret and the wallet with the dashboard"}
	apiErr, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
	case apiErr.Code == client.CodeKeyRevoked:
		finding.Fix = "make a new key in the dashboard"
	case apiErr.Code == client.CodeWalletForbidden:
		finding.Fix = "WESENDALL_WALLET_ID must be a wallet of this key's owner"
	case apiErr.Code == client.CodeValidationFailed && wallet == "":
		return Finding{"credentials", StatusWarning, "accepted, as far as that can be seen without a wallet", "set WESENDALL_WALLET_ID"}
	case apiErr.Status == 0:
		finding.Fix = "check the network, WESENDALL_BASE_URL, and HTTPS_PROXY if there is a proxy"
	case apiErr.Status >= 300 && apiErr.Status < 400, apiErr.Status == 404:
		finding.Fix = "WESENDALL_BASE_URL must be where the API itself answers"
	case apiErr.Status >= 500 || apiErr.Status == 429:
		finding.Fix = "try again later"
	case apiErr.Status < 300:
		finding.Fix = "something else answers there: a proxy's page, or another server; look at WESENDALL_BASE_URL and HTTPS_PROXY"
	}
	return finding
}

// checkLedger is opened and written to, and what was written is taken back.
func checkLedger(ctx context.Context, o Options) []Finding {
	if o.Ledger == "" {
		return []Finding{{"ledger", StatusOK, "in memory: it is forgotten when the server ends", ""}}
	}
	location := guard.RedactSource(o.Ledger)
	failure := func(err error) Finding {
		f := Finding{"ledger", StatusError, location + ": " + err.Error(), guard.LedgerFix(err) + "; until then nothing is sent"}
		if o.ReadOnly {
			f.Status = StatusWarning
		}
		return f
	}
	l, err := guard.OpenLedger(ctx, o.Ledger)
	if err != nil {
		return []Finding{failure(err)}
	}
	defer func() { _ = l.Close() }()
	if err := l.CheckWritable(ctx); err != nil {
		return []Finding{failure(err)}
	}
	findings := []Finding{{"ledger", StatusOK, location + " can be written", ""}}
	spends, err := l.ListSpends(ctx, o.Now())
	if err != nil {
		return append(findings, failure(err))
	}
	unknown := 0
	for _, s := range spends {
		if s.State == guard.StateUnknown {
			unknown++
		}
	}
	if unknown > 0 {
		findings = append(findings, Finding{"ledger", StatusWarning, fmt.Sprintf("outcomes that nobody knows: %d; they hold a part of the budget", unknown), "look at the history, then wesendall-mcp ledger resolve ID sent|failed"})
	}
	return findings
}

// checkHosts says which of them start this program, and with what.
func (o Options) checkHosts() []Finding {
	var findings []Finding
	for _, host := range o.Hosts {
		add := func(status Status, message, fix string) {
			findings = append(findings, Finding{"host", status, host.Title + " " + message + " (" + host.ConfigFile + ")", fix})
		}
		configCommand := "wesendall-mcp config " + host.Name
		switch {
		case host.Err != nil:
			add(StatusError, "has a file that cannot be read: "+host.Err.Error(), "mend the file: the host cannot read it either")
		case len(host.Servers) == 0:
			add(StatusWarning, "does not know this server", configCommand)
		}
		for _, s := range host.Servers {
			scope := ""
			if s.Project != "" {
				scope = " in " + s.Project + " alone"
			}
			switch {
			case s.Disabled:
				add(StatusWarning, "is told not to start "+s.Name+scope, "switch it on in the host")
			case s.URL != "":
				add(StatusOK, "uses the server at "+s.URL+scope, "")
			case s.Err != nil:
				add(StatusError, "cannot start "+s.Name+scope+": "+s.Err.Error(), configCommand)
			case !s.IsThisBinary:
				add(StatusWarning, "starts another program"+scope+": "+s.Command, configCommand)
			default:
				add(StatusOK, "starts this program"+scope, "")
				findings = append(findings, o.checkHostEntry(host, s)...)
			}
		}
	}
	if findings == nil {
		findings = append(findings, Finding{"host", StatusWarning, "no host that is known here is on this machine", "wesendall-mcp config HOST prints what to do"})
	}
	return findings
}

// checkHostEntry looks at the credentials that a host passes.
func (o Options) checkHostEntry(host hostconfig.DetectedHost, s hostconfig.ServerEntry) []Finding {
	if s.HasVariables() {
		return []Finding{{"host", StatusWarning, host.Title + " fills in what it passes (${…}), so that it cannot be checked here", "if it does not, the server refuses what it gets: then write the values"}}
	}
	findings := append(checkFileMode("host", s.FlagValue("--env-file")), checkFileMode("host", s.Env["WESENDALL_API_SECRET_FILE"])...)
	if s.Env["WESENDALL_API_SECRET"] != "" {
		findings = append(findings, checkFileMode("host", host.ConfigFile)...)
	}
	if problem := o.CheckHostEntry(s); problem != "" {
		findings = append(findings, Finding{"host", StatusError, host.Title + " passes what cannot be used: " + problem, "mend " + cmp.Or(s.FlagValue("--env-file"), host.ConfigFile) + "; the values are on the page API of the dashboard"})
	}
	return findings
}
