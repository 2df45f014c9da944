package guard

import (
	"context"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// testCaller is one of several callers of an environment's guard.
type testCaller struct {
	*testEnv
	api    API
	id     string
	wallet string
	limits *Limits
}

func (env *testEnv) newCaller(id, key, secret, wallet string) testCaller {
	env.Helper()
	c, err := client.New(client.Options{
		BaseURL: env.url, APIKey: key, APISecret: client.NewSecret(secret),
		SleepFunc: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		env.Fatal(err)
	}
	return testCaller{testEnv: env, api: c, id: id, wallet: wallet}
}

// newCallers returns three callers: A, B with another wallet, and C with another
// key for A's wallet.
func (env *testEnv) newCallers() (a, b, c testCaller) {
	env.Helper()
	return env.newCaller("a", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID),
		env.newCaller("b", keyB, secretB, walletB), env.newCaller("c", key2, secret2, sandbox.WalletID)
}

// newTokenCaller returns a caller with the server's credentials and its own limits.
func (env *testEnv) newTokenCaller(name string, change func(*Limits)) testCaller {
	env.Helper()
	s := env.newCaller(name, sandbox.APIKey, sandbox.APISecret, sandbox.WalletID)
	limits := Unlimited()
	if change != nil {
		change(&limits)
	}
	s.limits = &limits
	return s
}

// boundGuard returns the caller's guard, newly made as for each request.
func (s testCaller) boundGuard() *Guard { return s.guard.ForCaller(s.api, s.id, s.limits) }

func (s testCaller) send(message string, opts SpendOptions, to ...string) (*Receipt, *Error) {
	s.Helper()
	request := client.SendRequest{WalletID: s.wallet, Message: message, Recipient: to}
	receipt, err := s.boundGuard().Send(context.Background(), request, opts)
	return receipt, s.asGuardError(err)
}

func (s testCaller) sendGroup(message string, opts SpendOptions) (*Receipt, *Error) {
	s.Helper()
	request := client.SendGroupRequest{WalletID: s.wallet, Message: message, GroupID: sandbox.GroupID}
	receipt, err := s.boundGuard().SendGroup(context.Background(), request, opts)
	return receipt, s.asGuardError(err)
}

func (s testCaller) topUp(amount int64, opts SpendOptions, payer string) (*Receipt, *Error) {
	s.Helper()
	request := client.TopUpRequest{WalletID: s.wallet, Amount: amount, PhoneNumber: payer}
	receipt, err := s.boundGuard().TopUp(context.Background(), request, opts)
	return receipt, s.asGuardError(err)
}

// spendFuncs are the three ways to spend, each with fixed arguments.
func (s testCaller) spendFuncs() map[string]func(SpendOptions) (*Receipt, *Error) {
	return map[string]func(SpendOptions) (*Receipt, *Error){
		"send":   func(opts SpendOptions) (*Receipt, *Error) { return s.send("Hi", opts, phone1) },
		"group":  func(opts SpendOptions) (*Receipt, *Error) { return s.sendGroup("Hi", opts) },
		"top-up": func(opts SpendOptions) (*Receipt, *Error) { return s.topUp(500, opts, phone1) },
	}
}
