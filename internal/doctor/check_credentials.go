package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
)

const checkAddress = "check WESENDALL_BASE_URL, and HTTPS_PROXY if there is a proxy"

// checkCredentials asks for one balance. The answer also has the server's time.
func (o Options) checkCredentials(ctx context.Context) []Finding {
	if o.CredentialProblem != "" {
		return []Finding{failure("credentials", strings.TrimSuffix(o.CredentialProblem, "."),
			"the values are on the page API of the dashboard; wesendall-mcp config HOST creates a file for them")}
	}
	var findings []Finding
	if o.WalletNotice != "" {
		findings = append(findings, warning("wallet", o.WalletNotice+": every send needs a confirmation, and top-ups are refused",
			"if the wallet is yours, wesendall-mcp config HOST creates a file for the credentials"))
	}
	if o.Wallet == "" {
		findings = append(findings, failure("wallet", "WESENDALL_WALLET_ID is not set: only reading works",
			"set it to the id next to the API keys"))
	}
	response, err := o.API.Balance(ctx, client.BalanceRequest{WalletID: o.Wallet})
	if err != nil {
		findings = append(findings, explainBalanceError(err, o.Wallet))
		if apiErr, isAPIError := errors.AsType[*client.Error](err); isAPIError && apiErr.Status != 0 {
			findings = append(findings, o.checkClock(apiErr.ServerTime))
		}
		return findings
	}
	return append(findings, checkBalance(response.Data), o.checkClock(response.ServerTime))
}

// checkBalance checks that the answer has what pricing needs.
func checkBalance(data json.RawMessage) Finding {
	var balance struct {
		UGX        *float64 `json:"balance"`
		CostPerSMS float64  `json:"cost_per_sms"`
	}
	if json.Unmarshal(data, &balance) != nil || balance.UGX == nil || balance.CostPerSMS <= 0 {
		return failure("credentials", "the answer has no balance or no price, so nothing can be sent", checkAddress)
	}
	return ok("credentials",
		fmt.Sprintf("accepted; the wallet holds UGX %.10g, a unit costs UGX %.10g", *balance.UGX, balance.CostPerSMS))
}

// maxClockSkew is small enough for TLS and for the day of the budget.
const maxClockSkew = 2 * time.Minute

func (o Options) checkClock(serverTime time.Time) Finding {
	if serverTime.IsZero() {
		return warning("clock", "Wesendall's answer has no date to compare with", "")
	}
	if skew := o.Now().Sub(serverTime); skew.Abs() > maxClockSkew {
		return warning("clock", fmt.Sprintf("this machine's clock differs by %s from Wesendall's", skew.Round(time.Second)),
			"set the clock from the network: TLS and the day of the budget depend on it")
	}
	return ok("clock", fmt.Sprintf("within %s of Wesendall's", maxClockSkew))
}

// explainBalanceError says why the balance call failed, and what to do.
func explainBalanceError(err error, wallet string) Finding {
	fix := "compare the key, the secret and the wallet with the dashboard"
	apiErr, isAPIError := errors.AsType[*client.Error](err)
	switch {
	case !isAPIError:
	case apiErr.Code == client.CodeKeyRevoked:
		fix = "create a new key in the dashboard"
	case apiErr.Code == client.CodeWalletForbidden:
		fix = "WESENDALL_WALLET_ID must be a wallet of the key's owner"
	case apiErr.Code == client.CodeValidationFailed && wallet == "":
		return warning("credentials", "accepted, as far as can be checked without a wallet", "set WESENDALL_WALLET_ID")
	case isUnknownAuthority(err):
		fix = "if a proxy or an own authority signs the certificate, name its file: SSL_CERT_FILE=FILE (on Linux); " +
			"on macOS and Windows add it to the system's store"
	case apiErr.Status == 0:
		fix = "check the network. Then " + checkAddress
	case apiErr.Status >= 300 && apiErr.Status < 400, apiErr.Status == 404:
		fix = "WESENDALL_BASE_URL must be the address of the API itself"
	case apiErr.Status >= 500 || apiErr.Status == 429:
		fix = "try again later"
	case apiErr.Status < 300:
		fix = "something else answers there, such as a proxy's page: " + checkAddress
	}
	return failure("credentials", err.Error(), fix)
}

// isUnknownAuthority tells whether the certificate was signed by nobody that this machine trusts.
func isUnknownAuthority(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return unknown
}
