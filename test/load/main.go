// Command load measures the server over HTTP: it starts the sandbox and
// replicas of the server on this machine, lets callers call a tool as fast as they
// can, and prints a line of a table for each round.
//
//	go run ./test/load
//	test/with-postgres go run ./test/load -replicas 3
//
// Time and calls are bounded, and it contacts no other machine.
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
	if err := runLoadTests(ctx, os.Args[1:], os.Stdout); err != nil { //nolint:forbidigo // no protocol is spoken here
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// loadTest is a number of callers that call for a time. Each has its own token.
type loadTest struct {
	callers  int
	duration time.Duration
	maxCalls int64 // of all callers together
	callFn   func(ctx context.Context, caller, call int) error
}

// stats are the result of a round.
type stats struct {
	calls, errors int
	firstErr      error
	elapsed       time.Duration
	p50, p99      time.Duration
}

// run lets the callers call until the time is over or maxCalls are made.
func (lt loadTest) run(ctx context.Context) stats {
	ctx, cancel := context.WithTimeout(ctx, lt.duration)
	defer cancel()
	var calls atomic.Int64
	var mu sync.Mutex
	var s stats
	var durations []time.Duration
	var callers sync.WaitGroup
	start := time.Now()
	for i := range lt.callers {
		callers.Go(func() {
			var callerDurations []time.Duration
			var errs []error
			for n := 0; ctx.Err() == nil && calls.Add(1) <= lt.maxCalls; n++ {
				callStart := time.Now()
				// A call that has begun when the time is over may finish.
				if err := lt.callFn(context.WithoutCancel(ctx), i, n); err != nil {
					errs = append(errs, err)
				}
				callerDurations = append(callerDurations, time.Since(callStart))
			}
			mu.Lock()
			defer mu.Unlock()
			durations = append(durations, callerDurations...)
			if s.errors += len(errs); s.firstErr == nil && len(errs) > 0 {
				s.firstErr = errs[0]
			}
		})
	}
	callers.Wait()
	s.calls, s.elapsed = len(durations), time.Since(start)
	if slices.Sort(durations); len(durations) > 0 {
		s.p50, s.p99 = durations[len(durations)/2], durations[len(durations)*99/100]
	}
	return s
}

func (s stats) callsPerSecond() float64 { return float64(s.calls) / s.elapsed.Seconds() }

func (s stats) String() string {
	return fmt.Sprintf("%d | %.0f | %.1f | %.1f | %d", s.calls, s.callsPerSecond(), millis(s.p50), millis(s.p99), s.errors)
}

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }

func runLoadTests(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	replicas := flags.Int("replicas", 1, "how many servers; several need a ledger in PostgreSQL")
	rounds := flags.String("callers", "1,16,128", "how many callers, for each round")
	duration := flags.Duration("for", 30*time.Second, "how long a round lasts")
	maxCalls := flags.Int64("most", 1_000_000, "how many calls a round has at the most")
	ledger := flags.String("ledger", os.Getenv("WESENDALL_TEST_POSTGRES"), "the servers' ledger: a file, or a postgres:// URL")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var counts []int
	for field := range strings.SplitSeq(*rounds, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("-callers: %q is not a number of callers", field)
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
	c, err := startCluster(ctx, dir, *replicas, slices.Max(counts), *ledger)
	if c != nil {
		defer c.close()
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "| what | replicas | callers | calls | calls/s | p50 ms | p99 ms | errors |"+
		" CPU ms a call | memory MiB | files | goroutines |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	initial, err := c.totalUsage(ctx)
	if err != nil {
		return err
	}
	for _, n := range counts {
		lt := loadTest{callers: n, duration: *duration, maxCalls: *maxCalls}
		if err := c.runRound(ctx, lt, out); err != nil {
			return err
		}
	}
	select {
	case <-time.After(idleWait):
	case <-ctx.Done():
		return ctx.Err()
	}
	rest, err := c.totalUsage(ctx)
	_, _ = fmt.Fprintf(out, "| at rest | %d | | | | | | | | %s |\n", len(c.replicas), formatDelta(initial, rest))
	return err
}

// idleWait is longer than an unused connection stays open.
const idleWait = 100 * time.Second

// runRound runs one round of each scenario.
func (c *cluster) runRound(ctx context.Context, lt loadTest, out io.Writer) error {
	transport := &http.Transport{MaxIdleConnsPerHost: lt.callers, MaxConnsPerHost: lt.callers}
	defer transport.CloseIdleConnections()
	httpClient := &http.Client{Transport: transport, Timeout: time.Minute}
	callers := make([]*caller, lt.callers)
	for i := range callers {
		callers[i] = &caller{httpClient, c.tokens[i]}
	}
	message := strconv.FormatInt(time.Now().UnixNano(), 36)
	call := func(tool string, arguments func(caller, call int) any) func(context.Context, int, int) error {
		return func(ctx context.Context, i, n int) error {
			target := c.replicas[(i+n)%len(c.replicas)]
			result, err := callers[i].call(ctx, target.url, tool, arguments(i, n))
			if err == nil && result.Code != "" {
				err = fmt.Errorf("%s: %s", tool, result.Code)
			}
			return err
		}
	}
	for _, scenario := range []struct {
		name string
		do   func(context.Context, int, int) error
	}{
		{"the API alone, balance", c.callAPIDirectly(httpClient)},
		{"get_balance", call("get_balance", func(int, int) any { return struct{}{} })},
		{"send_sms", call("send_sms", func(i, n int) any {
			return map[string]any{"recipient": fmt.Sprintf("+2567000%05d", i), "message": fmt.Sprintf("%s %d", message, n)}
		})},
	} {
		before, err := c.totalUsage(ctx)
		if err != nil {
			return err
		}
		lt.callFn = scenario.do
		stats := lt.run(ctx)
		transport.CloseIdleConnections()
		after, err := c.totalUsage(ctx)
		if err != nil {
			return err
		}
		cpuMillis := millis(after.cpu-before.cpu) / float64(max(stats.calls, 1))
		_, _ = fmt.Fprintf(out, "| %s | %d | %d | %s | %.2f | %s |\n",
			scenario.name, len(c.replicas), lt.callers, stats, cpuMillis, formatDelta(before, after))
		if stats.firstErr != nil {
			fmt.Fprintln(os.Stderr, "load: the first error:", stats.firstErr)
		}
	}
	return ctx.Err()
}

// callAPIDirectly asks the API itself for the balance, as a plain client does.
func (c *cluster) callAPIDirectly(httpClient *http.Client) func(context.Context, int, int) error {
	value := func(name string) string {
		for _, pair := range c.env {
			if rest, ok := strings.CutPrefix(pair, name+"="); ok {
				return rest
			}
		}
		return ""
	}
	url := c.baseURL + "/api/v1/account/balance?walletId=" + value("WESENDALL_WALLET_ID")
	authorization := "Basic " + base64.StdEncoding.EncodeToString([]byte(value("WESENDALL_API_KEY")+":"+value("WESENDALL_API_SECRET")))
	return func(ctx context.Context, _, _ int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", authorization)
		resp, err := httpClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the API: %s", resp.Status)
		}
		return nil
	}
}

// totalUsage returns the sum over all replicas.
func (c *cluster) totalUsage(ctx context.Context) (resourceUsage, error) {
	var sum resourceUsage
	for _, r := range c.replicas {
		usage, err := r.readUsage(ctx)
		if err != nil {
			return sum, err
		}
		sum.cpu += usage.cpu
		sum.memory += usage.memory
		sum.files += usage.files
		sum.goroutines += usage.goroutines
	}
	return sum, nil
}

func formatDelta(before, after resourceUsage) string {
	return fmt.Sprintf("%.1f → %.1f | %d → %d | %d → %d", float64(before.memory)/1024, float64(after.memory)/1024,
		before.files, after.files, before.goroutines, after.goroutines)
}
