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

// inMemoryAndOnFile runs a test on both kinds of database. Its second half sees
// the same sandbox, the one on a file closed and opened again in between.
func inMemoryAndOnFile(t *testing.T, balance int64, first, second func(*rig)) {
	t.Parallel()
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{Balance: balance})
		first(r)
		second(r)
	})
	t.Run("on a file", func(t *testing.T) {
		t.Parallel()
		o := Options{Balance: balance, DB: filepath.Join(t.TempDir(), "an odd?name#100%25.db")}
		t.Run("opened", func(t *testing.T) { first(newRig(t, o)) })
		o.Balance = 999_999 // the wallet is there already
		t.Run("and opened again", func(t *testing.T) { second(newRig(t, o)) })
	})
}

func TestOfTwoHundredSendsTheWalletPaysForFifty(t *testing.T) {
	recheck := func(r *rig) {
		if got, sent := r.funds(), len(r.outbox()); got != 0 || sent != 50 {
			r.Errorf("balance %d, %d messages", got, sent)
		}
	}
	inMemoryAndOnFile(t, 50*CostPerSMS, func(r *rig) {
		var charged, refused atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				a, err := r.try("POST /sms/send", `{"message":"Hi","recipient":"0700000010"}`, APIKey, APISecret)
				switch {
				case err == nil && a.status == http.StatusOK:
					charged.Add(1)
				case err == nil && a.status == http.StatusPaymentRequired && a.code() == "insufficient_balance":
					refused.Add(1)
				default:
					r.Errorf("%d %s, %v", a.status, a.body, err)
				}
			})
		}
		wg.Wait()
		if charged.Load() != 50 || refused.Load() != 150 {
			r.Errorf("%d charged, %d refused", charged.Load(), refused.Load())
		}
		recheck(r)
	}, recheck)
}

func TestAHundredApprovalsCreditADepositOnce(t *testing.T) {
	recheck := func(r *rig) {
		if got := r.funds(); got != 1500 {
			r.Errorf("balance %d", got)
		}
	}
	inMemoryAndOnFile(t, 1000, func(r *rig) {
		id := read[deposit](r, r.do("POST /account/topup", `{"amount":500,"phone_number":"0700000010"}`)).ID
		r.pass(time.Second)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := r.answer(r.Context(), id); err != nil {
					r.Error(err)
				}
			})
			wg.Go(func() {
				if a, err := r.try("GET /account/balance", "", APIKey, APISecret); err != nil || a.status != http.StatusOK {
					r.Errorf("%d %s, %v", a.status, a.body, err)
				}
			})
		}
		wg.Wait()
		recheck(r)
	}, recheck)
}

func TestAPendingDepositOutlivesItsProcess(t *testing.T) {
	inMemoryAndOnFile(t, 0, func(r *rig) {
		for _, payer := range []string{"0700000010", decliningPayer, silentPayer} {
			r.do("POST /account/topup", `{"amount":500,"phone_number":"`+payer+`"}`)
		}
	}, func(r *rig) {
		if got := r.funds(); got != 0 {
			r.Errorf("balance %d before anyone answered", got)
		}
		r.pass(time.Hour)
		if got := r.funds(); got != 500 {
			r.Errorf("balance %d", got)
		}
	})
}

func TestPayersAnswer(t *testing.T) {
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
		"one never answers":              {silentPayer, "pending", 1000 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{})
			r.do("POST /account/topup", `{"amount":500,"phone_number":"`+tc.payer+`"}`)
			r.pass(tc.after)
			if got := r.funds(); got != tc.balance {
				t.Errorf("balance %d", got)
			}
			var status string
			if err := r.db.QueryRow(`SELECT status FROM deposits`).Scan(&status); err != nil || status != tc.status {
				t.Errorf("status %q, %v", status, err)
			}
		})
	}
}

func TestAnApprovedDepositPaysForTheNextSend(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{ApproveAfter: time.Minute})
	const send = `{"message":"Hi","recipient":"0700000010"}`
	r.do("POST /account/topup", `{"amount":500,"phone_number":"0700000010"}`)
	if a := r.do("POST /sms/send", send); a.status != http.StatusPaymentRequired {
		t.Errorf("before: %d %s", a.status, a.body)
	}
	r.pass(time.Minute)
	if a := r.do("POST /sms/send", send); a.status != http.StatusOK {
		t.Errorf("after: %d %s", a.status, a.body)
	}
}

func TestAWalletIsSpentToTheLastShillingAndNoFurther(t *testing.T) {
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
			r := newRig(t, Options{Balance: tc.balance})
			// One number twice: nothing says that it would be billed once.
			a := r.do("POST /sms/send", `{"message":"Hi","recipient":"0700000010 +256700000010"}`)
			if got := r.funds(); a.status != tc.status || got != tc.left {
				t.Errorf("%d %s, balance %d", a.status, a.body, got)
			}
			if sent := len(r.outbox()); (sent == 2) != (tc.status == http.StatusOK) || sent == 1 {
				t.Errorf("%d messages", sent)
			}
		})
	}
}

func TestMagicRecipients(t *testing.T) {
	t.Parallel()
	const usual, left = "+256700000010", 5000 - 70
	both := func(phone string, end string) []string { return []string{phone + end, usual + end} }
	for name, tc := range map[string]struct {
		phone   string
		status  int // 0: no answer
		code    string
		balance int64
		outbox  []string
	}{
		"a refused send is refunded":         {refusedRecipient, 502, "send_failed", 5000, both(refusedRecipient, " failed 0")},
		"an internal error charges nothing":  {brokenRecipient, 500, "internal_error", 5000, nil},
		"a lost answer is charged and sent":  {silentRecipient, 0, "", left, both(silentRecipient, " sent 35")},
		"a number beside them is as usual":   {"+256700000503", 200, "", left, both("+256700000503", " sent 35")},
		"a magic number abroad has no magic": {"+254700000502", 200, "", left, both("+254700000502", " sent 35")},
	} {
		check := func(r *rig, call, body string) {
			r.Helper()
			a, err := r.try(call, body, APIKey, APISecret)
			if (err != nil) != (tc.status == 0) || a.status != tc.status || a.code() != tc.code {
				r.Errorf("%d %s, %v", a.status, a.body, err)
			}
			if got := r.funds(); got != tc.balance {
				r.Errorf("balance %d", got)
			}
			if got := r.outbox(); !slices.Equal(got, tc.outbox) {
				r.Errorf("history %q", got)
			}
		}
		t.Run(name+" in a list", func(t *testing.T) {
			t.Parallel()
			check(newRig(t, Options{Balance: 5000}), "POST /sms/send", `{"message":"Hi","recipient":["`+usual+`","`+tc.phone+`"]}`)
		})
		t.Run(name+" in a group", func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{Balance: 5000})
			r.do("POST /groups", `{"title":"Staff"}`)
			r.do("POST /groups/grp_1/contacts", `{"contacts":[{"phone":"`+usual+`"},{"phone":"`+tc.phone+`"}]}`)
			check(r, "POST /sms/group", `{"groupId":"grp_1","message":"Hi"}`)
		})
	}
}

func TestARefusedSendMustBePayable(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Balance: 34})
	if a := r.do("POST /sms/send", `{"message":"Hi","recipient":"`+refusedRecipient+`"}`); a.code() != "insufficient_balance" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestALostAnswerIsLostOverHTTP2Too(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Balance: 35})
	server := httptest.NewUnstartedServer(r.Sandbox)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	body := `{"walletId":"wal_sandbox","message":"Hi","recipient":"` + silentRecipient + `"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/sms/send", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(APIKey, APISecret)
	if res, err := server.Client().Do(req); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered %s", res.Status)
	}
	if got := r.funds(); got != 0 {
		t.Errorf("balance %d", got)
	}
}

func BenchmarkSendToAThousand(b *testing.B) {
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
