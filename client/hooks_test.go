package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func TestRequestHook_EveryAttempt(t *testing.T) {
	t.Parallel()
	first := true
	env := newTestEnv(t, func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			respondWith(503, "")(w, r)
			return
		}
		respondWith(200, `{"success":true,"data":{"balance":1,"cost_per_sms":35}}`)(w, r)
	})
	var events []string
	ctx := WithRequestHook(t.Context(), func(_ context.Context, e Endpoint) func(*Response, *Error) {
		events = append(events, "before "+e.Name)
		return func(resp *Response, apiErr *Error) {
			events = append(events, fmt.Sprint("answer ", resp != nil, ", failure ", apiErr != nil))
		}
	})
	if _, err := env.Balance(ctx, BalanceRequest{WalletID: "wal_1"}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"before get_balance", "answer false, failure true",
		"before get_balance", "answer true, failure false",
	}
	if !slices.Equal(events, want) {
		t.Errorf("%q", events)
	}
	for _, r := range env.requests() {
		if r.Header.Get("Traceparent") != "" || len(r.Header) > 5 {
			t.Errorf("headers %v", r.Header)
		}
	}
}
