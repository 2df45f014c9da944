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
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/hosts"
)

// Status says how a check ended.
type Status string

// The three ends.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failure"
)

// Finding is one line of the report.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Text   string `json:"text"`
	Fix    string `json:"fix,omitempty"` // what to do about it
}

// Setting is one that is in force, and where it came from.
type Setting struct{ Name, Value, Source string }

// Options are what is looked at.
type Options struct {
	Version  string
	Settings []Setting
	Problems []string // settings that cannot be used
	Private  []string // files that nobody else should read
	Missing  string   // what must be set, where the credentials are unusable
	Wallet   string
	API      guard.API
	ReadOnly bool
	Ledger   string // its file or its database's URL; "" is in memory
	Program  Program
	Hosts    []hosts.Sighting
	// Unusable says what is wrong with what a host passes.
	Unusable func(hosts.Server) string
	Now      func() time.Time
}

// Run makes all the checks, in an order in which one explains the next.
func Run(ctx context.Context, o Options) []Finding {
	findings := []Finding{{"program", OK, "wesendall-mcp " + o.Version + " at " + o.Program.Path, ""}}
	for _, s := range o.Settings {
		findings = append(findings, Finding{"setting", OK, fmt.Sprintf("%s = %s (%s)", s.Name, s.Value, s.Source), ""})
	}
	for _, problem := range o.Problems {
		findings = append(findings, Finding{"setting", Failure, problem, "mend it where it is set: on the command line, in the environment, or in the file of --env-file"})
	}
	for _, file := range o.Private {
		findings = append(findings, private("setting", file)...)
	}
	if len(o.Problems) == 0 { // else the API might be another than the one that is meant
		findings = append(findings, credentials(ctx, o)...)
		findings = append(findings, ledger(ctx, o)...)
	} else {
		findings = append(findings, Finding{"credentials", Warning, "not tried, and nor was the ledger", "mend the settings first"})
	}
	findings = append(findings, o.Program.selfTest(ctx)...)
	return append(findings, o.hosts()...)
}

// private warns of a file with secrets that others can read.
func private(check, file string) []Finding {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return []Finding{{check, Warning, "others on this machine can read " + file, "chmod 600 " + file}}
}

// Failed tells whether something must be mended.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Status == Failure {
			return true
		}
	}
	return false
}

// skew is how far the clocks may be apart: TLS and the day of the budget want
// them close.
const skew = 2 * time.Minute

// credentials are tried with one balance call, whose answer also has a clock.
func credentials(ctx context.Context, o Options) []Finding {
	if o.Missing != "" {
		return []Finding{{"credentials", Failure, strings.TrimSuffix(o.Missing, "."), "the values are on the page API of the dashboard; wesendall-mcp config HOST makes a file for them"}}
	}
	var findings []Finding
	if o.Wallet == "" {
		findings = append(findings, Finding{"wallet", Warning, "WESENDALL_WALLET_ID is not set: only reading works", "set it to the id beside the API keys"})
	}
	response, err := o.API.Balance(ctx, client.BalanceRequest{WalletID: o.Wallet})
	if err != nil {
		findings = append(findings, refused(err, o.Wallet))
		if failure, ok := errors.AsType[*client.Error](err); ok && failure.Status != 0 {
			findings = append(findings, o.clock(failure.Date))
		}
		return findings
	}
	var data struct {
		Balance *float64 `json:"balance"`
		Cost    float64  `json:"cost_per_sms"`
	}
	if json.Unmarshal(response.Data, &data) != nil || data.Balance == nil || data.Cost <= 0 {
		findings = append(findings, Finding{"credentials", Failure, "the balance call does not say what the wallet holds and a unit costs, so nothing can be sent", "look at WESENDALL_BASE_URL"})
	} else {
		findings = append(findings, Finding{"credentials", OK, fmt.Sprintf("accepted; the wallet holds UGX %.10g, a unit costs %.10g", *data.Balance, data.Cost), ""})
	}
	return append(findings, o.clock(response.Date))
}

// clock compares this machine's with the API's.
func (o Options) clock(date time.Time) Finding {
	switch apart := o.Now().Sub(date); {
	case date.IsZero():
		return Finding{"clock", Warning, "the API's answer has no date to compare with", ""}
	case math.Abs(apart.Seconds()) > skew.Seconds():
		return Finding{"clock", Warning, fmt.Sprintf("this machine's clock is %s off the API's", apart.Round(time.Second)), "set it by the network: the day of the budget and TLS go by it"}
	}
	return Finding{"clock", OK, fmt.Sprintf("within %s of the API's", skew), ""}
}

// refused explains why the balance call failed.
func refused(err error, wallet string) Finding {
	f := Finding{"credentials", Failure, err.Error(), "compare the key, the secret and the wallet with the dashboard"}
	failure, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
	case failure.Code == "key_revoked":
		f.Fix = "make a new key in the dashboard"
	case failure.Code == "wallet_forbidden":
		f.Fix = "WESENDALL_WALLET_ID must be a wallet of this key's owner"
	case failure.Code == "validation_failed" && wallet == "":
		return Finding{"credentials", Warning, "accepted, as far as that can be seen without a wallet", "set WESENDALL_WALLET_ID"}
	case failure.Status == 0:
		f.Fix = "check the network, WESENDALL_BASE_URL, and HTTPS_PROXY if there is a proxy"
	case failure.Status >= 300 && failure.Status < 400, failure.Status == 404:
		f.Fix = "WESENDALL_BASE_URL must be where the API itself answers"
	case failure.Status >= 500 || failure.Status == 429:
		f.Fix = "try again later"
	case failure.Status < 300:
		f.Fix = "something else answers there: a proxy's page, or another server; look at WESENDALL_BASE_URL and HTTPS_PROXY"
	}
	return f
}

// ledger is opened and written to, and what was written is taken back.
func ledger(ctx context.Context, o Options) []Finding {
	if o.Ledger == "" {
		return []Finding{{"ledger", OK, "in memory: it is forgotten when the server ends", ""}}
	}
	place := guard.Redact(o.Ledger)
	broken := func(err error) Finding {
		f := Finding{"ledger", Failure, place + ": " + err.Error(), guard.Remedy(err) + "; until then nothing is sent"}
		if o.ReadOnly {
			f.Status = Warning
		}
		return f
	}
	l, err := guard.OpenLedger(ctx, o.Ledger)
	if err != nil {
		return []Finding{broken(err)}
	}
	defer func() { _ = l.Close() }()
	if err := l.TryWrite(ctx); err != nil {
		return []Finding{broken(err)}
	}
	findings := []Finding{{"ledger", OK, place + " can be written", ""}}
	open, err := l.Spends(ctx, o.Now())
	if err != nil {
		return append(findings, broken(err))
	}
	unknown := 0
	for _, s := range open {
		if s.State == guard.StateUnknown {
			unknown++
		}
	}
	if unknown > 0 {
		findings = append(findings, Finding{"ledger", Warning, fmt.Sprintf("outcomes that nobody knows: %d; they hold a part of the budget", unknown), "look at the history, then wesendall-mcp ledger resolve ID sent|failed"})
	}
	return findings
}

// hosts says which of them start this program, and with what.
func (o Options) hosts() []Finding {
	var findings []Finding
	for _, seen := range o.Hosts {
		say := func(status Status, text, fix string) {
			findings = append(findings, Finding{"host", status, seen.Title + " " + text + " (" + seen.Place + ")", fix})
		}
		again := "wesendall-mcp config " + seen.Name
		switch {
		case seen.Err != nil:
			say(Failure, "has a file that cannot be read: "+seen.Err.Error(), "mend the file: the host cannot read it either")
		case len(seen.Servers) == 0:
			say(Warning, "does not know this server", again)
		}
		for _, s := range seen.Servers {
			where := ""
			if s.Project != "" {
				where = " in " + s.Project + " alone"
			}
			switch {
			case s.Off:
				say(Warning, "is told not to start "+s.Name+where, "switch it on in the host")
			case s.URL != "":
				say(OK, "uses the server at "+s.URL+where, "")
			case s.Err != nil:
				say(Failure, "cannot start "+s.Name+where+": "+s.Err.Error(), again)
			case !s.Same:
				say(Warning, "starts another program"+where+": "+s.Command, again)
			default:
				say(OK, "starts this program"+where, "")
				findings = append(findings, o.passed(seen, s)...)
			}
		}
	}
	if findings == nil {
		findings = append(findings, Finding{"host", Warning, "no host that is known here is on this machine", "wesendall-mcp config HOST prints what to do"})
	}
	return findings
}

// passed looks at the credentials that a host passes.
func (o Options) passed(seen hosts.Sighting, s hosts.Server) []Finding {
	if s.Filled() {
		return []Finding{{"host", Warning, seen.Title + " fills in what it passes (${…}), so that it cannot be checked here", "if it does not, the server refuses what it gets: then write the values"}}
	}
	findings := append(private("host", s.Flag("--env-file")), private("host", s.Env["WESENDALL_API_SECRET_FILE"])...)
	if s.Env["WESENDALL_API_SECRET"] != "" {
		findings = append(findings, private("host", seen.Place)...)
	}
	if missing := o.Unusable(s); missing != "" {
		findings = append(findings, Finding{"host", Failure, seen.Title + " passes what cannot be used: " + missing, "mend " + cmp.Or(s.Flag("--env-file"), seen.Place) + "; the values are on the page API of the dashboard"})
	}
	return findings
}
