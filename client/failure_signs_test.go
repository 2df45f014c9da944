package client

import "testing"

// failureSigns are bodies of a 2xx answer, and whether they say that the call failed.
var failureSigns = map[string]bool{
	`{"success":true,"data":{}}`:                      false,
	`{"success":false}`:                               true,
	`{"ok":false}`:                                    true,
	`{"success":true,"ok":false,"data":{}}`:           true,
	`{"ok":true,"data":{}}`:                           false,
	`{"status":"error"}`:                              true,
	`{"status":"Failed","data":{}}`:                   true,
	`{"success":true,"status":" FAILURE ","data":{}}`: true,
	`{"status":"queued"}`:                             false,
	`{"status":"failed_over"}`:                        false,
	`{"status":200}`:                                  false,
	`{"Success":false}`:                               true,
	`{"OK":false}`:                                    true,
	`{"Ok":true,"SUCCESS":true,"data":{}}`:            false,
	`{"Status":"failed"}`:                             true,
	`{"status":"fail"}`:                               true,
	`{"STATUS":"Fail"}`:                               true,
	`{"Errors":["x"]}`:                                true,
	`{"Error":"x"}`:                                   true,
	`{"error":"x"}`:                                   true,
	`{"error":{"code":"x"}}`:                          true,
	`{"error":true}`:                                  true,
	`{"error":false,"data":{}}`:                       true,
	`{"error":""}`:                                    true,
	`{"error":null}`:                                  false,
	`{"errors":[]}`:                                   false,
	`{"Error":"","Errors":[]}`:                        true,
	`{"errors":["no"]}`:                               true,
	`{"success":true,"errors":{"phone":"bad"},"data":{}}`: true,
	`{"errors":"no"}`:              true,
	`{"errors":2}`:                 true,
	`{"errors":true}`:              true,
	`{"errors":[ ]}`:               false,
	`{"errors":{}}`:                false,
	`{"errors":null,"error":null}`: false,
	`{"errors":""}`:                false,
	`{"errors":0}`:                 false,
	`{"errors":false}`:             false,
	`{"data":{"status":"failed","ok":false,"errors":["no"]}}`:     false,
	`{"success":true,"data":{"success":false,"status":"failed"}}`: false,
	`{"success":true,"data":[{"status":"failed"}]}`:               false,
}

// Each sign makes a 2xx answer a failure: of a spend with an unknown outcome, of a
// read a bad response.
func TestFailureSigns(t *testing.T) {
	t.Parallel()
	for body, failed := range failureSigns {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t, respondWith(200, body))
			for name, call := range calls {
				_, err := call(t.Context(), env.Client)
				if failed != (err != nil) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !failed {
				return
			}
			if e := env.expectError(t, "send_sms to one"); e.Money != MoneyUnknown || !e.OutcomeUnknown() || e.Attempts != 1 {
				t.Errorf("%+v", e)
			}
			if e := env.expectError(t, "list_groups"); e.Money != MoneyNotCharged || e.Status != 200 {
				t.Errorf("%+v", e)
			}
		})
	}
	// For a write only true is a success, as with "success".
	for _, body := range []string{`{"ok":null}`, `{"ok":"true"}`, `{"ok":1}`} {
		env := newTestEnv(t, respondWith(200, body))
		if e := env.expectError(t, "send_sms to one"); e.Money != MoneyUnknown {
			t.Errorf("%s: %+v", body, e)
		}
		if _, err := calls["get_balance"](t.Context(), env.Client); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
