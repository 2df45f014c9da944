package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// inProcess is the program, running in the test's process.
type inProcess struct {
	stdin    *os.File
	stdout   *bufio.Reader
	exitCode chan int
	log      *logBuffer
}

// logBuffer is a log that reports each line.
type logBuffer struct {
	mu    sync.Mutex
	text  strings.Builder
	lines chan string
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines <- string(line)
	return b.text.Write(line)
}

func startInProcess(t *testing.T, env []string, args ...string) *inProcess {
	t.Helper()
	stdin, stdinWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdoutReader, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &inProcess{stdin: stdinWriter, stdout: bufio.NewReader(stdoutReader), exitCode: make(chan int, 1),
		log: &logBuffer{lines: make(chan string, 1000)}}
	environ := environment{
		args: args, stdin: stdin, stdout: stdout, stderr: p.log,
		lookupEnv: lookupIn(env), workDir: t.TempDir(), defaults: guard.DefaultOptions(),
	}
	go func() { p.exitCode <- run(context.WithoutCancel(t.Context()), environ); _ = stdout.Close() }()
	t.Cleanup(func() { _ = stdinWriter.Close(); <-p.exitCode; _ = stdin.Close(); _ = stdoutReader.Close() })
	return p
}

// waitForLog waits for a line of the log.
func (p *inProcess) waitForLog(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-p.log.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the log never said %q", text)
		}
	}
}

// request writes a line and reads the next one.
func (p *inProcess) request(t *testing.T, line string) string {
	t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func httpGet(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
