// Package programs runs programs in several languages against the sandbox, for
// the tests of whatever shows people code. Only tests import it.
package programs

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
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// API is a sandbox, with a client to look into it.
type API struct {
	URL    string
	Client *client.Client
}

// NewAPI is a sandbox whose wallet has a balance in UGX. Payers approve at once.
func NewAPI(t *testing.T, balance int64) *API {
	t.Helper()
	s, err := sandbox.Open(t.Context(), sandbox.Options{Balance: balance, Group: true, ApproveAfter: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() { server.Close(); _ = s.Close() })
	c, err := client.New(client.Options{BaseURL: server.URL, Key: sandbox.APIKey, Secret: client.NewSecret(sandbox.APISecret)})
	if err != nil {
		t.Fatal(err)
	}
	return &API{server.URL, c}
}

// Front stands before an API, and keeps what it was asked.
type Front struct {
	URL string

	mu    sync.Mutex
	asked []string // method and path
}

// NewFront is a front that passes requests on. With lose, it takes the answers
// away; instead answers in the API's place.
func NewFront(t *testing.T, to string, lose bool, instead http.HandlerFunc) *Front {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // as the sandbox does
	f := &Front{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, q.Method+" "+q.URL.Path)
		f.mu.Unlock()
		switch {
		case instead != nil:
			_, _ = io.Copy(io.Discard, q.Body)
			instead(w, q)
		case lose:
			proxy.ServeHTTP(httptest.NewRecorder(), q)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, q)
		}
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// Asked counts the requests of a method; "" counts all.
func (f *Front) Asked(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, each := range f.asked {
		if strings.HasPrefix(each, method) {
			n++
		}
	}
	return n
}

// runners are how the programs of each language are checked for and run.
var runners = map[string]struct {
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

// Needs skips a test for want of a language on a contributor's machine; where CI
// runs, nothing is skipped.
func Needs(t *testing.T, language string) {
	t.Helper()
	check := runners[language].check
	out, err := exec.CommandContext(t.Context(), check[0], check[1:]...).CombinedOutput() //nolint:gosec // the tests' own
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v\n%s", check, err, out)
	default:
		t.Skipf("%v: %v", check, err)
	}
}

// Program is a command that can be run.
type Program []string

// Prepare writes a program down, and builds one that is in Go.
func Prepare(t *testing.T, language, extension, source string) Program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program."+extension)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if language != "go" {
		return append(append(Program{}, runners[language].run...), file)
	}
	binary := file + ".exe"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file) //nolint:gosec // the tests' own
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return Program{binary}
}

// Result is how a program ended.
type Result struct {
	Exit        int
	Out, Stderr string
}

// Run runs a program in an environment of the API's variables and these.
func (p Program) Run(t *testing.T, base, key string, env []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p[0], append(append([]string{}, p[1:]...), args...)...) //nolint:gosec // the tests' own
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WESENDALL_BASE_URL=" + base,
		"WESENDALL_API_KEY=" + key, "WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
	}, env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		t.Fatalf("%v: %v\n%s", p, err, stderr.String())
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}
