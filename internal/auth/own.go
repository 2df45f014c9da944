// Package callers finds out whose a request over HTTP is: of somebody with
// credentials of their own, or with a token that the operator gave out.
//
// It keeps no credentials of a request beyond it, and never writes any down.
package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// maxCredentialLen is how long a key, a secret, a token or a wallet's name may be.
const maxCredentialLen = 512

// placeholderPattern is a value that somebody forgot to replace.
var placeholderPattern = regexp.MustCompile(`\$\{|(?i:^\s*your[-_ ])|^\s*<.*>\s*$`)

// BasicAuth takes the credentials that each request brings: its key and secret by
// Basic authentication, its wallet in a header of its own.
type BasicAuth struct {
	// API is the vendor's, with a caller's credentials.
	NewClient func(key string, secret client.Secret) (guard.API, error)
	// ID is a keyed hash: it tells callers apart, and nobody can find out from it
	// what it was made of.
	CallerID func(ctx context.Context, parts ...string) (string, error)
}

// Challenge asks for a key and a secret.
func (BasicAuth) Challenge() string { return `Basic realm="wesendall", charset="UTF-8"` }

// Authenticate reads the credentials of a request.
func (a BasicAuth) Authenticate(h http.Header) (func(context.Context) (tools.Caller, error), error) {
	encoded, present, err := authorizationHeader(h, "Basic")
	if err != nil || !present {
		return nil, err
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("the credentials after Basic are not base64 of KEY:SECRET")
	}
	key, rawSecret, hasColon := strings.Cut(string(decoded), ":")
	switch {
	case !hasColon || key == "" || rawSecret == "":
		return nil, errors.New("the credentials must be KEY:SECRET, in base64")
	case !isValidCredential(key) || !isValidCredential(rawSecret):
		return nil, errors.New("the key or the secret is too long, or has characters that none has")
	case placeholderPattern.MatchString(key) || placeholderPattern.MatchString(rawSecret):
		return nil, errors.New("the key or the secret is still a placeholder")
	}
	secret := client.NewSecret(rawSecret)
	return func(ctx context.Context) (tools.Caller, error) {
		wallet, err := walletHeader(h)
		if err != nil {
			return tools.Caller{}, err
		}
		if wallet == "" {
			return tools.Caller{}, errors.New("the " + tools.WalletHeader + " header must name the wallet that the call is about")
		}
		api, err := a.NewClient(key, secret)
		if err != nil {
			return tools.Caller{}, err
		}
		id, err := a.CallerID(ctx, key, secret.Reveal())
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{ID: id, Client: api, Wallet: wallet}, nil
	}, nil
}

// authorizationHeader is what a request presents under a scheme. Two are not half of
// something: nobody knows which of them was meant.
func authorizationHeader(h http.Header, scheme string) (credentials string, present bool, err error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", false, errors.New("there is more than one Authorization header")
	}
	if placeholderPattern.MatchString(values[0]) {
		return "", false, errors.New("the Authorization header is still a placeholder")
	}
	gotScheme, credentials, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(gotScheme, scheme) {
		return "", false, errors.New("the Authorization header must begin with " + scheme)
	}
	return strings.TrimLeft(credentials, " "), true, nil
}

// walletHeader is the wallet that a request names, or "".
func walletHeader(h http.Header) (string, error) {
	values := h.Values(tools.WalletHeader)
	if len(values) == 0 {
		return "", nil
	}
	wallet := strings.TrimSpace(values[0])
	switch {
	case len(values) > 1:
		return "", errors.New("there is more than one " + tools.WalletHeader + " header")
	case placeholderPattern.MatchString(wallet):
		return "", errors.New("the " + tools.WalletHeader + " header is still a placeholder")
	case !isValidCredential(wallet):
		return "", errors.New("the " + tools.WalletHeader + " header is too long, or has characters that no wallet's name has")
	}
	return wallet, nil
}

// isValidCredential tells whether a text may be what it is presented as.
func isValidCredential(value string) bool {
	return len(value) <= maxCredentialLen && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}
