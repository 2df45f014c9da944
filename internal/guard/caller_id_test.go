package guard

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

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
	for _, parts := range [][]string{
		{"key", "other"}, {"other", "secret"}, {"keysecret"}, {"keys", "ecret"}, {"secret", "key"}, {},
	} {
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
		t.Error("the id does not depend on the ledger's key")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := env.guard.CallerID(ctx, "key", "secret"); err == nil {
		t.Error(id)
	}
}

// Without the ledger, callers have different ids and can read. Nothing is spent, and
// nothing is stored under an id that no other process would use.
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
		for _, opts := range []SpendOptions{
			{}, {DryRun: true}, {Elicit: elicitYes}, {QuoteID: "x", Answer: AnswerNo}, {QuoteID: "x", Answer: AnswerYes},
		} {
			failure := env.expectError(CodeNotConfigured)(spend(opts))
			if strings.Contains(failure.Message, "/secret") {
				t.Errorf("%s: the message has a path: %s", name, failure.Message)
			}
		}
	}
	down.Store(0)
	for _, spend := range a.spendFuncs() {
		for _, opts := range []SpendOptions{{}, {DryRun: true}} {
			if failure := env.expectError(CodeNotConfigured)(spend(opts)); failure.Retry != client.RetryLater {
				t.Errorf("%+v", failure.Error)
			}
		}
	}
	if rows := env.dumpLedger(); rows != "spend_targets 0 0" {
		t.Error(rows)
	}
	a.id = id() // each request asks for the id again
	env.expectOK(a.send("Hi", SpendOptions{}, phone1))
	if a.id != id() || !strings.HasPrefix(env.spends()[0].Caller, "basic-") {
		t.Error(a.id, env.spends()[0].Caller)
	}
}

// One call waits for a ledger that is slow to open; others go on without it.
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
