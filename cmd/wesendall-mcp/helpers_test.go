package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/internal/sandbox"
)

// binary is the program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wesendall-mcp")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "wesendall-mcp")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// envPrintToStdout makes the test binary run the program and print to stdout, where it must
// not.
const envPrintToStdout = "WESENDALL_TEST_PRINTS"

func TestMain(m *testing.M) {
	if os.Getenv(envPrintToStdout) != "" {
		os.Exit(runMain([]string{"--sandbox"}, func(name string) (string, bool) {
			fmt.Println("stray")
			return os.LookupEnv(name)
		}))
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// program returns the built binary as a command with its own environment.
func program(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, args...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
	return c
}

// upstream starts a sandbox over HTTP and returns the environment for it.
func upstream(t testing.TB) (env []string, url string) {
	t.Helper()
	s, err := sandbox.Start(t.Context(), "127.0.0.1:0", sandbox.Options{Balance: sandbox.DefaultBalance})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return apiEnv(s.URL()), s.URL()
}

func apiEnv(url string) []string {
	return []string{
		"WESENDALL_BASE_URL=" + url, "WESENDALL_API_KEY=" + sandbox.APIKey,
		"WESENDALL_API_SECRET=" + sandbox.APISecret, "WESENDALL_WALLET_ID=" + sandbox.WalletID,
	}
}

// slowUpstream is an API that reports each request and answers when told.
func slowUpstream(t testing.TB) (env []string, arrived <-chan string, release chan<- struct{}) {
	t.Helper()
	arrivals, proceed := make(chan string, 64), make(chan struct{}, 64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet { // the price, before a send
			_, _ = io.WriteString(w, `{"success":true,"data":{"balance":5000,"cost_per_sms":35}}`)
			return
		}
		arrivals <- r.URL.Path
		select {
		case <-proceed:
			_, _ = io.WriteString(w, `{"success":true,"data":{"batch_id":"b"}}`)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return apiEnv(s.URL), arrivals, proceed
}

// runResult is the exit code and output of a run.
type runResult struct {
	exitCode       int
	stdout, stderr string
}

// runInProcess runs the program in this process with its own directory and environment.
func runInProcess(t *testing.T, dir string, env []string, input string, args ...string) runResult {
	t.Helper()
	return runWithDefaults(t, guard.DefaultOptions(), dir, env, input, args...)
}

func runWithDefaults(
	t *testing.T, defaults guard.Options, dir string, env []string, input string, args ...string,
) runResult {
	t.Helper()
	tempFile := func(name, text string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.WriteString(text); err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	stdinFile, stdoutFile := tempFile("in", input), tempFile("out", "")
	var stderr strings.Builder
	code := run(context.WithoutCancel(t.Context()), environment{
		args: args, stdin: stdinFile, stdout: stdoutFile, stderr: &stderr,
		lookupEnv: lookupIn(env), envNames: namesOf(env), workDir: dir, defaults: defaults,
	})
	text, err := os.ReadFile(stdoutFile.Name())
	if err != nil {
		t.Fatal(err)
	}
	return runResult{code, string(text), stderr.String()}
}

// lookupIn looks up the first assignment of a variable in a list.
func lookupIn(env []string) lookupFunc {
	values := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if _, exists := values[name]; !exists {
			values[name] = value
		}
	}
	return mapLookup(values)
}
