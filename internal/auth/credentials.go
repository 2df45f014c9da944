package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	"github.com/wesendall/wesendall-mcp/tools"
)

// CallerFunc returns the caller of one tool call.
type CallerFunc = func(context.Context) (tools.Caller, error)

// maxCredentialLen limits a key, a secret, a token and a wallet id, in bytes.
const maxCredentialLen = 512

// authorizationHeader returns the credentials that a request presents under a scheme.
// present is false without an Authorization header. More than one header is an error, because
// nothing tells which of them counts.
func authorizationHeader(h http.Header, scheme string) (credentials string, present bool, err error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", false, errors.New("there is more than one Authorization header")
	}
	if sanitize.Placeholder(values[0]) != "" {
		return "", false, errors.New("the Authorization header is still a placeholder")
	}
	gotScheme, credentials, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(gotScheme, scheme) {
		return "", false, errors.New("the Authorization header must begin with " + scheme)
	}
	return strings.TrimLeft(credentials, " "), true, nil
}

// walletHeader returns the wallet that a request names, or "".
func walletHeader(h http.Header) (string, error) {
	values := h.Values(tools.WalletHeader)
	if len(values) == 0 {
		return "", nil
	}
	wallet := strings.TrimSpace(values[0])
	switch {
	case len(values) > 1:
		return "", errors.New("there is more than one " + tools.WalletHeader + " header")
	case sanitize.Placeholder(wallet) != "":
		return "", errors.New("the " + tools.WalletHeader + " header is still a placeholder")
	case !isValidCredential(wallet):
		return "", errors.New("the " + tools.WalletHeader + " header is too long or has invalid characters")
	}
	return wallet, nil
}

// isValidCredential tells whether a value can be a key, a secret or a wallet id.
func isValidCredential(value string) bool {
	return len(value) <= maxCredentialLen && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}
