//go:build !race

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The budget of the program. A change that needs more raises it here and says why.
const (
	maxStartRatio  = 2.7        // start-up, as a multiple of that of a minimal server
	maxBinaryBytes = 32_000_000 // of the stripped binary
	maxListBytes   = 9_000      // of the answer to tools/list
)

const (
	spawnsPerRound  = 40
	maxSpawnRounds  = 25
	warmUpSpawns    = 3
	closedPortURL   = "http://127.0.0.1:1"
	walletIDSetting = "WESENDALL_WALLET_ID="
)

func TestBudget(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("only in CI, because it builds the program and measures time")
	}
	dir := t.TempDir()
	path, minimal := filepath.Join(dir, "wesendall-mcp"), filepath.Join(dir, "minimal")
	buildStripped(t, path, ".")
	buildStripped(t, minimal, "./testdata/minimal")

	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the stripped binary has %d bytes", info.Size())
	if info.Size() > maxBinaryBytes {
		t.Errorf("the stripped binary has %d bytes, want at most %d", info.Size(), maxBinaryBytes)
	}
	for _, wallet := range []string{"wal_1", ""} { // without a wallet the schemas have the argument walletId
		_, size := spawnToList(t, path, append(apiEnv(closedPortURL), walletIDSetting+wallet))
		t.Logf("tools/list has %d bytes", size)
		if size > maxListBytes {
			t.Errorf("tools/list has %d bytes, want at most %d", size, maxListBytes)
		}
	}
	// Noise lasts for seconds on a shared machine, so a round that is too slow is repeated.
	for range maxSpawnRounds {
		ratio := startRatio(t, path, minimal)
		t.Logf("start-up is %.2f times that of a minimal server", ratio)
		if ratio <= maxStartRatio {
			return
		}
	}
	t.Errorf("start-up is more than %.1f times that of a minimal server, %d times over", maxStartRatio, maxSpawnRounds)
}

// buildStripped builds a package as a release does.
func buildStripped(t testing.TB, path, pkg string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// startRatio returns the start-up of the program as a multiple of that of the minimal server.
// Their runs alternate. It compares the lower quartiles, the medians of the faster halves,
// because noise only adds time, and adds more to the program that uses more threads.
func startRatio(t testing.TB, path, minimal string) float64 {
	t.Helper()
	var times, minimalTimes []time.Duration
	for i := range spawnsPerRound + warmUpSpawns {
		elapsed, _ := spawnToList(t, path, apiEnv(closedPortURL))
		minimalElapsed, _ := spawnToList(t, minimal, nil)
		if i >= warmUpSpawns {
			times, minimalTimes = append(times, elapsed), append(minimalTimes, minimalElapsed)
		}
	}
	return float64(lowerQuartile(times)) / float64(lowerQuartile(minimalTimes))
}

func lowerQuartile(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/4]
}

// spawnToList starts a server over stdio and asks for its tools. It returns the time until the
// answer, and the bytes of the answer.
func spawnToList(t testing.TB, path string, env []string) (time.Duration, int) {
	t.Helper()
	c := exec.Command(path)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
	start := time.Now()
	p := startCommand(t, c)
	p.writeLines(t, toolsListLine)
	size := len(p.readLine(t)) - len("\n")
	elapsed := time.Since(start)
	_ = p.stdin.Close()
	_ = p.Wait()
	return elapsed, size
}

// From spawn to the answer of tools/list, beside a minimal server with one tool.
func BenchmarkSpawnToList(b *testing.B) {
	dir := b.TempDir()
	for name, pkg := range map[string]string{"wesendall-mcp": ".", "minimal": "./testdata/minimal"} {
		path := filepath.Join(dir, name)
		buildStripped(b, path, pkg)
		b.Run(name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				_, size = spawnToList(b, path, apiEnv(closedPortURL))
			}
			b.ReportMetric(float64(size), "bytes/list")
		})
	}
}
