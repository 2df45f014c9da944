// Package auth finds out who calls over HTTP: a caller who brings Wesendall credentials (Basic)
// or one with a token that the operator issued (Bearer).
//
// It keeps no credentials beyond their request and never logs or stores them.
package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
	"github.com/wesendall/wesendall-mcp/tools"
)

// BasicAuth accepts the Wesendall key and secret of each request by Basic authentication, and
// its wallet in the header tools.WalletHeader.
type BasicAuth struct {
	// NewClient returns an API client with a caller's credentials.
	NewClient func(key string, secret client.Secret) (guard.API, error)
	// CallerID returns a keyed hash that tells callers apart and does not reveal the parts.
	CallerID func(ctx context.Context, parts ...string) (string, error)
}

// Challenge returns the WWW-Authenticate header that asks for a key and a secret.
func (BasicAuth) Challenge() string { return `Basic realm="wesendall", charset="UTF-8"` }

// Authenticate reads the credentials of a request. It returns nil and no error if there are
// none. The function it returns makes the client; it fails if the wallet header is missing or
// invalid.
func (a BasicAuth) Authenticate(h http.Header) (CallerFunc, error) {
	encoded, present, err := authorizationHeader(h, "Basic")
	if err != nil || !present {
		return nil, err
	}
	key, rawSecret, err := decodeBasic(encoded)
	if err != nil {
		return nil, err
	}
	secret := client.NewSecret(rawSecret)
	return func(ctx context.Context) (tools.Caller, error) {
		wallet, err := walletHeader(h)
		if err != nil {
			return tools.Caller{}, err
		}
		if wallet == "" {
			return tools.Caller{}, errors.New("the " + tools.WalletHeader + " header must name the wallet of the call")
		}
		if strings.Contains(wallet, secret.Reveal()) {
			return tools.Caller{}, errors.New("the " + tools.WalletHeader + " header contains the secret")
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

// decodeBasic splits base64 of KEY:SECRET (RFC 7617). Its errors quote nothing.
func decodeBasic(encoded string) (key, secret string, err error) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", "", errors.New("the credentials after Basic are not base64 of KEY:SECRET")
	}
	key, secret, hasColon := strings.Cut(string(decoded), ":")
	switch {
	case !hasColon || key == "" || secret == "":
		return "", "", errors.New("the credentials must be KEY:SECRET, in base64")
	case !isValidCredential(key) || !isValidCredential(secret):
		return "", "", errors.New("the key or the secret is too long or has invalid characters")
	case sanitize.Placeholder(key) != "" || sanitize.Placeholder(secret) != "":
		return "", "", errors.New("the key or the secret is still a placeholder")
	}
	return key, secret, nil
}
