// Package sampletest runs code samples in several languages against the sandbox.
// Only tests import it.
package sampletest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Sandbox is a running sandbox and a client of it.
type Sandbox struct {
	URL    string
	Client *client.Client
}

// NewSandbox starts a sandbox whose wallet holds a balance in UGX. Payers approve
// at once. It ends with the test.
func NewSandbox(t *testing.T, balance int64) *Sandbox {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Options{
		Balance: balance, WithSampleGroup: true, ApproveAfter: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); _ = s.Close() })
	c, err := client.New(client.Options{
		BaseURL: server.URL, APIKey: sandbox.APIKey, APISecret: client.NewSecret(sandbox.APISecret),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Sandbox{server.URL, c}
}

// FaultProxy forwards requests to an API, counts them and injects faults.
type FaultProxy struct {
	URL string

	mu       sync.Mutex
	requests []string // method and path
}

// NewFaultProxy starts a proxy of targetURL. With dropResponses the API handles each
// request, but the connection closes without an answer. A handler answers
// instead of the API.
func NewFaultProxy(t *testing.T, targetURL string, dropResponses bool, handler http.HandlerFunc) *FaultProxy {
	t.Helper()
	target, err := url.Parse(targetURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {
		panic(http.ErrAbortHandler) // closes the connection, as the sandbox does
	}
	p := &FaultProxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
		switch {
		case handler != nil:
			_, _ = io.Copy(io.Discard, r.Body)
			handler(w, r)
		case dropResponses:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// RequestCount counts the requests with a method; "" counts all.
func (p *FaultProxy) RequestCount(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, request := range p.requests {
		if strings.HasPrefix(request, method) {
			n++
		}
	}
	return n
}

// languageRuntimes are the commands that check for each language and that run it.
var languageRuntimes = map[string]struct {
	check []string
	run   []string
}{
	"javascript": {[]string{"node", "--eval", "process.exit(typeof fetch === 'function' ? 0 : 1)"}, []string{"node"}},
	"nodejs":     {[]string{"node", "--version"}, []string{"node"}},
	"python":     {[]string{"python3", "--version"}, []string{"python3"}},
	"curl":       {[]string{"bash", "-c", "curl --version"}, []string{"bash"}},
	"php":        {[]string{"php", "-r", "exit(function_exists('curl_init') ? 0 : 1);"}, []string{"php"}},
	"go":         {[]string{"go", "version"}, nil},
}

// RunAll reports whether every sample and every generated program is run, which
// takes minutes: under CI=true. Otherwise the tests run a representative part.
func RunAll() bool { return os.Getenv("CI") == "true" }

// SkipUnlessInstalled skips a test if a language is not installed. Under CI=true
// it fails the test instead.
func SkipUnlessInstalled(t *testing.T, language string) {
	t.Helper()
	check := languageRuntimes[language].check
	out, err := exec.CommandContext(t.Context(), check[0], check[1:]...).CombinedOutput() //nolint:gosec // the tests' own
	switch {
	case err == nil:
	case RunAll():
		t.Fatalf("%v: %v\n%s", check, err, out)
	default:
		t.Skipf("%v: %v", check, err)
	}
}

// Command is a command line that runs a program.
type Command []string

// Build writes a program to a file, and compiles it if it is in Go.
func Build(t *testing.T, language, extension, source string) Command {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program."+extension)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if language != "go" {
		return append(append(Command{}, languageRuntimes[language].run...), file)
	}
	binary := file + ".exe"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file) //nolint:gosec // the tests' own
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return Command{binary}
}

// Result is the exit code and the output of a program.
type Result struct {
	Exit           int
	Stdout, Stderr string
}

// Run runs a program with the WESENDALL_* variables and those of env.
func (c Command) Run(t *testing.T, baseURL, key string, env []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	//nolint:gosec // the tests' own command
	cmd := exec.CommandContext(ctx, c[0], append(slices.Clone(c[1:]), args...)...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WESENDALL_BASE_URL=" + baseURL,
		"WESENDALL_API_KEY=" + key, "WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
	}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		t.Fatalf("%v: %v\n%s", c, err, stderr.String())
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
