package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout is how long a program may take to answer for the first time.
const startTimeout = 20 * time.Second

// cluster is the sandbox, the replicas of the server, and the proxy in front of them.
type cluster struct {
	dir        string // for files, and for the output of the programs
	binaryPath string
	api        *process
	env        []string // the variables that connect to the API
	baseURL    string
	replicas   []*replica
	tokens     []string
}

// process is a program that runs until it is stopped.
type process struct {
	*exec.Cmd
	exited chan struct{}
}

// replica is one server over HTTP.
type replica struct {
	*process
	args         []string
	url, metrics string
}

// start runs a program and writes its output to a file.
func (c *cluster) start(name string, env []string, path string, args ...string) (*process, error) {
	logPath := filepath.Join(c.dir, name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // in a directory of our own
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(path, args...) //nolint:gosec // what this program names itself
	cmd.Dir, cmd.Env = c.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}, env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.exited) }()
	return p, nil
}

// stop ends a program, and waits until it has ended.
func (p *process) stop(signal syscall.Signal) {
	_ = p.Process.Signal(signal)
	<-p.exited
}

// startCluster starts everything: the API with a wallet that holds enough, and the
// replicas, whose ledger they share if there are several.
func startCluster(ctx context.Context, dir string, replicas, callers int, ledger string) (*cluster, error) {
	c := &cluster{dir: dir, binaryPath: filepath.Join(dir, "wesendall-mcp")}
	const program = "github.com/wesendall/wesendall-mcp/cmd/wesendall-mcp"
	build := exec.CommandContext(ctx, "go", "build", "-o", c.binaryPath, program) //nolint:gosec // as above
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := c.startSandbox(ctx); err != nil {
		return c, err
	}
	var lines strings.Builder
	for i := range callers {
		c.tokens = append(c.tokens, fmt.Sprintf("caller-%d-%s", i, strings.Repeat("x", 32)))
		fmt.Fprintf(&lines, "caller%d %s\n", i, c.tokens[i])
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte(lines.String()), 0o600); err != nil {
		return c, err
	}
	for range replicas {
		addresses, err := freeAddrs(2)
		if err != nil {
			return c, err
		}
		r := &replica{url: "http://" + addresses[0] + "/mcp", metrics: "http://" + addresses[1] + "/metrics"}
		r.args = []string{
			"--http", addresses[0], "--allowed-host", "127.0.0.1", "--allowed-host", "mcp.example.com",
			"--metrics", addresses[1], "--http-token-file", tokens, "--ledger", ledger, "--log-format", "json",
			"--rate", "0", "--confirm", "off", "--max-per-call", "1000000000", "--max-per-day", "1000000000",
		}
		c.replicas = append(c.replicas, r)
		if err := c.startReplica(ctx, r); err != nil {
			return c, err
		}
	}
	return c, nil
}

// startSandbox starts the API, and reads the variables that it prints.
func (c *cluster) startSandbox(ctx context.Context) error {
	var err error
	if c.api, err = c.start("api", nil, c.binaryPath, "sandbox", "--addr", "127.0.0.1:0", "--balance", "1000000000"); err != nil {
		return err
	}
	return waitUntil(ctx, func() error {
		text, err := os.ReadFile(filepath.Join(c.dir, "api.log"))
		c.env = nil
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "WESENDALL_") {
				c.env = append(c.env, lines.Text())
				if name == "WESENDALL_BASE_URL" {
					c.baseURL = value
				}
			}
		}
		if err == nil && len(c.env) < 4 {
			err = errors.New("the API does not say where it is")
		}
		return err
	})
}

// startReplica starts a replica, and waits until it accepts calls.
func (c *cluster) startReplica(ctx context.Context, r *replica) error {
	p, err := c.start("replica", c.env, c.binaryPath, r.args...)
	if err != nil {
		return err
	}
	r.process = p
	return waitUntil(ctx, func() error {
		select {
		case <-p.exited:
			text, _ := os.ReadFile(filepath.Join(c.dir, "replica.log"))
			return fmt.Errorf("a replica ended: %s", text)
		default:
		}
		return checkHealth(ctx, http.DefaultClient, strings.TrimSuffix(r.url, "/mcp")+"/readyz")
	})
}

// close stops all programs.
func (c *cluster) close() {
	for _, r := range c.replicas {
		if r.process != nil {
			r.stop(syscall.SIGTERM)
		}
	}
	if c.api != nil {
		c.api.stop(syscall.SIGTERM)
	}
}

// waitUntil repeats a check until it succeeds, or the context ends.
func waitUntil(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func checkHealth(ctx context.Context, httpClient *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// freeAddrs returns addresses on which no program listens.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// resourceUsage is what a replica uses.
type resourceUsage struct {
	cpu        time.Duration
	memory     int // KiB that are resident
	files      int // that are open
	goroutines int
}

// readUsage reads the usage from /proc and from the replica's metrics.
func (r *replica) readUsage(ctx context.Context) (resourceUsage, error) {
	var usage resourceUsage
	proc := filepath.Join("/proc", strconv.Itoa(r.Process.Pid))
	status, err := os.ReadFile(filepath.Join(proc, "status")) //nolint:gosec // of a process that this program started
	if err != nil {
		return usage, err
	}
	if usage.memory, err = parseMetric(string(status), "VmRSS:"); err != nil {
		return usage, err
	}
	text, err := os.ReadFile(filepath.Join(proc, "stat")) //nolint:gosec // as above
	if err != nil {
		return usage, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // a name may have spaces
	for _, field := range strings.Fields(rest)[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return usage, err
		}
		usage.cpu += time.Duration(ticks) * 10 * time.Millisecond // as Linux counts for programs
	}
	open, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return usage, err
	}
	usage.files = len(open)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.metrics, nil)
	if err != nil {
		return usage, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return usage, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err = io.ReadAll(resp.Body)
	if err != nil {
		return usage, err
	}
	usage.goroutines, err = parseMetric("\n"+string(text), "\ngo_goroutines ")
	return usage, err
}

// parseMetric returns the value of the metric with a name.
func parseMetric(text, name string) (int, error) {
	_, rest, ok := strings.Cut(text, name)
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, fmt.Errorf("there is no %q", strings.TrimSpace(name))
	}
	return strconv.Atoi(fields[0])
}

// caller calls tools over HTTP, as a client of 2026-07-28 does.
type caller struct {
	http  *http.Client
	token string
}

// callResult is the result of a call.
type callResult struct {
	Code string // "" is success
	Data json.RawMessage
}

var errBusy = errors.New("the server has too much to do")

// call calls a tool. An error says that no result came.
func (c *caller) call(ctx context.Context, url, tool string, arguments any) (callResult, error) {
	const version = "2026-07-28"
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "tools/call",
		"params": map[string]any{"name": tool, "arguments": arguments, "_meta": map[string]any{
			"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}},
	})
	if err != nil {
		return callResult{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return callResult{}, err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Authorization":        "Bearer " + c.token,
		"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return callResult{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return callResult{}, err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return callResult{}, errBusy
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		raw = lastSSEData(raw)
	}
	var answer struct {
		Result *struct {
			StructuredContent struct {
				Code string          `json:"code"`
				Data json.RawMessage `json:"data"`
			} `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Result == nil {
		return callResult{}, fmt.Errorf("%s: %.200s", resp.Status, raw)
	}
	return callResult{answer.Result.StructuredContent.Code, answer.Result.StructuredContent.Data}, nil
}

// lastSSEData is the data of the last event of a stream.
func lastSSEData(text []byte) []byte {
	var data []byte
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = bytes.TrimSpace(rest)
		}
	}
	return data
}
