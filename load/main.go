// Command load measures the server over HTTP: it starts the stand-in API and
// replicas of the server on this machine, has callers call a tool as fast as they
// can for a while, and prints a line of a table for each round.
//
//	go run ./load
//	guard/testdata/postgres go run ./load -replicas 3
//
// It is bounded in time and in calls, and reaches nobody but this machine.
package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, os.Args[1:], os.Stdout); err != nil { //nolint:forbidigo // no protocol is spoken here
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// round is so many callers, each with a token of its own, for a while.
type round struct {
	callers int
	time    time.Duration
	most    int64 // calls
	do      func(ctx context.Context, caller, call int) error
}

// figures are what a round came to.
type figures struct {
	calls, errors int
	first         error
	took          time.Duration
	p50, p99      time.Duration
}

// run has the callers call until the time or the calls are over.
func (r round) run(ctx context.Context) figures {
	ctx, cancel := context.WithTimeout(ctx, r.time)
	defer cancel()
	var calls atomic.Int64
	var mu sync.Mutex
	var f figures
	var all []time.Duration
	var callers sync.WaitGroup
	start := time.Now()
	for i := range r.callers {
		callers.Go(func() {
			var took []time.Duration
			var faults []error
			for n := 0; ctx.Err() == nil && calls.Add(1) <= r.most; n++ {
				begun := time.Now()
				// What has begun when the time is over is let end.
				if err := r.do(context.WithoutCancel(ctx), i, n); err != nil {
					faults = append(faults, err)
				}
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if f.errors += len(faults); f.first == nil && len(faults) > 0 {
				f.first = faults[0]
			}
		})
	}
	callers.Wait()
	f.calls, f.took = len(all), time.Since(start)
	if slices.Sort(all); len(all) > 0 {
		f.p50, f.p99 = all[len(all)/2], all[len(all)*99/100]
	}
	return f
}

func (f figures) perSecond() float64 { return float64(f.calls) / f.took.Seconds() }

func (f figures) String() string {
	return fmt.Sprintf("%d | %.0f | %.1f | %.1f | %d", f.calls, f.perSecond(), ms(f.p50), ms(f.p99), f.errors)
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

func measure(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	replicas := flags.Int("replicas", 1, "how many servers; several need a ledger in PostgreSQL")
	rounds := flags.String("callers", "1,16,128", "how many callers, for each round")
	each := flags.Duration("for", 30*time.Second, "how long a round lasts")
	most := flags.Int64("most", 1_000_000, "how many calls a round has at the most")
	ledger := flags.String("ledger", os.Getenv("WESENDALL_TEST_POSTGRES"), "the servers' ledger: a file, or a postgres:// URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var counts []int
	for text := range strings.SplitSeq(*rounds, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-callers: %q is not a number of callers", text)
		}
		counts = append(counts, n)
	}
	dir, err := os.MkdirTemp("", "load-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if *ledger == "" {
		*ledger = dir + "/ledger.db"
	}
	f, err := launch(ctx, dir, *replicas, slices.Max(counts), *ledger)
	if f != nil {
		defer f.close()
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "| what | replicas | callers | calls | calls/s | p50 ms | p99 ms | errors | CPU ms a call | memory MiB | files | goroutines |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	first, err := f.footprints(ctx)
	if err != nil {
		return err
	}
	for _, n := range counts {
		r := round{callers: n, time: *each, most: *most}
		if err := f.measure(ctx, r, out); err != nil {
			return err
		}
	}
	select {
	case <-time.After(atRest):
	case <-ctx.Done():
		return ctx.Err()
	}
	rest, err := f.footprints(ctx)
	_, _ = fmt.Fprintf(out, "| at rest | %d | | | | | | | | %s |\n", len(f.replicas), change(first, rest))
	return err
}

// atRest is longer than a connection is kept that nobody uses.
const atRest = 100 * time.Second

// measure makes a round of each kind.
func (f *fleet) measure(ctx context.Context, r round, out io.Writer) error {
	transport := &http.Transport{MaxIdleConnsPerHost: r.callers, MaxConnsPerHost: r.callers}
	defer transport.CloseIdleConnections()
	plain := &http.Client{Transport: transport, Timeout: time.Minute}
	callers := make([]*caller, r.callers)
	for i := range callers {
		callers[i] = &caller{plain, f.tokens[i]}
	}
	message := strconv.FormatInt(time.Now().UnixNano(), 36)
	call := func(tool string, arguments func(caller, call int) any) func(context.Context, int, int) error {
		return func(ctx context.Context, i, n int) error {
			to := f.replicas[(i+n)%len(f.replicas)]
			result, err := callers[i].call(ctx, to.url, tool, arguments(i, n))
			if err == nil && result.Code != "" {
				err = fmt.Errorf("%s: %s", tool, result.Code)
			}
			return err
		}
	}
	for _, kind := range []struct {
		name string
		do   func(context.Context, int, int) error
	}{
		{"the API alone, balance", f.direct(plain)},
		{"get_balance", call("get_balance", func(int, int) any { return struct{}{} })},
		{"send_sms", call("send_sms", func(i, n int) any {
			return map[string]any{"recipient": fmt.Sprintf("+2567000%05d", i), "message": fmt.Sprintf("%s %d", message, n)}
		})},
	} {
		before, err := f.footprints(ctx)
		if err != nil {
			return err
		}
		r.do = kind.do
		got := r.run(ctx)
		transport.CloseIdleConnections()
		after, err := f.footprints(ctx)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "| %s | %d | %d | %s | %.2f | %s |\n", kind.name, len(f.replicas), r.callers, got, ms(after.cpu-before.cpu)/float64(max(got.calls, 1)), change(before, after))
		if got.first != nil {
			fmt.Fprintln(os.Stderr, "load: the first error:", got.first)
		}
	}
	return ctx.Err()
}

// direct asks the API itself for the balance, as a plain client does.
func (f *fleet) direct(plain *http.Client) func(context.Context, int, int) error {
	value := func(name string) string {
		for _, each := range f.env {
			if rest, ok := strings.CutPrefix(each, name+"="); ok {
				return rest
			}
		}
		return ""
	}
	url := f.base + "/api/v1/account/balance?walletId=" + value("WESENDALL_WALLET_ID")
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte(value("WESENDALL_API_KEY")+":"+value("WESENDALL_API_SECRET")))
	return func(ctx context.Context, _, _ int) error {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", login)
		response, err := plain.Do(q)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the API: %s", response.Status)
		}
		return nil
	}
}

// footprints are the replicas' sums.
func (f *fleet) footprints(ctx context.Context) (footprint, error) {
	var sum footprint
	for _, r := range f.replicas {
		p, err := r.footprint(ctx)
		if err != nil {
			return sum, err
		}
		sum = footprint{sum.cpu + p.cpu, sum.memory + p.memory, sum.files + p.files, sum.goroutines + p.goroutines}
	}
	return sum, nil
}

func change(before, after footprint) string {
	return fmt.Sprintf("%.1f → %.1f | %d → %d | %d → %d", float64(before.memory)/1024, float64(after.memory)/1024, before.files, after.files, before.goroutines, after.goroutines)
}
