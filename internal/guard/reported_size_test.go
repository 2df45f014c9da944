package guard

import (
	"net/http"
	"strings"
	"testing"
)

// sendUnknownGroup sends to a group of unknown size, and the answer has data.
func (env *testEnv) sendUnknownGroup(data string, message string, send func(string, SpendOptions) (*Receipt, *Error)) *Receipt {
	env.Helper()
	env.setFault(func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		switch {
		case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/groups"):
			_, _ = w.Write([]byte(`{"success":true,"data":[{"name":"Customers"}]}`))
		case r.Method == http.MethodPost:
			_, _ = w.Write([]byte(data))
		default:
			pass(w)
		}
	})
	return env.expectOK(send(message, SpendOptions{}))
}

// Only exact figures for an unknown size correct the booking. Everything else
// keeps what was reserved.
func TestReportedSize(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]int64{
		`{"success":true,"data":{"count":22,"cost":770}}`:                      770,
		`{"success":true,"data":{"count":22,"cost":770,"status":"sent"}}`:      770,
		`{"success":true,"data":{"count":1,"cost":35}}`:                        35,
		`{"count":22,"cost":770}`:                                              770,
		`{"success":true,"data":{"count":22,"cost":771}}`:                      9000,
		`{"success":true,"data":{"count":22,"cost":769}}`:                      9000,
		`{"success":true,"data":{"count":"22","cost":770}}`:                    9000,
		`{"success":true,"data":{"count":22,"cost":"770"}}`:                    9000,
		`{"success":true,"data":{"count":22.0,"cost":770}}`:                    9000,
		`{"success":true,"data":{"count":22,"cost":7.7e2}}`:                    9000,
		`{"success":true,"data":{"count":0,"cost":0}}`:                         9000,
		`{"success":true,"data":{"count":-2,"cost":-70}}`:                      9000,
		`{"success":true,"data":{"count":22}}`:                                 9000,
		`{"success":true,"data":{"cost":770}}`:                                 9000,
		`{"success":true,"data":{"Count":22,"Cost":770}}`:                      9000,
		`{"success":true,"data":{"sms":{"count":22,"cost":770}}}`:              9000,
		`{"success":true,"count":22,"cost":770,"data":{}}`:                     9000,
		`{"success":true,"data":[{"count":22,"cost":770}]}`:                    9000,
		`{"success":true,"data":{"recipients":22,"total_cost":770}}`:           9000,
		`{"success":true,"data":{"count":22,"cost":770,"total_cost":800}}`:     9000, // it contradicts itself
		`{"success":true,"data":{"count":22,"cost":770},"total_cost":"9,000"}`: 9000,
		`{"success":true,"data":{"count":22,"cost":770},"total_cost":"a lot"}`: 770, // no number
		`{"success":true,"data":{"count":300,"cost":10500}}`:                   10500,
	} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			for _, withCaller := range []bool{false, true} {
				env := newTestEnv(t, 9000, func(o *Options) { o.Confirm, o.Limits.Recipients = ConfirmOff, 1000 })
				send, budgets := env.sendGroup, int64(1)
				if withCaller {
					send, budgets = env.newTokenCaller("anna", nil).sendGroup, 2
				}
				receipt := env.sendUnknownGroup(data, "Hi", send)
				spend := env.spends()[0]
				if spend.TotalUGX != want || env.reservedTotal() != budgets*want || receipt.BudgetRemaining != 100_000-want {
					t.Errorf("%+v, %d reserved, %d left", spend, env.reservedTotal(), receipt.BudgetRemaining)
				}
				corrected := want < 9000
				if q := receipt.Quote; (q.ReservedUGX == 0) != corrected && want != 10500 || (q.TotalUGX == want) != corrected && want != 10500 {
					t.Errorf("%+v", q)
				}
				if corrected && (spend.Recipients != int(want/35) || receipt.Quote.Recipients != int(want/35)) {
					t.Errorf("%+v, %+v", spend, receipt.Quote)
				}
			}
		})
	}
}

// A known size is never corrected downwards.
func TestReportedSize_KnownSize(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t, 9000, nil)
	env.setFault(onPost(func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		_, _ = w.Write([]byte(`{"success":true,"data":{"count":1,"cost":35}}`))
	}))
	env.expectOK(env.sendGroup("Hi", SpendOptions{}))
	if spend := env.spends()[0]; spend.TotalUGX != 70 || spend.Recipients != 2 {
		t.Errorf("%+v", spend)
	}
}
