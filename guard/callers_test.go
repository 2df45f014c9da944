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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// The vendor's accounts besides the sandbox's own: another wallet, and another
// key for the sandbox's.
const (
	keyB, secretB, walletB = "sk_test_b", "ws_test_secret_b", "wal_b"
	key2, secret2          = "sk_test_second", "ws_test_secret_second"
)

func others(balance int64) []sandbox.Account {
	return []sandbox.Account{
		{Key: keyB, Secret: secretB, Wallet: walletB, Balance: balance},
		{Key: key2, Secret: secret2, Wallet: sandbox.WalletID},
	}
}

// somebody is one of many callers of a rig's guard.
type somebody struct {
	*rig
	api    API
	id     string
	wallet string
	own    *Limits
}

func (r *rig) caller(id, key, secret, wallet string) somebody {
	r.Helper()
	c, err := client.New(client.Options{
		BaseURL: r.url, Key: key, Secret: client.NewSecret(secret),
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		r.Fatal(err)
	}
	return somebody{rig: r, api: c, id: id, wallet: wallet}
}

// The callers of most tests: A, B with another wallet, and C with another key to
// A's wallet.
func (r *rig) callers() (a, b, c somebody) {
	r.Helper()
	return r.caller("a", sandbox.APIKey, sandbox.APISecret, sandbox.WalletID),
		r.caller("b", keyB, secretB, walletB), r.caller("c", key2, secret2, sandbox.WalletID)
}

// at is the caller's guard, made anew as for each request.
func (s somebody) at() *Guard { return s.guard.For(s.api, s.id, s.own) }

func (s somebody) send(message string, how How, to ...string) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.at().Send(context.Background(), client.SendRequest{WalletID: s.wallet, Message: message, Recipient: to}, how)
	return receipt, s.ours(err)
}

func (s somebody) sendGroup(message string, how How) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.at().SendGroup(context.Background(), client.GroupSendRequest{WalletID: s.wallet, Message: message, GroupID: sandbox.GroupID}, how)
	return receipt, s.ours(err)
}

func (s somebody) topUp(amount int64, how How, payer string) (*Receipt, *Error) {
	s.Helper()
	receipt, err := s.at().TopUp(context.Background(), client.TopUpRequest{WalletID: s.wallet, Amount: amount, PhoneNumber: payer}, how)
	return receipt, s.ours(err)
}

// spending is each way to spend, always the same.
func (s somebody) spending() map[string]func(How) (*Receipt, *Error) {
	return map[string]func(How) (*Receipt, *Error){
		"send":   func(how How) (*Receipt, *Error) { return s.send("Hi", how, one) },
		"group":  func(how How) (*Receipt, *Error) { return s.sendGroup("Hi", how) },
		"top-up": func(how How) (*Receipt, *Error) { return s.topUp(500, how, one) },
	}
}

// written is all that the ledger has.
func (r *rig) written() string {
	r.Helper()
	l, err := r.guard.ledger(context.Background())
	if err != nil {
		r.Fatal(err)
	}
	var all []string
	for _, query := range []string{
		`SELECT id || ' ' || account || ' ' || caller || ' ' || tool || ' ' || state, total, asked FROM spends ORDER BY seq`,
		`SELECT account || ' ' || kind, day, total FROM days ORDER BY account, kind, day`,
		`SELECT 'covered', count(*), 0 FROM covered`,
	} {
		rows, err := l.db.QueryContext(context.Background(), query)
		if err != nil {
			r.Fatal(err)
		}
		for rows.Next() {
			var text string
			var a, b int64
			if err := rows.Scan(&text, &a, &b); err != nil {
				r.Fatal(err)
			}
			all = append(all, fmt.Sprint(text, " ", a, " ", b))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			r.Fatal(err)
		}
	}
	return strings.Join(all, "\n")
}

// gets counts the requests to a path from now on.
func (r *rig) gets(path string) *atomic.Int64 {
	var n atomic.Int64
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, path) {
			n.Add(1)
		}
		pass(w)
	})
	return &n
}

func TestAPriceIsKeptForItsCallerAndWallet(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	a, b, c := r.callers()
	balances := r.gets("/balance")
	for i, want := range []int64{1, 1, 2, 2, 3, 3} {
		who := []somebody{a, a, c, c, b, b}[i]
		r.works(func() (*Receipt, *Error) { return who.send(fmt.Sprint("Hi ", i), How{}, one) })
		if got := balances.Load(); got != want {
			t.Errorf("%s asked for the balance %d times, not %d", who.id, got, want)
		}
	}
	a.wallet = walletB // which A's key does not open, though the price of A's own wallet is known
	r.fails("wallet_forbidden", func() (*Receipt, *Error) { return a.send("Hi", How{}, one) })
	r.pass(priceTime)
	r.works(func() (*Receipt, *Error) { return b.send("Ho", How{}, one) })
	if got := balances.Load(); got != 5 {
		t.Errorf("%d balances: a price is kept for too long", got)
	}
}

func TestTheRateIsOfEachCaller(t *testing.T) {
	t.Parallel()
	var slept atomic.Int64
	r := newRig(t, 5000, func(o *Options) {
		o.Rate = 1 // and so five at once
		o.Sleep = func(context.Context, time.Duration) error { slept.Add(1); return nil }
	})
	a, b, _ := r.callers()
	read := func(who somebody) {
		if _, err := who.at().Balance(t.Context(), client.BalanceRequest{WalletID: who.wallet}); err != nil {
			t.Error(err)
		}
	}
	for range 5 {
		read(a)
	}
	if slept.Load() != 0 {
		t.Error("a burst had to wait")
	}
	read(a)
	if slept.Load() != 1 {
		t.Error("A's rate was forgotten between two requests")
	}
	read(b)
	if slept.Load() != 1 {
		t.Error("B waited for A's rate")
	}
}

func TestSeatsAreTakenAwayFromWhoLosesNothing(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := newCallers()
	c.most = 3
	seat := func(id string) *seat { return c.seat(id, now.now(), 1) }
	for _, id := range []string{"a", "b", "c"} {
		seat(id).rate.take(now.now())
		seat(id).prices.keep("w", price{cost: 1, at: now.now()})
	}
	if seat("d") != nil || len(c.seats) != 3 {
		t.Fatal("somebody's rate began anew")
	}
	now.pass(time.Second) // and all buckets are full again
	a := seat("a")
	if seat("d") == nil || seat("a") != a || len(c.seats) != 3 {
		t.Error("A was here last, and lost the seat")
	}
	if got := seat("c"); got.prices.of("w").cost != 1 {
		t.Error("C lost its price, and B was idle for longer")
	}
	a.rate.tokens = -100
	now.pass(priceTime - time.Nanosecond)
	seat("c").used = now.now()
	now.pass(time.Nanosecond)
	a.rate.tokens, a.rate.at = -1000, now.now() // owes for longer than a price holds
	c.most = 10
	if seat("e"); len(c.seats) != 3 || seat("a") != a || c.seats["d"] != nil {
		t.Errorf("%d seats: only who was idle, and owes nothing, is forgotten", len(c.seats))
	}
}

func TestTheTableOfCallersIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	for i := range callersKept + 10 {
		r.guard.For(nil, fmt.Sprint(i), nil).forget("w")
	}
	if n := len(r.guard.callers.seats); n != callersKept || r.guard.callers.order.Len() != n {
		t.Errorf("%d callers are kept", n)
	}
	var p prices
	p.last = map[string]price{}
	for i := range 10 * walletsKept {
		p.keep(fmt.Sprint(i), price{cost: 1})
	}
	if len(p.last) > walletsKept || p.of(fmt.Sprint(10*walletsKept-1)).cost != 1 {
		t.Errorf("%d wallets are kept", len(p.last))
	}
	r.guard.callers.most = 0
	a, _, _ := r.callers()
	r.fails(RateLimited, func() (*Receipt, *Error) { return a.send("Hi", How{}, one) })
}

// Who cannot read the wallet's balance learns nothing of what was sent from it,
// and leaves nothing that would stop its owner.
func TestTheLedgerIsClosedToWhoTheVendorRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
	a, _, _ := r.callers()
	quotes := map[string]string{}
	for name, spend := range a.spending() {
		quotes[name+" fresh"] = r.works(func() (*Receipt, *Error) { return spend(How{DryRun: true}) }).Quote.ID
		quotes[name+" asked"] = r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return spend(How{Ask: later}) }).Quote.ID
		r.works(func() (*Receipt, *Error) { return spend(How{Ask: yes}) })
	}
	before := r.written()
	for name, c := range map[string]struct {
		who  somebody
		code string
	}{
		"a wrong secret":             {r.caller("x", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
		"a key that was revoked":     {r.caller("x", "sk_test_revoked", "", sandbox.WalletID), "key_revoked"},
		"another's key":              {r.caller("x", keyB, secretB, sandbox.WalletID), "wallet_forbidden"},
		"the owner's id by accident": {r.caller("other", sandbox.APIKey, "wrong", sandbox.WalletID), "invalid_credentials"},
	} {
		for kind, spend := range c.who.spending() {
			fresh, asked := quotes[kind+" fresh"], quotes[kind+" asked"]
			for way, how := range map[string]How{
				"as it is": {}, "asking": {Ask: yes}, "a dry run": {DryRun: true}, "twice": {AllowDuplicate: true, Ask: yes},
				"a dry run of twice": {DryRun: true, AllowDuplicate: true}, "with a quote": {Quote: fresh},
				"no": {Quote: asked, Answer: No, Ask: later}, "no to both": {Quote: asked, Presented: fresh, Answer: No, Ask: later},
				"yes": {Quote: asked, Answer: Yes, Ask: later}, "an unknown quote": {Quote: "x"},
			} {
				failure := r.fails(c.code, func() (*Receipt, *Error) { return spend(how) })
				if failure.HTTPStatus < 401 || strings.Contains(failure.Message, "UGX") {
					t.Errorf("%s, %s, %s: %+v", name, kind, way, failure.Error)
				}
			}
		}
	}
	if after := r.written(); after != before {
		t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
	}
	for name, spend := range a.spending() {
		r.pass(time.Minute)
		if _, failure := spend(How{Quote: quotes[name+" asked"], Answer: Yes, Ask: later, AllowDuplicate: true}); failure == nil || failure.Code != ConfirmationRequired {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// Credentials may be withdrawn while a person thinks.
func TestACallerIsRefusedWhoseKeyWasRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	for kind := range (somebody{}).spending() {
		r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove = 0 })
		a, _, _ := r.callers()
		ask := func(context.Context, string) (Answer, error) {
			r.faulty(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"success":false,"error":{"code":"key_revoked","message":"Revoked."}}`))
			})
			return Yes, nil
		}
		r.fails("key_revoked", func() (*Receipt, *Error) { return a.spending()[kind](How{Ask: ask}) })
		if n := len(r.spends()); n != 0 {
			t.Errorf("%s: %d spends are written down", kind, n)
		}
	}
}

// The one caller of a server is who the operator chose: nothing is asked twice.
func TestTheOnlyCallerIsNotProved(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	balances := r.gets("/balance")
	id := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return r.topUp(500, How{Ask: later}, one) }).Quote.ID
	r.works(func() (*Receipt, *Error) { return r.topUp(500, How{Quote: id, Answer: Yes, Ask: later}, one) })
	r.fails(Declined, func() (*Receipt, *Error) { return r.topUp(600, How{Quote: id, Answer: No, Ask: later}, one) })
	if got := balances.Load(); got != 1 {
		t.Errorf("the balance was asked for %d times", got)
	}
}

// A quote of another is one that does not exist, whichever state it is in; and
// nothing becomes of it.
func TestAQuoteOfAnotherIsNone(t *testing.T) {
	t.Parallel()
	for kind := range (somebody{}).spending() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5000, func(o *Options) { o.Limits.ConfirmAbove, o.Limits.DuplicateWindow = 0, 0 })
			a, b, c := r.callers()
			groups := said(groupOf(2)) // for B too
			r.says("/groups", groups)
			spend := a.spending()[kind]
			fresh := r.works(func() (*Receipt, *Error) { return spend(How{DryRun: true}) }).Quote.ID
			asked := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return spend(How{Ask: later}) }).Quote.ID
			used := r.works(func() (*Receipt, *Error) { return spend(How{DryRun: true}) }).Quote.ID
			r.works(func() (*Receipt, *Error) { return spend(How{Quote: used}) })
			r.pass(time.Second)
			before := r.written()
			for _, who := range []somebody{b, c} {
				theirs := who.spending()[kind]
				none := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return theirs(How{Quote: "none"}) }).Message
				for _, id := range []string{fresh, asked, used} {
					if got := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return theirs(How{Quote: id}) }); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", who.id, got.Message)
					}
					if got := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return theirs(How{Quote: id, Answer: Yes, Ask: later}) }); got.Message != none || got.Quote != nil {
						t.Errorf("%s: %s", who.id, got.Message)
					}
					r.fails(Declined, func() (*Receipt, *Error) { return theirs(How{Quote: id, Answer: No, Ask: later}) })
					r.fails(Declined, func() (*Receipt, *Error) { return theirs(How{Quote: "none", Presented: id, Answer: No, Ask: later}) })
				}
			}
			if after := r.written(); after != before {
				t.Errorf("the ledger was\n%s\nand is\n%s", before, after)
			}
			// Its own caller can use it on another wallet as little.
			a.wallet = walletB
			a.api = b.api
			if got := r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return a.spending()[kind](How{Quote: fresh}) }); !strings.Contains(got.Message, "there is no such quote") {
				t.Error(got.Message)
			}
			r.fails(Declined, func() (*Receipt, *Error) { return a.spending()[kind](How{Quote: fresh, Answer: No, Ask: later}) })
			r.works(func() (*Receipt, *Error) { return spend(How{Quote: fresh}) })
			r.pass(time.Second)
			r.works(func() (*Receipt, *Error) { return spend(How{Quote: asked, Answer: Yes, Ask: later}) })
		})
	}
}

// Two keys on one wallet are one account: what the one sent is a duplicate of the
// other's, and both spend one budget.
func TestTwoKeysOnOneWallet(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, func(o *Options) { o.Limits.PerDay, o.Limits.TopUp = 100, 900 })
	a, b, c := r.callers()
	id := r.works(func() (*Receipt, *Error) { return a.send("Hi", How{DryRun: true}, one) }).Quote.ID
	r.works(func() (*Receipt, *Error) { return a.send("Hi", How{Quote: id}, one) })
	got := r.fails(DuplicateSend, func() (*Receipt, *Error) { return c.send("Hi", How{}, one) })
	if got.Quote != nil || got.Spend != "" || strings.Contains(fmt.Sprintf("%+v", *got.Error), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	got = r.fails(ConfirmationRequired, func() (*Receipt, *Error) { return c.send("Hi", How{AllowDuplicate: true}, one) })
	if strings.Contains(fmt.Sprintf("%+v %+v", *got.Error, *got.Quote), id) {
		t.Errorf("A's quote is handed out: %+v", got.Error)
	}
	r.works(func() (*Receipt, *Error) { return c.send("Ho", How{}, one) })
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return c.send("He", How{}, one) })
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return a.send("He", How{}, one) })
	r.works(func() (*Receipt, *Error) { return a.topUp(500, How{Ask: yes}, one) })
	r.fails(DuplicateSend, func() (*Receipt, *Error) { return c.topUp(500, How{Ask: yes}, one) })
	r.fails(LimitExceeded, func() (*Receipt, *Error) { return c.topUp(501, How{Ask: yes}, one) })
	r.works(func() (*Receipt, *Error) { return b.send("Hi", How{}, one, two) }) // another wallet, and nothing of that
	var callers []string
	for _, s := range r.spends() {
		callers = append(callers, s.Caller)
	}
	if !slices.Equal(callers, []string{"a", "c", "a", "b"}) {
		t.Error(callers)
	}
}

// A vendor that is lenient about a wallet's spelling must not give it as many
// budgets.
func TestAWalletHasOneSpelling(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	a, _, _ := r.callers()
	r.faulty(func(w http.ResponseWriter, q *http.Request, pass func(http.ResponseWriter)) {
		if strings.HasSuffix(q.URL.Path, "/balance") {
			_, _ = fmt.Fprintf(w, `{"success":true,"data":{"wallet_id":%q,"balance":5000,"cost_per_sms":35}}`, sandbox.WalletID)
			return
		}
		pass(w)
	})
	for _, spelling := range []string{"WAL_sandbox", sandbox.WalletID + " "} {
		a.wallet = spelling
		for name, spend := range a.spending() {
			failure := r.fails(InvalidArguments, func() (*Receipt, *Error) { return spend(How{DryRun: true}) })
			if !strings.Contains(failure.Message, sandbox.WalletID) {
				t.Errorf("%s: %s", name, failure.Message)
			}
		}
	}
	a.wallet = "another form" // of which nobody says that it is another's
	r.works(func() (*Receipt, *Error) { return a.send("Hi", How{DryRun: true}, one) })
}

func TestACallersIDIsTheSameInEveryProcess(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5000, nil)
	id := func(parts ...string) string {
		r.Helper()
		id, err := r.guard.CallerID(t.Context(), parts...)
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
	r.restart()
	if again := id("key", "secret"); again != first {
		t.Errorf("%s became %s", first, again)
	}
	r.file = filepath.Join(t.TempDir(), "other.db")
	r.restart()
	if other := id("key", "secret"); other == first {
		t.Error("an id can be made without the ledger's key")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := r.guard.CallerID(ctx, "key", "secret"); err == nil {
		t.Error(id)
	}
}

// Without the ledger callers are told apart, and read; nothing is spent, nor
// written down under an id that nobody will have again.
func TestWithoutTheLedgerCallersOnlyRead(t *testing.T) {
	t.Parallel()
	var tried, down atomic.Int64
	down.Store(1)
	var file string
	r := newRig(t, 5000, func(o *Options) {
		o.Ledger = func(ctx context.Context) (*Ledger, error) {
			if tried.Add(1); down.Load() == 1 {
				return nil, errors.New("its disk is gone: /secret/path")
			}
			return OpenLedger(ctx, file)
		}
	})
	file = r.file
	a, _, _ := r.callers()
	id := func() string {
		r.Helper()
		id, err := r.guard.CallerID(t.Context(), "key", "secret")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	a.id = id()
	other, err := r.guard.CallerID(t.Context(), "key", "wrong")
	if err != nil || other == a.id || id() != a.id || tried.Load() != 1 {
		t.Errorf("%s, %s, %s, tried %d times", a.id, other, id(), tried.Load())
	}
	if _, err := a.at().Balance(t.Context(), client.BalanceRequest{WalletID: a.wallet}); err != nil {
		t.Error(err)
	}
	for name, spend := range a.spending() {
		for _, how := range []How{{}, {DryRun: true}, {Ask: yes}, {Quote: "x", Answer: No}, {Quote: "x", Answer: Yes}} {
			if failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return spend(how) }); strings.Contains(failure.Message, "/secret") {
				t.Errorf("%s: %s", name, failure.Message)
			}
		}
	}
	down.Store(0)
	for _, spend := range a.spending() {
		for _, how := range []How{{}, {DryRun: true}} {
			if failure := r.fails(NotConfigured, func() (*Receipt, *Error) { return spend(how) }); failure.Retry != client.RetryLater {
				t.Errorf("%+v", failure.Error)
			}
		}
	}
	if rows := r.written(); rows != "covered 0 0" {
		t.Error(rows)
	}
	a.id = id() // anew, as each request has it made
	r.works(func() (*Receipt, *Error) { return a.send("Hi", How{}, one) })
	if a.id != id() || !strings.HasPrefix(r.spends()[0].Caller, "basic-") {
		t.Error(a.id, r.spends()[0].Caller)
	}
}

// A ledger that takes long to fail holds up one call, and not every one.
func TestOneCallWaitsForALedgerThatIsAway(t *testing.T) {
	t.Parallel()
	trying, goOn := make(chan struct{}), make(chan struct{})
	var tried atomic.Int64
	r := newRig(t, 5000, func(o *Options) {
		o.Ledger = func(ctx context.Context) (*Ledger, error) {
			if tried.Add(1) == 1 {
				return nil, errors.New("away")
			}
			close(trying)
			<-goOn
			return OpenLedger(ctx, "")
		}
	})
	id := func() string {
		id, err := r.guard.CallerID(t.Context(), "key", "secret")
		if err != nil {
			t.Error(err)
		}
		return id
	}
	first := id()
	r.pass(openAgain)
	var waits sync.WaitGroup
	var late string
	waits.Go(func() { late = id() })
	<-trying
	if again := id(); again != first {
		t.Errorf("%s became %s", first, again)
	}
	close(goOn)
	waits.Wait()
	if !strings.HasPrefix(late, "basic-") || id() != late {
		t.Error(late, id())
	}
}
