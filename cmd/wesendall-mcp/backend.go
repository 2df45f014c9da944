package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/observability"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
	"github.com/wesendall/wesendall-mcp/tools"
)

// backend is the API that the tools call.
type backend struct {
	tools.Options
	baseURL     string
	description string // for the user
	// walletNotice is guard.Options.WalletNotice.
	walletNotice string
	closeFn      func() error
	tools        *tools.Toolset // set by newServer

	metrics *observability.Metrics // nil for none
	tracer  *observability.Tracer  // nil for none
}

// newBackend chooses between Wesendall and the built-in sandbox. It sends no request.
func (cfg *Config) newBackend(ctx context.Context, env environment) (*backend, error) {
	if cfg.Sandbox {
		return cfg.newSandboxBackend(ctx)
	}
	creds, err := cfg.loadCredentials(env)
	if err != nil {
		return nil, err
	}
	api, err := cfg.newClient(cfg.BaseURL, creds.key, creds.secret)
	if err != nil {
		return nil, usageError{err}
	}
	b := &backend{baseURL: api.BaseURL(), closeFn: func() error { return nil }}
	if creds.problem != "" {
		b.NotConfiguredReason = creds.problem
		b.description = "no wallet (" + strings.TrimSuffix(creds.problem, ".") + ")"
		return b, nil
	}
	b.API, b.Wallet = api, creds.wallet
	b.description = "wallet " + creds.wallet
	if creds.wallet == "" {
		b.description = "any wallet, only for reading, because " + envWalletID + " is not set"
	}
	b.description += " at " + api.BaseURL() + ", credentials from " + creds.origin
	if b.walletNotice = creds.walletNotice(b.baseURL); b.walletNotice != "" {
		b.description += ", so every send needs a confirmation and top-ups are refused"
	}
	source, err := cfg.ledgerSource(b.baseURL)
	if err != nil {
		return nil, err
	}
	if source == "" {
		b.description += "; spends are recorded in memory and lost when this process ends"
	}
	return b, nil
}

func (cfg *Config) newSandboxBackend(ctx context.Context) (*backend, error) {
	server, err := sandbox.Start(ctx, "127.0.0.1:0",
		sandbox.Options{Balance: sandbox.DefaultBalance, WithSampleGroup: true})
	if err != nil {
		return nil, err
	}
	api, err := cfg.newClient(server.URL(), sandbox.APIKey, client.NewSecret(sandbox.APISecret))
	return &backend{
		Options:     tools.Options{API: api, Wallet: sandbox.WalletID, Sandbox: true},
		baseURL:     server.URL(),
		description: "the built-in sandbox, wallet " + sandbox.WalletID + "; nothing real is sent or charged",
		closeFn:     server.Close,
	}, err
}

// newMultiUserBackend is for a server over HTTP, which has many callers.
func (cfg *Config) newMultiUserBackend(ctx context.Context, env environment) (*backend, error) {
	if !cfg.Sandbox && cfg.TokenFile == "" {
		api, err := cfg.newClient(cfg.BaseURL, "", client.Secret{})
		if err != nil {
			return nil, usageError{err}
		}
		return &backend{
			Options: tools.Options{MultiUser: true}, baseURL: api.BaseURL(), closeFn: func() error { return nil },
			description: "each caller's own credentials at " + api.BaseURL(),
		}, nil
	}
	b, err := cfg.newBackend(ctx, env)
	if err != nil {
		return nil, err
	}
	b.MultiUser = true
	switch {
	case cfg.TokenFile == "":
		b.description = fmt.Sprintf("the built-in sandbox for callers with key %s, secret %s and wallet %s; "+
			"nothing real is sent or charged", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID)
	case b.API == nil || b.Wallet == "":
		reason := strings.TrimSuffix(b.NotConfiguredReason, ".")
		err := usageErrorf("--http-token-file: the server needs credentials and a wallet: %s", reason)
		return nil, errors.Join(err, b.closeFn())
	}
	return b, nil
}

// newClient returns a client of the API; the default base URL is Wesendall's.
func (*Config) newClient(baseURL, key string, secret client.Secret) (*client.Client, error) {
	return client.New(client.Options{BaseURL: baseURL, APIKey: key, APISecret: secret, UserAgent: userAgent()})
}

func userAgent() string { return "wesendall-mcp/" + version() }
