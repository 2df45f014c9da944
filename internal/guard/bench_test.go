package guard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/ledger/ledgertest"
)

// BenchmarkSend compares a send with the guard and without it. The ledger is a file or
// in the PostgreSQL of the tests; upstream answers at once.
func BenchmarkSend(b *testing.B) {
	upstream := httptest.NewServer(answerReads(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
	}))
	defer upstream.Close()
	c, err := client.New(client.Options{BaseURL: upstream.URL})
	if err != nil {
		b.Fatal(err)
	}
	o := DefaultOptions()
	o.Rate, o.Confirm, o.Limits.PerDay = 0, ConfirmOff, 1<<40
	file := ledgertest.NewSource(b)
	o.OpenLedger = func(ctx context.Context, o ledger.Options) (*ledger.Ledger, error) { return ledger.Open(ctx, file, o) }
	g := New(c, o)
	defer func() { _ = g.Close() }()
	n := 0
	request := func() client.SendRequest {
		n++
		return client.SendRequest{WalletID: "w", Message: fmt.Sprint("Hi ", n), Recipient: client.Recipients{phone1}}
	}
	for name, send := range map[string]func() error{
		"without": func() error { _, err := c.Send(b.Context(), request()); return err },
		"guarded": func() error { _, err := g.Send(b.Context(), request(), SpendOptions{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				if err := send(); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "median-µs")
		})
	}
}
