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

// ready is how long a program may take to answer for the first time.
const ready = 20 * time.Second

// fleet is the stand-in API, replicas of the server before it, and whatever
// stands before those.
type fleet struct {
	dir      string // for files, and for what the programs say
	program  string
	api      *program
	env      []string // what the API's callers need
	base     string
	replicas []*replica
	tokens   []string
}

// program is one that runs until it is stopped.
type program struct {
	*exec.Cmd
	ended chan struct{}
}

// replica is one server over HTTP.
type replica struct {
	*program
	args         []string
	url, metrics string
}

// start runs a program, whose words are kept in a file.
func (f *fleet) start(name string, env []string, path string, args ...string) (*program, error) {
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // in a directory of our own
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	c := exec.Command(path, args...) //nolint:gosec // what this program names itself
	c.Dir, c.Env = f.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir}, env...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &program{c, make(chan struct{})}
	go func() { _ = c.Wait(); close(p.ended) }()
	return p, nil
}

// stop ends a program, and waits until it has ended.
func (p *program) stop(signal syscall.Signal) {
	_ = p.Process.Signal(signal)
	<-p.ended
}

// launch starts everything: the API with a wallet that holds enough, and the
// replicas, whose ledger they share if there are several.
func launch(ctx context.Context, dir string, replicas, callers int, ledger string) (*fleet, error) {
	f := &fleet{dir: dir, program: filepath.Join(dir, "wesendall-mcp")}
	build := exec.CommandContext(ctx, "go", "build", "-o", f.program, "github.com/wesendall/wesendall-mcp/cmd/wesendall-mcp") //nolint:gosec // as above
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if err := f.standIn(ctx); err != nil {
		return f, err
	}
	var lines strings.Builder
	for i := range callers {
		f.tokens = append(f.tokens, fmt.Sprintf("caller-%d-%s", i, strings.Repeat("x", 32)))
		fmt.Fprintf(&lines, "caller%d %s\n", i, f.tokens[i])
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte(lines.String()), 0o600); err != nil {
		return f, err
	}
	for range replicas {
		addresses, err := free(2)
		if err != nil {
			return f, err
		}
		r := &replica{url: "http://" + addresses[0] + "/mcp", metrics: "http://" + addresses[1] + "/metrics"}
		r.args = []string{
			"--http", addresses[0], "--allowed-host", "127.0.0.1", "--allowed-host", "mcp.example.com", "--metrics", addresses[1], "--http-token-file", tokens, "--ledger", ledger,
			"--rate", "0", "--confirm", "off", "--max-per-call", "1000000000", "--max-per-day", "1000000000", "--log-format", "json",
		}
		f.replicas = append(f.replicas, r)
		if err := f.run(ctx, r); err != nil {
			return f, err
		}
	}
	return f, nil
}

// standIn starts the API, and reads what it says of itself.
func (f *fleet) standIn(ctx context.Context) error {
	var err error
	if f.api, err = f.start("api", nil, f.program, "sandbox", "--addr", "127.0.0.1:0", "--balance", "1000000000"); err != nil {
		return err
	}
	return await(ctx, func() error {
		text, err := os.ReadFile(filepath.Join(f.dir, "api.log"))
		f.env = nil
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "WESENDALL_") {
				f.env = append(f.env, lines.Text())
				if name == "WESENDALL_BASE_URL" {
					f.base = value
				}
			}
		}
		if err == nil && len(f.env) < 4 {
			err = errors.New("the API does not say where it is")
		}
		return err
	})
}

// run starts a replica, and waits until it takes calls.
func (f *fleet) run(ctx context.Context, r *replica) error {
	p, err := f.start("replica", f.env, f.program, r.args...)
	if err != nil {
		return err
	}
	r.program = p
	return await(ctx, func() error {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(filepath.Join(f.dir, "replica.log"))
			return fmt.Errorf("a replica ended: %s", text)
		default:
		}
		return answers(ctx, http.DefaultClient, strings.TrimSuffix(r.url, "/mcp")+"/readyz")
	})
}

// close ends all of it.
func (f *fleet) close() {
	for _, r := range f.replicas {
		if r.program != nil {
			r.stop(syscall.SIGTERM)
		}
	}
	if f.api != nil {
		f.api.stop(syscall.SIGTERM)
	}
}

// await tries until it works.
func await(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	for {
		err := try()
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

func answers(ctx context.Context, by *http.Client, url string) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := by.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// free finds addresses that nobody listens on.
func free(n int) ([]string, error) {
	var found []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		found = append(found, l.Addr().String())
	}
	return found, nil
}

// footprint is what a replica holds.
type footprint struct {
	cpu        time.Duration
	memory     int // KiB that are resident
	files      int // that are open
	goroutines int
}

// footprint reads what the system and the replica itself say.
func (r *replica) footprint(ctx context.Context) (footprint, error) {
	var p footprint
	proc := filepath.Join("/proc", strconv.Itoa(r.Process.Pid))
	status, err := os.ReadFile(filepath.Join(proc, "status")) //nolint:gosec // of a process that this program started
	if err != nil {
		return p, err
	}
	if p.memory, err = number(string(status), "VmRSS:"); err != nil {
		return p, err
	}
	text, err := os.ReadFile(filepath.Join(proc, "stat")) //nolint:gosec // as above
	if err != nil {
		return p, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // a name may have spaces
	for _, field := range strings.Fields(rest)[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(ticks) * 10 * time.Millisecond // as Linux counts for programs
	}
	open, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return p, err
	}
	p.files = len(open)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.metrics, nil)
	if err != nil {
		return p, err
	}
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return p, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	if err != nil {
		return p, err
	}
	p.goroutines, err = number("\n"+string(text), "\ngo_goroutines ")
	return p, err
}

// number is the one that follows a name.
func number(text, name string) (int, error) {
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

// result is what a call came to.
type result struct {
	Code string // "" is success
	Data json.RawMessage
}

var errBusy = errors.New("the server has too much to do")

// call calls a tool. An error says that no result came.
func (c *caller) call(ctx context.Context, url, tool string, arguments any) (result, error) {
	const version = "2026-07-28"
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "tools/call",
		"params": map[string]any{"name": tool, "arguments": arguments, "_meta": map[string]any{
			"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}},
	})
	if err != nil {
		return result{}, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return result{}, err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + c.token,
		"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		q.Header.Set(name, value)
	}
	response, err := c.http.Do(q)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return result{}, err
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return result{}, errBusy
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		text = lastEvent(text)
	}
	var answer struct {
		Result *struct {
			StructuredContent struct {
				Code string          `json:"code"`
				Data json.RawMessage `json:"data"`
			} `json:"structuredContent"`
		} `json:"result"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Result == nil {
		return result{}, fmt.Errorf("%s: %.200s", response.Status, text)
	}
	return result{answer.Result.StructuredContent.Code, answer.Result.StructuredContent.Data}, nil
}

// lastEvent is the data of the last event of a stream.
func lastEvent(text []byte) []byte {
	var data []byte
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = bytes.TrimSpace(rest)
		}
	}
	return data
}
