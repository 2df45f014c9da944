// Package callers finds out whose a request over HTTP is: of somebody with
// credentials of their own, or with a token that the operator gave out.
//
// It keeps no credentials of a request beyond it, and never writes any down.
package callers

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
	"github.com/wesendall/wesendall-mcp/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// longest is how long a key, a secret, a token or a wallet's name may be.
const longest = 512

// placeholder is a value that somebody forgot to replace.
var placeholder = regexp.MustCompile(`\$\{|(?i:^\s*your[-_ ])|^\s*<.*>\s*$`)

// Own takes the credentials that each request brings: its key and secret by
// Basic authentication, its wallet in a header of its own.
type Own struct {
	// API is the vendor's, with a caller's credentials.
	API func(key string, secret client.Secret) (guard.API, error)
	// ID is a keyed hash: it tells callers apart, and nobody can find out from it
	// what it was made of.
	ID func(ctx context.Context, parts ...string) (string, error)
}

// Challenge asks for a key and a secret.
func (Own) Challenge() string { return `Basic realm="wesendall", charset="UTF-8"` }

// Identify reads the credentials of a request.
func (o Own) Identify(h http.Header) (func(context.Context) (tools.Caller, error), error) {
	coded, given, err := authorization(h, "Basic")
	if err != nil || !given {
		return nil, err
	}
	text, err := base64.StdEncoding.Strict().DecodeString(coded)
	if err != nil {
		return nil, errors.New("the credentials after Basic are not base64 of KEY:SECRET")
	}
	key, secret, whole := strings.Cut(string(text), ":")
	switch {
	case !whole || key == "" || secret == "":
		return nil, errors.New("the credentials must be KEY:SECRET, in base64")
	case !clean(key) || !clean(secret):
		return nil, errors.New("the key or the secret is too long, or has characters that none has")
	case placeholder.MatchString(key) || placeholder.MatchString(secret):
		return nil, errors.New("the key or the secret is still a placeholder")
	}
	sealed := client.NewSecret(secret)
	return func(ctx context.Context) (tools.Caller, error) {
		wallet, err := walletOf(h)
		if err != nil {
			return tools.Caller{}, err
		}
		if wallet == "" {
			return tools.Caller{}, errors.New("the " + tools.WalletHeader + " header must name the wallet that the call is about")
		}
		api, err := o.API(key, sealed)
		if err != nil {
			return tools.Caller{}, err
		}
		id, err := o.ID(ctx, key, sealed.Reveal())
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{ID: id, API: api, Wallet: wallet}, nil
	}, nil
}

// authorization is what a request presents under a scheme. Two are not half of
// something: nobody knows which of them was meant.
func authorization(h http.Header, scheme string) (text string, given bool, err error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", false, errors.New("there is more than one Authorization header")
	}
	if placeholder.MatchString(values[0]) {
		return "", false, errors.New("the Authorization header is still a placeholder")
	}
	said, text, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if !strings.EqualFold(said, scheme) {
		return "", false, errors.New("the Authorization header must begin with " + scheme)
	}
	return strings.TrimLeft(text, " "), true, nil
}

// walletOf is the wallet that a request names, or "".
func walletOf(h http.Header) (string, error) {
	values := h.Values(tools.WalletHeader)
	if len(values) == 0 {
		return "", nil
	}
	wallet := strings.TrimSpace(values[0])
	switch {
	case len(values) > 1:
		return "", errors.New("there is more than one " + tools.WalletHeader + " header")
	case placeholder.MatchString(wallet):
		return "", errors.New("the " + tools.WalletHeader + " header is still a placeholder")
	case !clean(wallet):
		return "", errors.New("the " + tools.WalletHeader + " header is too long, or has characters that no wallet's name has")
	}
	return wallet, nil
}

// clean tells whether a text may be what it is presented as.
func clean(text string) bool {
	return len(text) <= longest && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
