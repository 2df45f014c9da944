package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// The vendor's accounts besides the sandbox's own: another wallet, and another
// key for the sandbox's.
const (
	keyB, secretB, walletB = "sk_test_b", "ws_test_secret_b", "wal_b"
	key2, secret2          = "sk_test_second", "ws_test_secret_second"
)

func otherAccounts(balance int64) []sandbox.Account {
	return []sandbox.Account{
		{Key: keyB, Secret: secretB, Wallet: walletB, Balance: balance},
		{Key: key2, Secret: secret2, Wallet: sandbox.WalletID},
	}
}

// testCaller is one of many callers of a rig's guard.
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

// The callers of most tests: A, B with another wallet, and C with another key to
// A's wallet.
func (env *testEnv) newCallers() (a, b, c testCaller) {
	env.Helper()
	return env.newCaller("a", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID),
		env.newCaller("b", keyB, secretB, walletB), env.newCaller("c", key2, secret2, sandbox.WalletID)
}

// boundGuard is the caller's guard, made again as for each request.
func (s testCaller) boundGuard() *Guard { return s.guard.ForCaller(s.api, s.id, s.limits) }

func (s testCaller) send(message string, opts SpendOptions, to ...string) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.boundGuard().Send(context.Background(), client.SendRequest{WalletID: s.wallet, Message: message, Recipient: to}, opts)
	return receipt, s.asGuardError(err)
}

func (s testCaller) sendGroup(message string, opts SpendOptions) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.boundGuard().SendGroup(context.Background(), client.SendGroupRequest{WalletID: s.wallet, Message: message, GroupID: sandbox.GroupID}, opts)
	return receipt, s.asGuardError(err)
}

func (s testCaller) topUp(amount int64, opts SpendOptions, payer string) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.boundGuard().TopUp(context.Background(), client.TopUpRequest{WalletID: s.wallet, Amount: amount, PhoneNumber: payer}, opts)
	return receipt, s.asGuardError(err)
}

// spendFuncs is each way to spend, always the same.
func (s testCaller) spendFuncs() map[string]func(SpendOptions) (*Receipt, *Error) {
	return map[string]func(SpendOptions) (*Receipt, *Error){
		"send":   func(opts SpendOptions) (*Receipt, *Error) { return s.send("Hi", opts, phone1) },
		"group":  func(opts SpendOptions) (*Receipt, *Error) { return s.sendGroup("Hi", opts) },
		"top-up": func(opts SpendOptions) (*Receipt, *Error) { return s.topUp(500, opts, phone1) },
	}
}

// dumpLedger is all that the ledger has.
func (env *testEnv) dumpLedger() string {
	env.Helper()
	var lines []string
	for _, query := range []string{
		`SELECT id || ' ' || account || ' ' || caller || ' ' || tool || ' ' || state, total, user_asked FROM spends ORDER BY seq`,
		`SELECT account || ' ' || kind, kampala_day, total FROM daily_totals ORDER BY account, kind, kampala_day`,
		`SELECT 'spend_targets', count(*), 0 FROM spend_targets`,
	} {
		rows, err := env.db().QueryContext(context.Background(), query)
		if err != nil {
			env.Fatal(err)
		}
		for rows.Next() {
			var raw string
			var a, b int64
			if err := rows.Scan(&raw, &a, &b); err != nil {
				env.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(raw, " ", a, " ", b))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			env.Fatal(err)
		}
	}
	return strings.Join(lines, "\n")
}

// countGets counts the requests to a path from now on.
func (env *testEnv) countGets(path string) *atomic.Int64 {
	var n atomic.Int64
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, path) {
			n.Add(1)
		}
		pass(w)
	})
	return &n
}

func TestPriceCache_PerCaller(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, b, c := env.newCallers()
	balances := env.countGets("/balance")
	for i, want := range []int64{1, 1, 2, 2, 3, 3} {
		caller := []testCaller{a, a, c, c, b, b}[i]
		env.expectOK(func() (*Receipt, *Error) { return caller.send(fmt.Sprint("Hi ", i), SpendOptions{}, phone1) })
		if got := balances.Load(); got != want {
			t.Errorf("%s asked for the balance %d times, not %d", caller.id, got, want)
		}
	}
	a.wallet = walletB // which A's key does not open, though the price of A's own wallet is known
	env.expectError("wallet_forbidden", func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{}, phone1) })
	env.advance(priceTTL)
	env.expectOK(func() (*Receipt, *Error) { return b.send("Ho", SpendOptions{}, phone1) })
	if got := balances.Load(); got != 5 {
		t.Errorf("%d balances: a price is kept for too long", got)
	}
}

func TestRateLimit_PerCaller(t *testing.T) {
	t.Parallel()
	var delays atomic.Int64
	env := newTestEnv(t, 5000, func(o *Options) {
		o.Rate = 1 // and so five at once
		o.SleepFunc = func(context.Context, time.Duration) error { delays.Add(1); return nil }
	})
	a, b, _ := env.newCallers()
	read := func(caller testCaller) {
		if _, err := caller.boundGuard().Balance(t.Context(), client.BalanceRequest{WalletID: caller.wallet}); err != nil {
			t.Error(err)
		}
	}
	for range 5 {
		read(a)
	}
	if delays.Load() != 0 {
		t.Error("a burst had to wait")
	}
	read(a)
	if delays.Load() != 1 {
		t.Error("A's rate was forgotten between two requests")
	}
	read(b)
	if delays.Load() != 1 {
		t.Error("B waited for A's rate")
	}
}

func TestCallerCache_Eviction(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := newCallerCache()
	c.max = 3
	seat := func(id string) *callerState { return c.state(id, now.now(), 1) }
	for _, id := range []string{"a", "b", "c"} {
		seat(id).rate.ReserveN(now.now(), 1)
		seat(id).prices.put("w", cachedPrice{unitCost: 1, fetchedAt: now.now()})
	}
	if seat("d") != nil || len(c.states) != 3 {
		t.Fatal("a caller got a new rate limit")
	}
	now.advance(time.Second) // and all buckets are full again
	a := seat("a")
	if seat("d") == nil || seat("a") != a || len(c.states) != 3 {
		t.Error("A was here last, and lost the seat")
	}
	if p, ok := seat("c").prices.get("w"); !ok || p.unitCost != 1 {
		t.Error("C lost its price, and B was idle for longer")
	}
	a.rate.ReserveN(now.now(), 5) // owes nothing by the time that its price expires
	now.advance(priceTTL - time.Nanosecond)
	seat("c").lastUsed = now.now()
	now.advance(time.Nanosecond)
	for range 1000 { // owes for longer than a price is kept
		a.rate.ReserveN(now.now(), 1)
	}
	c.max = 10
	if seat("e"); len(c.states) != 3 || seat("a") != a || c.states["d"] != nil {
		t.Errorf("%d seats: only who was idle, and owes nothing, is forgotten", len(c.states))
	}
}

func TestCallerCache_Bounded(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	for i := range maxCallers + 10 {
		env.guard.ForCaller(nil, fmt.Sprint(i), nil).invalidatePrice("w")
	}
	if n := len(env.guard.callerStates.states); n != maxCallers || env.guard.callerStates.lru.Len() != n {
		t.Errorf("%d callers are kept", n)
	}
	var p priceCache
	p.byWallet = map[string]cachedPrice{}
	for i := range 10 * maxCachedWallets {
		p.put(fmt.Sprint(i), cachedPrice{unitCost: 1})
	}
	if last, ok := p.get(fmt.Sprint(10*maxCachedWallets - 1)); len(p.byWallet) > maxCachedWallets || !ok || last.unitCost != 1 {
		t.Errorf("%d wallets are kept", len(p.byWallet))
	}
	env.guard.callerStates.max = 0
	a, _, _ := env.newCallers()
	env.expectError(CodeRateLimited, func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{}, phone1) })
}

// Who cannot read the wallet's balance learns nothing of what was sent from it,
// and leaves nothing that would stop its owner.
func TestWalletAccess_Denied(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	a, _, _ := env.newCallers()
	quotes := map[string]string{}
	for name, spend := range a.spendFuncs() {
		quotes[name+" fresh"] = env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{DryRun: true}) }).Quote.ID
		quotes[name+" asked"] = env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return spend(SpendOptions{AskLater: true}) }).Quote.ID
		env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{Elicit: elicitYes}) })
	}
	before := env.dumpLedger()
	for name, c := range map[string]struct {
		who  testCaller
		code string
	}{
		"a wrong secret":             {env.newCaller("x", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
		"a key that was revoked":     {env.newCaller("x", "sk_test_revoked", "", sandbox.WalletID), "key_revoked"},
		"another's key":              {env.newCaller("x", keyB, secretB, sandbox.WalletID), "wallet_forbidden"},
		"the owner's id by accident": {env.newCaller("other", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
	} {
		for kind, spend := range c.who.spendFuncs() {
			freshID, asked := quotes[kind+" fresh"], quotes[kind+" asked"]
			for way, opts := range map[string]SpendOptions{
				"as it is": {}, "asking": {Elicit: elicitYes}, "a dry run": {DryRun: true}, "twice": {AllowDuplicate: true, Elicit: elicitYes},
				"a dry run of twice": {DryRun: true, AllowDuplicate: true}, "with a quote": {QuoteID: freshID},
				"no": {QuoteID: asked, Answer: AnswerNo, AskLater: true}, "no to both": {QuoteID: asked, PresentedQuoteID: freshID, Answer: AnswerNo, AskLater: true},
				"yes": {QuoteID: asked, Answer: AnswerYes, AskLater: true}, "an unknown quote": {QuoteID: "x"},
			} {
				failure := env.expectError(c.code, func() (*Receipt, *Error) { return spend(opts) })
				if failure.HTTPStatus < 401 || strings.Contains(failure.Message, "UGX") {
					t.Errorf("%s, %s, %s: %+v", name, kind, way, failure.Error)
				}
			}
		}
	}
	if after := env.dumpLedger(); after != before {
		t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
	}
	for name, spend := range a.spendFuncs() {
		env.advance(time.Minute)
		if _, failure := spend(SpendOptions{QuoteID: quotes[name+" asked"], Answer: AnswerYes, AskLater: true, AllowDuplicate: true}); failure == nil || failure.Code != CodeConfirmationRequired {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// Credentials may be withdrawn while a person thinks.
func TestWalletAccess_Revoked(t *testing.T) {
	t.Parallel()
	for kind := range (testCaller{}).spendFuncs() {
		env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		a, _, _ := env.newCallers()
		ask := func(context.Context, string) (Answer, error) {
			env.setFault(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"success":false,"error":{"code":"key_revoked","message":"Revoked."}}`))
			})
			return AnswerYes, nil
		}
		env.expectError("key_revoked", func() (*Receipt, *Error) { return a.spendFuncs()[kind](SpendOptions{Elicit: ask}) })
		if n := len(env.spends()); n != 0 {
			t.Errorf("%s: %d spends are written down", kind, n)
		}
	}
}

// The one caller of a server is who the operator chose: nothing is asked twice.
func TestWalletAccess_SingleUser(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	balances := env.countGets("/balance")
	id := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return env.topUp(500, SpendOptions{AskLater: true}, phone1) }).Quote.ID
	env.expectOK(func() (*Receipt, *Error) {
		return env.topUp(500, SpendOptions{QuoteID: id, Answer: AnswerYes, AskLater: true}, phone1)
	})
	env.expectError(CodeDeclined, func() (*Receipt, *Error) {
		return env.topUp(600, SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true}, phone1)
	})
	if got := balances.Load(); got != 1 {
		t.Errorf("the balance was asked for %d times", got)
	}
}

// A quote of another is one that does not exist, whichever state it is in; and
// nothing becomes of it.
func TestQuote_OtherCaller(t *testing.T) {
	t.Parallel()
	for kind := range (testCaller{}).spendFuncs() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, 0 })
			a, b, c := env.newCallers()
			groups := mutableBody(groupsBody(2)) // for B too
			env.setResponse("/groups", groups)
			spend := a.spendFuncs()[kind]
			freshID := env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{DryRun: true}) }).Quote.ID
			asked := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return spend(SpendOptions{AskLater: true}) }).Quote.ID
			usedID := env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{DryRun: true}) }).Quote.ID
			env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{QuoteID: usedID}) })
			env.advance(time.Second)
			before := env.dumpLedger()
			for _, caller := range []testCaller{b, c} {
				spendAsOther := caller.spendFuncs()[kind]
				none := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return spendAsOther(SpendOptions{QuoteID: "none"}) }).Message
				for _, id := range []string{freshID, asked, usedID} {
					if got := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return spendAsOther(SpendOptions{QuoteID: id}) }); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", caller.id, got.Message)
					}
					if got := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) {
						return spendAsOther(SpendOptions{QuoteID: id, Answer: AnswerYes, AskLater: true})
					}); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", caller.id, got.Message)
					}
					env.expectError(CodeDeclined, func() (*Receipt, *Error) {
						return spendAsOther(SpendOptions{QuoteID: id, Answer: AnswerNo, AskLater: true})
					})
					env.expectError(CodeDeclined, func() (*Receipt, *Error) {
						return spendAsOther(SpendOptions{QuoteID: "none", PresentedQuoteID: id, Answer: AnswerNo, AskLater: true})
					})
				}
			}
			if after := env.dumpLedger(); after != before {
				t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
			}
			// Its own caller can use it on another wallet as little.
			a.wallet = walletB
			a.api = b.api
			if got := env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return a.spendFuncs()[kind](SpendOptions{QuoteID: freshID}) }); !strings.Contains(got.Message, "there is no such quote") {
				t.Error(got.Message)
			}
			env.expectError(CodeDeclined, func() (*Receipt, *Error) {
				return a.spendFuncs()[kind](SpendOptions{QuoteID: freshID, Answer: AnswerNo, AskLater: true})
			})
			env.expectOK(func() (*Receipt, *Error) { return spend(SpendOptions{QuoteID: freshID}) })
			env.advance(time.Second)
			env.expectOK(func() (*Receipt, *Error) {
				return spend(SpendOptions{QuoteID: asked, Answer: AnswerYes, AskLater: true})
			})
		})
	}
}

// Two keys on one wallet are one account: what the one sent is a duplicate of the
// other's, and both spend one budget.
func TestWallet_TwoKeys(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 100, 900 })
	a, b, c := env.newCallers()
	id := env.expectOK(func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{DryRun: true}, phone1) }).Quote.ID
	env.expectOK(func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{QuoteID: id}, phone1) })
	got := env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return c.send("Hi", SpendOptions{}, phone1) })
	if got.Quote != nil || got.SpendID != "" || strings.Contains(fmt.Sprintf("%+v", *got.Error), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	got = env.expectError(CodeConfirmationRequired, func() (*Receipt, *Error) { return c.send("Hi", SpendOptions{AllowDuplicate: true}, phone1) })
	if strings.Contains(fmt.Sprintf("%+v %+v", *got.Error, *got.Quote), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	env.expectOK(func() (*Receipt, *Error) { return c.send("Ho", SpendOptions{}, phone1) })
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return c.send("He", SpendOptions{}, phone1) })
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return a.send("He", SpendOptions{}, phone1) })
	env.expectOK(func() (*Receipt, *Error) { return a.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) })
	env.expectError(CodeDuplicateSend, func() (*Receipt, *Error) { return c.topUp(500, SpendOptions{Elicit: elicitYes}, phone1) })
	env.expectError(CodeLimitExceeded, func() (*Receipt, *Error) { return c.topUp(501, SpendOptions{Elicit: elicitYes}, phone1) })
	env.expectOK(func() (*Receipt, *Error) { return b.send("Hi", SpendOptions{}, phone1, phone2) }) // another wallet, and nothing of that
	var callers []string
	for _, s := range env.spends() {
		callers = append(callers, s.Caller)
	}
	if !slices.Equal(callers, []string{"a", "c", "a", "b"}) {
		t.Error(callers)
	}
}

// A vendor that is lenient about a wallet's spelling must not give it as many
// budgets.
func TestWallet_Spelling(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	a, _, _ := env.newCallers()
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(r.URL.Path, "/balance") {
			_, _ = fmt.Fprintf(w, `{"success":true,"data":{"wallet_id":%q,"balance":5000,"cost_per_sms":35}}`, sandbox.WalletID)
			return
		}
		pass(w)
	})
	for _, spelling := range []string{"WAL_sandbox", sandbox.WalletID + " "} {
		a.wallet = spelling
		for name, spend := range a.spendFuncs() {
			failure := env.expectError(CodeInvalidArguments, func() (*Receipt, *Error) { return spend(SpendOptions{DryRun: true}) })
			if !strings.Contains(failure.Message, sandbox.WalletID) {
				t.Errorf("%s: %s", name, failure.Message)
			}
		}
	}
	a.wallet = "another form" // of which nobody says that it is another's
	env.expectOK(func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{DryRun: true}, phone1) })
}

func TestCallerID_Stable(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	id := func(parts ...string) string {
		env.Helper()
		id, err := env.guard.CallerID(t.Context(), parts...)
		if err != nil || !strings.HasPrefix(id, "basic-") || len(id) != len("basic-")+32 {
			t.Fatal(id, err)
		}
		return id
	}
	first := id("key", "secret")
	seen := []string{first}
	for _, parts := range [][]string{{"key", "other"}, {"other", "secret"}, {"keysecret"}, {"keys", "ecret"}, {"secret", "key"}, {}} {
		seen = append(seen, id(parts...))
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 7 {
		t.Errorf("only %d of 7 ids differ", n)
	}
	env.restart()
	if again := id("key", "secret"); again != first {
		t.Errorf("%s became %s", first, again)
	}
	env.ledgerSource = filepath.Join(t.TempDir(), "other.db")
	env.restart()
	if other := id("key", "secret"); other == first {
		t.Error("an id can be made without the ledger's key")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := env.guard.CallerID(ctx, "key", "secret"); err == nil {
		t.Error(id)
	}
}

// Without the ledger callers are told apart, and read; nothing is spent, nor
// written down under an id that nobody will have again.
func TestLedgerDown_ReadsOnly(t *testing.T) {
	t.Parallel()
	var tried, down atomic.Int64
	down.Store(1)
	var file string
	env := newTestEnv(t, 5000, func(o *Options) {
		o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
			if tried.Add(1); down.Load() == 1 {
				return nil, errors.New("its disk is gone: /secret/path")
			}
			return ledger.Open(ctx, file, o)
		}
	})
	file = env.ledgerSource
	a, _, _ := env.newCallers()
	id := func() string {
		env.Helper()
		id, err := env.guard.CallerID(t.Context(), "key", "secret")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	a.id = id()
	other, err := env.guard.CallerID(t.Context(), "key", "wrong")
	if err != nil || other == a.id || id() != a.id || tried.Load() != 1 {
		t.Errorf("%s, %s, %s, tried %d times", a.id, other, id(), tried.Load())
	}
	if _, err := a.boundGuard().Balance(t.Context(), client.BalanceRequest{WalletID: a.wallet}); err != nil {
		t.Error(err)
	}
	for name, spend := range a.spendFuncs() {
		for _, opts := range []SpendOptions{{}, {DryRun: true}, {Elicit: elicitYes}, {QuoteID: "x", Answer: AnswerNo}, {QuoteID: "x", Answer: AnswerYes}} {
			if failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return spend(opts) }); strings.Contains(failure.Message, "/secret") {
				t.Errorf("%s: %s", name, failure.Message)
			}
		}
	}
	down.Store(0)
	for _, spend := range a.spendFuncs() {
		for _, opts := range []SpendOptions{{}, {DryRun: true}} {
			if failure := env.expectError(CodeNotConfigured, func() (*Receipt, *Error) { return spend(opts) }); failure.Retry != client.RetryLater {
				t.Errorf("%+v", failure.Error)
			}
		}
	}
	if rows := env.dumpLedger(); rows != "spend_targets 0 0" {
		t.Error(rows)
	}
	a.id = id() // made again, as for each request
	env.expectOK(func() (*Receipt, *Error) { return a.send("Hi", SpendOptions{}, phone1) })
	if a.id != id() || !strings.HasPrefix(env.spends()[0].Caller, "basic-") {
		t.Error(a.id, env.spends()[0].Caller)
	}
}

// A ledger that takes long to fail holds up one call, and not every one.
func TestLedgerDown_OneProbe(t *testing.T) {
	t.Parallel()
	opening, proceed := make(chan struct{}), make(chan struct{})
	var tried atomic.Int64
	env := newTestEnv(t, 5000, func(o *Options) {
		o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) {
			if tried.Add(1) == 1 {
				return nil, errors.New("away")
			}
			close(opening)
			<-proceed
			return ledger.Open(ctx, "", o)
		}
	})
	id := func() string {
		id, err := env.guard.CallerID(t.Context(), "key", "secret")
		if err != nil {
			t.Error(err)
		}
		return id
	}
	first := id()
	env.advance(reopenInterval)
	var wg sync.WaitGroup
	var lateID string
	wg.Go(func() { lateID = id() })
	<-opening
	if again := id(); again != first {
		t.Errorf("%s became %s", first, again)
	}
	close(proceed)
	wg.Wait()
	if !strings.HasPrefix(lateID, "basic-") || id() != lateID {
		t.Error(lateID, id())
	}
}
