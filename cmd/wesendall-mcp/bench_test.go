package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// toolsListLine is one request of the stateless protocol, which needs no handshake.
const toolsListLine = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` +
	`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},` +
	`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`

// One balance call as a tool, compared with the same request over HTTP.
func BenchmarkGetBalance(b *testing.B) {
	env, url := upstream(b)
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("tool/callers=%d", callers), func(b *testing.B) {
			s := connect(b, "2026-07-28", program(b, append(env, unlimitedEnv...)))
			runConcurrently(b, callers, func() {
				r, err := s.CallTool(b.Context(), &mcp.CallToolParams{Name: "get_balance", Arguments: map[string]any{}})
				if err != nil || r.IsError {
					b.Errorf("%+v, %v", r, err)
				}
			})
		})
		b.Run(fmt.Sprintf("http/callers=%d", callers), func(b *testing.B) {
			c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
			defer c.CloseIdleConnections()
			runConcurrently(b, callers, func() { requestBalance(b, c, url) })
		})
	}
}

// runConcurrently divides the calls of a benchmark among several callers.
func runConcurrently(b *testing.B, callers int, call func()) {
	b.ResetTimer()
	turns := make(chan struct{})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range turns {
				call()
			}
		})
	}
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// The memory of the process after 1,000 calls.
func BenchmarkMemoryAfter1000Calls(b *testing.B) {
	env, _ := upstream(b)
	for b.Loop() {
		p := startCommand(b, program(b, append(env, unlimitedEnv...)))
		p.writeLines(b, initializeLine)
		p.readLine(b)
		for i := range 1000 {
			p.writeLines(b, toolCallLine(i+1, "get_balance", "{}"))
			p.readLine(b)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if err != nil {
			b.Skip("needs /proc")
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		kib, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(kib)/1024, "MiB")
		_ = p.stdin.Close()
		_ = p.Wait()
	}
}

// One message to 1,000 numbers.
func BenchmarkSendTo1000(b *testing.B) {
	sandboxServer, err := sandbox.Start(b.Context(), "127.0.0.1:0", sandbox.Options{Balance: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sandboxServer.Close() }()
	numbers := make([]string, 1000)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+25670%07d", 1000+i)
	}
	p := startCommand(b, program(b, append(apiEnv(sandboxServer.URL()), unlimitedEnv...)))
	p.writeLines(b, initializeLine)
	p.readLine(b)
	i := 0
	for b.Loop() {
		i++ // a new message each time, because duplicates are rejected
		arguments, err := json.Marshal(map[string]any{"recipient": numbers, "message": fmt.Sprint("Hi ", i)})
		if err != nil {
			b.Fatal(err)
		}
		p.writeLines(b, toolCallLine(i, "send_sms", string(arguments)))
		if line := p.readLine(b); strings.Contains(line, `"isError":true`) {
			b.Fatal(line)
		}
	}
	_ = p.stdin.Close()
	_ = p.Wait()
}

// unlimitedEnv are settings without a rate limit and without confirmation.
var unlimitedEnv = []string{
	"WESENDALL_RATE=0", "WESENDALL_CONFIRM=off", "WESENDALL_MAX_PER_DAY=1000000000000",
	"WESENDALL_MAX_PER_CALL=1000000000000",
}
