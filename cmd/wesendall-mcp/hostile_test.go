package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

const (
	hostileRequests  = 64
	maxHostileMemory = 200 << 20 // resident, at the peak
	maxHostileAnswer = 64 << 10
)

// hostileArguments returns arguments of a size in bytes, by the name of the case.
func hostileArguments(size int) map[string]string {
	list := func(element string) string {
		return strings.TrimSuffix(strings.Repeat(element+",", size/(len(element)+1)), ",")
	}
	var unknown strings.Builder
	for i := 0; unknown.Len() < size-16; i++ {
		_, _ = fmt.Fprintf(&unknown, `"a%d":0,`, i)
	}
	return map[string]string{
		"send_sms many recipients":    `{"message":"Hi","recipient":[` + list(`"0700000010"`) + `]}`,
		"send_sms many bad numbers":   `{"message":"Hi","recipient":[` + list(`"x"`) + `]}`,
		"send_sms many separators":    `{"message":"Hi","recipient":"` + strings.Repeat("a,", size/2) + `"}`,
		"send_sms a long text":        `{"message":"` + strings.Repeat("é", size/2) + `","recipient":"0700000010"}`,
		"send_sms deep nesting":       `{"message":` + strings.Repeat("[", size/2) + strings.Repeat("]", size/2) + `}`,
		"send_sms unknown arguments":  `{` + strings.TrimSuffix(unknown.String(), ",") + `}`,
		"add_contacts many contacts":  `{"groupId":"g","contacts":[` + list(`{"phone":"x","name":"y"}`) + `]}`,
		"topup_wallet a long number":  `{"amount":500,"phone_number":"` + strings.Repeat("0,", size/2) + `"}`,
		"send_group_sms a long group": `{"message":"Hi","groupId":"` + strings.Repeat("/../", size/4) + `"}`,
	}
}

// Sixty-four hostile requests with made-up credentials, all at once, take little
// memory, and their answers are short.
func TestHTTP_HostileRequests(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	env, upstreamURL := upstream(t)
	sizes := []int{7 << 10, 60 << 10}
	if os.Getenv("CI") != "" {
		sizes = append(sizes, 1000<<10) // seconds of work
	}
	for _, size := range sizes {
		t.Run(fmt.Sprintf("of %d KiB", size>>10), func(t *testing.T) {
			url, server := startHTTPServer(t, env)
			start := time.Now()
			busy := postAllHostile(t, url, hostileArguments(size))
			peak := peakMemory(t, server.Process.Pid)
			t.Logf("%d hostile requests, %d of them refused as too many: %d MiB at the peak, %s",
				hostileRequests, busy, peak>>20, time.Since(start).Round(time.Millisecond))
			if peak > maxHostileMemory {
				t.Errorf("%d MiB are resident at the peak, want at most %d", peak>>20, maxHostileMemory>>20)
			}
		})
	}
	if balance := upstreamBalance(t, upstreamURL); balance != sandbox.DefaultBalance {
		t.Errorf("the balance is %d", balance)
	}
}

// postAllHostile posts requests at once, each with other credentials, and returns how
// many were refused as too many.
func postAllHostile(t *testing.T, url string, arguments map[string]string) int64 {
	t.Helper()
	names := slices.Sorted(maps.Keys(arguments))
	begin := make(chan struct{})
	var busy atomic.Int64
	var wg sync.WaitGroup
	for i := range hostileRequests {
		wg.Go(func() {
			name := names[i%len(names)]
			tool, _, _ := strings.Cut(name, " ")
			<-begin
			status, size, err := postHostile(t, url, fmt.Sprint("sk_test_made_up_", i), tool, arguments[name])
			if status == http.StatusServiceUnavailable {
				busy.Add(1)
			}
			if err != nil || size > maxHostileAnswer {
				t.Errorf("%s: %d bytes, %v", name, size, err)
			}
		})
	}
	close(begin)
	wg.Wait()
	return busy.Load()
}

// postHostile calls a tool with made-up credentials, and returns the status and the
// size of the answer.
func postHostile(t *testing.T, url, key, tool, arguments string) (status, size int, err error) {
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments +
		`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.SetBasicAuth(key, "ws_test_made_up")
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"X-Wesendall-Wallet": sandbox.WalletID, "MCP-Protocol-Version": "2026-07-28",
		"Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusServiceUnavailable, http.StatusBadRequest:
		return resp.StatusCode, len(answer), err
	}
	return resp.StatusCode, len(answer), fmt.Errorf("%s: %.300s", resp.Status, answer)
}

// peakMemory is the most memory that a process has had resident, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
