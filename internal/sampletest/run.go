// Package programs runs programs in several languages against the sandbox, for
// the tests of whatever shows people code. Only tests import it.
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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// Sandbox is a sandbox, with a client to look into it.
type Sandbox struct {
	URL    string
	Client *client.Client
}

// NewSandbox is a sandbox whose wallet has a balance in UGX. Payers approve at once.
func NewSandbox(t *testing.T, balance int64) *Sandbox {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Options{Balance: balance, WithSampleGroup: true, ApproveAfter: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); _ = s.Close() })
	c, err := client.New(client.Options{BaseURL: server.URL, APIKey: sandbox.APIKey, APISecret: client.NewSecret(sandbox.APISecret)})
	if err != nil {
		t.Fatal(err)
	}
	return &Sandbox{server.URL, c}
}

// FaultProxy stands before an API, and keeps what it was asked.
type FaultProxy struct {
	URL string

	mu       sync.Mutex
	requests []string // method and path
}

// NewFaultProxy is a front that passes requests on. With dropResponses, it takes the answers
// away; handler answers in the API's place.
func NewFaultProxy(t *testing.T, targetURL string, dropResponses bool, handler http.HandlerFunc) *FaultProxy {
	t.Helper()
	target, err := url.Parse(targetURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // as the sandbox does
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

// RequestCount counts the requests of a method; "" counts all.
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

// languageRuntimes are how the programs of each language are checked for and run.
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

// SkipUnlessInstalled skips a test for want of a language on a contributor's machine; where CI
// runs, nothing is skipped.
func SkipUnlessInstalled(t *testing.T, language string) {
	t.Helper()
	check := languageRuntimes[language].check
	out, err := exec.CommandContext(t.Context(), check[0], check[1:]...).CombinedOutput() //nolint:gosec // the tests' own
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v\n%s", check, err, out)
	default:
		t.Skipf("%v: %v", check, err)
	}
}

// Command is a command that can be run.
type Command []string

// Build writes a program down, and builds one that is in Go.
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

// Result is how a program ended.
type Result struct {
	Exit           int
	Stdout, Stderr string
}

// Run runs a program in an environment of the API's variables and these.
func (c Command) Run(t *testing.T, baseURL, key string, env []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c[0], append(append([]string{}, c[1:]...), args...)...) //nolint:gosec // the tests' own
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
