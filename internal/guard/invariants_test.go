package guard

import (
	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/fold"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// checkInvariants checks what must be true after any fault: each intended spend is
// charged at most once, no spend in the state failed was charged, and every charge is
// in the ledger and in the day's budget. Keys are "message number".
func (env *testEnv) checkInvariants(intended map[string]bool) {
	env.Helper()
	maxCharges := map[string]int{}
	for message := range intended {
		maxCharges[message] = 1
	}
	env.checkCharges(maxCharges)
}

// checkCharges is checkInvariants for spends that may be charged more than once.
func (env *testEnv) checkCharges(maxCharges map[string]int) (balance int64, charged map[string]int) {
	env.Helper()
	balance, charged = env.charges(env.TB)
	spent := int64(0)
	charged, maxCharges = foldKeys(charged), foldKeys(maxCharges)
	for message, times := range charged {
		if times > maxCharges[message] {
			env.Errorf("%q was charged %d times, at most %d are intended", message, times, maxCharges[message])
		}
		spent += int64(times) * sandbox.CostPerSMS
	}
	var open, total int64
	for _, s := range env.spends() {
		if s.Tool == client.ToolTopUpWallet {
			continue
		}
		if s.State != ledger.StateFailed {
			total += s.TotalUGX
		}
		if s.State != ledger.StateFailed && s.State != ledger.StateSent {
			open += s.TotalUGX
		}
	}
	if spent > total || spent < total-open {
		env.Errorf("UGX %d were charged (balance %d), the ledger has %d, of which %d are open", spent, balance, total, open)
	}
	var reserved int64
	err := env.db().QueryRow(`SELECT coalesce(sum(total), 0) FROM daily_totals WHERE kind = 'send'`).Scan(&reserved)
	if err != nil || reserved != total {
		env.Errorf("UGX %d are in the daily totals, the spends have %d: %v", reserved, total, err)
	}
	return balance, charged
}

// foldKeys adds the counts of messages with the same folded form.
func foldKeys(counts map[string]int) map[string]int {
	folded := map[string]int{}
	for key, n := range counts {
		folded[fold.Message(key)] += n
	}
	return folded
}
