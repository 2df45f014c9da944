package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// runInMemoryAndOnFile runs a test on both kinds of database. second sees what first left; the
// database on a file is closed and opened again in between.
func runInMemoryAndOnFile(t *testing.T, balance int64, first, second func(*testEnv)) {
	t.Parallel()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		env := newTestEnv(t, Options{Balance: balance})
		first(env)
		second(env)
	})
	t.Run("on a file", func(t *testing.T) {
		t.Parallel()
		o := Options{Balance: balance, DB: filepath.Join(t.TempDir(), "an odd?name#100%25.db")}
		t.Run("opened", func(t *testing.T) { first(newTestEnv(t, o)) })
		o.Balance = 999_999 // the wallet is there already
		t.Run("and opened again", func(t *testing.T) { second(newTestEnv(t, o)) })
	})
}

func TestSend_ConcurrentBalance(t *testing.T) {
	recheck := func(env *testEnv) {
		if got, sent := env.balance(), len(env.sentMessages()); got != 0 || sent != 50 {
			env.Errorf("balance %d, %d messages", got, sent)
		}
	}
	runInMemoryAndOnFile(t, 50*CostPerSMS, func(env *testEnv) {
		var charged, refused atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				resp, err := env.doWithKey("POST /sms/send", `{"message":"Hi","recipient":"0700000010"}`, APIKey, APISecret)
				switch {
				case err == nil && resp.status == http.StatusOK:
					charged.Add(1)
				case err == nil && resp.status == http.StatusPaymentRequired && resp.errorCode() == "insufficient_balance":
					refused.Add(1)
				default:
					env.Errorf("%d %s, %v", resp.status, resp.body, err)
				}
			})
		}
		wg.Wait()
		if charged.Load() != 50 || refused.Load() != 150 {
			env.Errorf("%d charged, %d refused", charged.Load(), refused.Load())
		}
		recheck(env)
	}, recheck)
}

func TestTopUp_CreditOnce(t *testing.T) {
	recheck := func(env *testEnv) {
		if got := env.balance(); got != 1500 {
			env.Errorf("balance %d", got)
		}
	}
	runInMemoryAndOnFile(t, 1000, func(env *testEnv) {
		id := decodeData[depositResponse](env, env.do("POST /account/topup", `{"amount":500,"phone_number":"0700000010"}`)).ID
		env.advance(time.Second)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := env.settleDeposit(env.Context(), id); err != nil {
					env.Error(err)
				}
			})
			wg.Go(func() {
				if resp, err := env.doWithKey("GET /account/balance", "", APIKey, APISecret); err != nil ||
					resp.status != http.StatusOK {
					env.Errorf("%d %s, %v", resp.status, resp.body, err)
				}
			})
		}
		wg.Wait()
		recheck(env)
	}, recheck)
}

func TestTopUp_Persistent(t *testing.T) {
	runInMemoryAndOnFile(t, 0, func(env *testEnv) {
		for _, payer := range []string{"0700000010", decliningPayer, unresponsivePayer} {
			env.do("POST /account/topup", `{"amount":500,"phone_number":"`+payer+`"}`)
		}
	}, func(env *testEnv) {
		if got := env.balance(); got != 0 {
			env.Errorf("balance %d before anyone answered", got)
		}
		env.advance(time.Hour)
		if got := env.balance(); got != 500 {
			env.Errorf("balance %d", got)
		}
	})
}

func TestTopUp_Payers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		payer, status string
		after         time.Duration
		balance       int64
	}{
		"the usual payer has a second":            {"0700000010", "pending", time.Second - time.Millisecond, 0},
		"the usual payer approves after a second": {"0700000010", "completed", time.Second, 500},
		"one declines":                   {decliningPayer, "failed", time.Second, 0},
		"one declines whatever the form": {"0700000001", "failed", time.Second, 0},
		"one never answers":              {unresponsivePayer, "pending", 1000 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, Options{})
			env.do("POST /account/topup", `{"amount":500,"phone_number":"`+tc.payer+`"}`)
			env.advance(tc.after)
			if got := env.balance(); got != tc.balance {
				t.Errorf("balance %d", got)
			}
			var status string
			if err := env.db.QueryRow(`SELECT status FROM deposits`).Scan(&status); err != nil || status != tc.status {
				t.Errorf("status %q, %v", status, err)
			}
		})
	}
}

func TestTopUp_ThenSend(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{ApproveAfter: time.Minute})
	const send = `{"message":"Hi","recipient":"0700000010"}`
	env.do("POST /account/topup", `{"amount":500,"phone_number":"0700000010"}`)
	if resp := env.do("POST /sms/send", send); resp.status != http.StatusPaymentRequired {
		t.Errorf("before: %d %s", resp.status, resp.body)
	}
	env.advance(time.Minute)
	if resp := env.do("POST /sms/send", send); resp.status != http.StatusOK {
		t.Errorf("after: %d %s", resp.status, resp.body)
	}
}

func TestSend_ExactBalance(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		balance, left int64
		status        int
	}{
		"exactly enough":      {70, 0, http.StatusOK},
		"one shilling short":  {69, 69, http.StatusPaymentRequired},
		"one shilling over":   {71, 1, http.StatusOK},
		"enough for one only": {35, 35, http.StatusPaymentRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, Options{Balance: tc.balance})
			// One number twice: nothing says that it would be billed once.
			resp := env.do("POST /sms/send", `{"message":"Hi","recipient":"0700000010 +256700000010"}`)
			if got := env.balance(); resp.status != tc.status || got != tc.left {
				t.Errorf("%d %s, balance %d", resp.status, resp.body, got)
			}
			if sent := len(env.sentMessages()); (sent == 2) != (tc.status == http.StatusOK) || sent == 1 {
				t.Errorf("%d messages", sent)
			}
		})
	}
}

func TestSend_MagicRecipients(t *testing.T) {
	t.Parallel()
	const normalPhone, remaining = "+256700000010", 5000 - 70
	both := func(phone string, end string) []string { return []string{phone + end, normalPhone + end} }
	for name, tc := range map[string]struct {
		phone   string
		status  int // 0: no answer
		code    string
		balance int64
		outbox  []string
	}{
		"a refused send is refunded": {providerRejectedRecipient, 502, "send_failed", 5000,
			both(providerRejectedRecipient, " failed 0")},
		"an internal error charges nothing":  {internalErrorRecipient, 500, "internal_error", 5000, nil},
		"a lost answer is charged and sent":  {noResponseRecipient, 0, "", remaining, both(noResponseRecipient, " sent 35")},
		"a number beside them is as usual":   {"+256700000503", 200, "", remaining, both("+256700000503", " sent 35")},
		"a magic number abroad has no magic": {"+254700000502", 200, "", remaining, both("+254700000502", " sent 35")},
	} {
		check := func(env *testEnv, call, body string) {
			env.Helper()
			resp, err := env.doWithKey(call, body, APIKey, APISecret)
			if (err != nil) != (tc.status == 0) || resp.status != tc.status || resp.errorCode() != tc.code {
				env.Errorf("%d %s, %v", resp.status, resp.body, err)
			}
			if got := env.balance(); got != tc.balance {
				env.Errorf("balance %d", got)
			}
			if got := env.sentMessages(); !slices.Equal(got, tc.outbox) {
				env.Errorf("history %q", got)
			}
		}
		t.Run(name+" in a list", func(t *testing.T) {
			t.Parallel()
			check(newTestEnv(t, Options{Balance: 5000}), "POST /sms/send",
				`{"message":"Hi","recipient":["`+normalPhone+`","`+tc.phone+`"]}`)
		})
		t.Run(name+" in a group", func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, Options{Balance: 5000})
			env.do("POST /groups", `{"title":"Staff"}`)
			env.do("POST /groups/grp_1/contacts", `{"contacts":[{"phone":"`+normalPhone+`"},{"phone":"`+tc.phone+`"}]}`)
			check(env, "POST /sms/group", `{"groupId":"grp_1","message":"Hi"}`)
		})
	}
}

func TestSend_RefusedNeedsBalance(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 34})
	if resp := env.do("POST /sms/send", `{"message":"Hi","recipient":"`+providerRejectedRecipient+
		`"}`); resp.errorCode() != "insufficient_balance" {
		t.Errorf("%d %s", resp.status, resp.body)
	}
}

func TestSend_NoResponseHTTP2(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, Options{Balance: 35})
	server := httptest.NewUnstartedServer(env.Sandbox)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	body := `{"walletId":"wal_sandbox","message":"Hi","recipient":"` + noResponseRecipient + `"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/sms/send",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(APIKey, APISecret)
	if res, err := server.Client().Do(req); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered %s", res.Status)
	}
	if got := env.balance(); got != 0 {
		t.Errorf("balance %d", got)
	}
}

func BenchmarkSend1000(b *testing.B) {
	var phones []string
	for i := range 1000 {
		phones = append(phones, fmt.Sprintf("+256700001%03d", i))
	}
	body := `{"walletId":"wal_sandbox","message":"Hello","recipient":"` + strings.Join(phones, ",") + `"}`
	for name, db := range map[string]string{"in memory": "", "on a file": filepath.Join(b.TempDir(), "bench.db")} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(b.Context(), Options{DB: db, Balance: 1 << 50})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			for b.Loop() {
				req := httptest.NewRequest(http.MethodPost, "/api/v1/sms/send", strings.NewReader(body))
				req.SetBasicAuth(APIKey, APISecret)
				w := httptest.NewRecorder()
				if s.ServeHTTP(w, req); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
