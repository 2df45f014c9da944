package observability

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

func TestLedgerCollector_UnknownAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		time.Sleep(time.Hour)
		l := newLedgerCollector(func(context.Context) (guard.Snapshot, error) {
			return guard.Snapshot{
				Totals: ledger.Totals{Sends: ledger.KindTotals{UnknownCount: 2, OldestUnknown: start, MaxAccountTotal: 90},
					TopUps: ledger.KindTotals{MaxAccountTotal: 700}},
				Limits: guard.Limits{PerDay: 100, TopUp: 500},
			}, nil
		})
		got := gather(t, l)
		for name, want := range map[string]float64{
			"wesendall_ledger_up":                              1,
			"wesendall_ledger_unknown_oldest_age_seconds send": 3600, "wesendall_ledger_unknown_oldest_age_seconds topup": 0,
			"wesendall_ledger_unknown_outcomes send": 2,
			"wesendall_budget_left_ugx send":         10, "wesendall_budget_left_ugx topup": 0, // a limit that was lowered
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	})
}

// A ledger that hangs delays a scrape by scrapeTimeout and is read once; one that comes back
// is seen by the next scrape.
func TestLedgerCollector_Timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		answer := make(chan error)
		l := newLedgerCollector(func(context.Context) (guard.Snapshot, error) {
			reads.Add(1)
			return guard.Snapshot{}, <-answer
		})
		for range 3 {
			start := time.Now()
			got := gather(t, l)
			if len(got) != 1 || got["wesendall_ledger_up"] != 0 || time.Since(start) > scrapeTimeout {
				t.Errorf("after %v: %v", time.Since(start), got)
			}
		}
		if reads.Load() != 1 {
			t.Errorf("%d readings at once", reads.Load())
		}
		answer <- errors.New("gone")
		synctest.Wait()
		go func() { answer <- nil }()
		if got := gather(t, l); got["wesendall_ledger_up"] != 1 || len(got) < 15 {
			t.Errorf("%v", got)
		}
		// And a moment later it is not asked again.
		time.Sleep(cacheTTL - time.Second)
		if got := gather(t, l); got["wesendall_ledger_up"] != 1 || reads.Load() != 2 {
			t.Errorf("%d readings, %v", reads.Load(), got)
		}
		time.Sleep(time.Second)
		go func() { answer <- errors.New("gone again") }()
		if got := gather(t, l); got["wesendall_ledger_up"] != 0 || len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

// Scrapes at the same time share one read, and one that gives up does not end it for the other.
func TestLedgerCollector_SharedRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		l := newLedgerCollector(func(ctx context.Context) (guard.Snapshot, error) {
			reads.Add(1)
			time.Sleep(scrapeTimeout + time.Second)
			return guard.Snapshot{}, ctx.Err()
		})
		first := make(chan bool)
		go func() {
			_, ok := l.currentSnapshot()
			first <- ok
		}()
		time.Sleep(2 * time.Second)
		if _, ok := l.currentSnapshot(); <-first || !ok || reads.Load() != 1 {
			t.Errorf("the second scrape got figures: %v, after %d reads", ok, reads.Load())
		}
	})
}

// gather returns what a collector exports, by name and labels.
func gather(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			byName[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return byName
}
