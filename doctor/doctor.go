// Package doctor finds what keeps the server from working, before its users have
// to ask: settings, credentials, the clock, the ledger, the program itself in
// both eras of the protocol, and the hosts that should start it.
//
// It reads, and asks the API for one balance. It never spends.
package doctor

import (
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
	Private  []string // files that nobody else should read
	Missing  string   // what must be set, where the credentials are unusable
	Wallet   string
	API      interface {
		Balance(context.Context, client.BalanceRequest) (*client.Response, error)
	}
	Ledger  string // its file; "" is in memory
	Program Program
	Hosts   []Found
	Now     func() time.Time
}

// Found is a host on this machine, and whether it starts this program.
type Found struct {
	Title, File string
	Here, Other bool   // it names this program, or another of the same name
	Fix         string // the command that mends it
}

// Run makes all the checks, in an order in which one explains the next.
func Run(ctx context.Context, o Options) []Finding {
	findings := []Finding{{"program", OK, "wesendall-mcp " + o.Version + " at " + o.Program.Path, ""}}
	for _, s := range o.Settings {
		findings = append(findings, Finding{"setting", OK, fmt.Sprintf("%s = %s (%s)", s.Name, s.Value, s.Source), ""})
	}
	for _, file := range o.Private {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			findings = append(findings, Finding{"setting", Warning, "others on this machine can read " + file, "chmod 600 " + file})
		}
	}
	findings = append(findings, credentials(ctx, o)...)
	findings = append(findings, ledger(ctx, o)...)
	findings = append(findings, o.Program.selfTest(ctx)...)
	return append(findings, hosts(o.Hosts)...)
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
		return append(findings, refused(err, o.Wallet))
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
	switch apart := o.Now().Sub(response.Date); {
	case response.Date.IsZero():
		findings = append(findings, Finding{"clock", Warning, "the API's answer has no date to compare with", ""})
	case math.Abs(apart.Seconds()) > skew.Seconds():
		findings = append(findings, Finding{"clock", Warning, fmt.Sprintf("this machine's clock is %s off the API's", apart.Round(time.Second)), "set it by the network: the day of the budget and TLS go by it"})
	default:
		findings = append(findings, Finding{"clock", OK, fmt.Sprintf("within %s of the API's", skew), ""})
	}
	return findings
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
	}
	return f
}

// ledger is opened and written to, and what was written is taken back.
func ledger(ctx context.Context, o Options) []Finding {
	if o.Ledger == "" {
		return []Finding{{"ledger", OK, "in memory: it is forgotten when the server ends", ""}}
	}
	fix := "make the file writable, free space, or choose another (WESENDALL_LEDGER=PATH); until then nothing is sent"
	l, err := guard.OpenLedger(ctx, o.Ledger)
	if err != nil {
		return []Finding{{"ledger", Failure, o.Ledger + ": " + err.Error(), fix}}
	}
	defer func() { _ = l.Close() }()
	if err := l.TryWrite(ctx); err != nil {
		return []Finding{{"ledger", Failure, o.Ledger + ": " + err.Error(), fix}}
	}
	findings := []Finding{{"ledger", OK, o.Ledger + " can be written", ""}}
	open, err := l.Spends(ctx, o.Now())
	if err != nil {
		return append(findings, Finding{"ledger", Failure, err.Error(), fix})
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

// hosts says which of them start this program.
func hosts(found []Found) []Finding {
	var findings []Finding
	for _, f := range found {
		switch {
		case f.Here:
			findings = append(findings, Finding{"host", OK, f.Title + " starts this program (" + f.File + ")", ""})
		case f.Other:
			findings = append(findings, Finding{"host", Warning, f.Title + " starts another wesendall-mcp (" + f.File + ")", f.Fix})
		default:
			findings = append(findings, Finding{"host", Warning, f.Title + " does not know this server (" + f.File + ")", f.Fix})
		}
	}
	if findings == nil {
		findings = append(findings, Finding{"host", Warning, "no host that is known here is on this machine", "wesendall-mcp config HOST prints what to do"})
	}
	return findings
}
