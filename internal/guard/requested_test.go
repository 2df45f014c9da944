package guard

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// Whether a payer paid is not known: an accepted top-up is requested, never sent.
func TestTopUp_IsRequested(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	if got := env.states(); !slices.Equal(got, []ledger.State{ledger.StateRequested}) {
		t.Errorf("the states are %v", got)
	}
	if total := env.reservedTotal(); total != 500 {
		t.Errorf("UGX %d are counted", total)
	}
	env.expectError(CodeDuplicateSend)(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1)).
		says("the payer was asked, and may not have paid yet")
	asked := ""
	decline := func(_ context.Context, q string) (Answer, error) { asked = q; return AnswerNo, nil }
	env.expectError(CodeDeclined)(env.topUp(501, SpendOptions{Elicit: decline}, phone1))
	if !strings.Contains(asked, "the same payer was asked before: one of 2026-11-24T12:00:00+03:00 (UGX 500)") {
		t.Error(asked)
	}
	id := env.spends()[0].ID
	if err := env.guard.opened().Resolve(t.Context(), id, ledger.StateFailed); err == nil {
		t.Error("a requested top-up was settled by hand")
	}
	env.advance(11 * time.Minute)
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
}

// A top-up that is settled as sent becomes requested. One that is settled as failed no
// longer counts towards the day's limit.
func TestTopUp_SettledByHand(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[ledger.State]struct {
		state ledger.State
		total int64
	}{ledger.StateSent: {ledger.StateRequested, 500}, ledger.StateFailed: {ledger.StateFailed, 0}} {
		env := newTestEnv(t, 5000, nil)
		id := env.loseTopUp(500)
		if err := env.guard.opened().Resolve(t.Context(), id, outcome); err != nil {
			t.Fatal(err)
		}
		if got := env.states(); !slices.Equal(got, []ledger.State{want.state}) || env.reservedTotal() != want.total {
			t.Errorf("%s: %v, UGX %d are counted", outcome, got, env.reservedTotal())
		}
	}
}

// The ledger keeps what the wallet held before a spend, where that was just read.
func TestBalanceBefore(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 5000, nil)
	env.expectOK(env.send("first", SpendOptions{}, phone1))
	env.expectOK(env.send("second", SpendOptions{}, phone1)) // with the price as it was kept
	env.expectOK(env.topUp(500, SpendOptions{Elicit: elicitYes}, phone1))
	quote := env.expectError(CodeConfirmationRequired)(env.topUp(600, SpendOptions{}, phone2)).Quote
	env.expectOK(env.topUp(600, SpendOptions{QuoteID: quote.ID}, phone2))
	rows, err := env.db().QueryContext(t.Context(), `SELECT coalesce(balance_before, -1) FROM spends
		WHERE state IN ('sent', 'requested') ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var got []int64
	for rows.Next() {
		var balanceUGX int64
		if err := rows.Scan(&balanceUGX); err != nil {
			t.Fatal(err)
		}
		got = append(got, balanceUGX)
	}
	if rows.Err() != nil {
		t.Error(rows.Err())
	}
	if !slices.Equal(got, []int64{5000, -1, 4930, 5430}) {
		t.Errorf("the balances before are %v", got)
	}
}
