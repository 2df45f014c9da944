package reference_test

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/sandbox"
)

// api is a sandbox with a client of it.
type api struct {
	url  string
	call *client.Client
}

func newAPI(t *testing.T, balance int64) *api {
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
	return &api{server.URL, c}
}

// front stands before a sandbox and counts the requests. It may lose the answer
// of one, or answer in the sandbox's place.
func front(t *testing.T, to string, lose bool, instead http.HandlerFunc) (base string, requests *atomic.Int32) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		requests.Add(1)
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
	return server.URL, requests
}

// needs skips a test for want of a program on a contributor's machine; where CI
// runs, nothing is skipped.
func needs(t *testing.T, check ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), check[0], check[1:]...).CombinedOutput() //nolint:gosec // the tests' own
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v\n%s", check, err, out)
	default:
		t.Skipf("%v: %v", check, err)
	}
}

// program is a file that can be run.
type program []string

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

// prepare writes a program down, and builds one that is in Go.
func prepare(t *testing.T, language, extension, source string) program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sample."+extension)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if language != "go" {
		return append(append(program{}, runners[language].run...), file)
	}
	binary := file + ".exe"
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file) //nolint:gosec // the tests' own
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program{binary}
}

// result is how a program ended.
type result struct {
	exit        int
	out, stderr string
}

// run runs a program in an environment of the API's variables alone.
func (p program) run(t *testing.T, base, key, input string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p[0], p[1:]...) //nolint:gosec // the tests' own
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WESENDALL_BASE_URL=" + base,
		"WESENDALL_API_KEY=" + key, "WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
	}
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader([]byte(input)), &out, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		t.Fatalf("%v: %v\n%s", p, err, stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}
