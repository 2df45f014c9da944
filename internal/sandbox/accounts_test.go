package sandbox

import (
	"strings"
	"testing"
)

func TestAccounts_Wallets(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 5000, Accounts: []Account{
		{Key: "sk_test_b", Secret: "b", Wallet: "wal_b", Balance: 70},
		{Key: "sk_test_second", Secret: "second", Wallet: WalletID, Balance: 1},
	}})
	for _, c := range []struct {
		key, secret, wallet string
		status              int
		want                string
	}{
		{APIKey, APISecret, WalletID, 200, `"balance":5000`},
		{"sk_test_second", "second", WalletID, 200, `"balance":5000`},
		{"sk_test_b", "b", "wal_b", 200, `"balance":70`},
		{"sk_test_b", "b", WalletID, 403, "wallet_forbidden"},
		{APIKey, APISecret, "wal_b", 403, "wallet_forbidden"},
		{"sk_test_b", APISecret, "wal_b", 401, "invalid_credentials"},
	} {
		got, err := env.doWithKey("GET /account/balance?walletId="+c.wallet, "", c.key, c.secret)
		if err != nil || got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s on %s: %v %d %s", c.key, c.wallet, err, got.status, got.body)
		}
	}
}
