package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func TestEveryAttemptIsObserved(t *testing.T) {
	t.Parallel()
	first := true
	r := newRig(t, func(w http.ResponseWriter, q *http.Request) {
		if first {
			first = false
			says(503, "")(w, q)
			return
		}
		says(200, `{"success":true,"data":{"balance":1,"cost_per_sms":35}}`)(w, q)
	})
	var told []string
	ctx := WithObserver(t.Context(), func(_ context.Context, e Endpoint) func(*Response, *Error) {
		told = append(told, "before "+e.Name)
		return func(answer *Response, failure *Error) {
			told = append(told, fmt.Sprint("answer ", answer != nil, ", failure ", failure != nil))
		}
	})
	if _, err := r.Balance(ctx, BalanceRequest{WalletID: "wal_1"}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"before get_balance", "answer false, failure true",
		"before get_balance", "answer true, failure false",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
	for _, q := range r.requests() {
		if q.Header.Get("Traceparent") != "" || len(q.Header) > 5 {
			t.Errorf("headers %v", q.Header)
		}
	}
}
