package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Program is the server as a host starts it.
type Program struct {
	Path string
	Args []string
	Env  []string
}

// selfTestTimeout is for one start of the program.
const selfTestTimeout = 20 * time.Second

// The messages that list the tools in each protocol, one a line.
const (
	sessionMessages = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
		`"capabilities":{},"clientInfo":{"name":"doctor","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n"
	statelessMessages = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"
)

// checkSelf starts the program and lists its tools, once in each protocol.
func (p Program) checkSelf(ctx context.Context) []Finding {
	var findings []Finding
	for _, protocol := range []struct{ version, messages string }{
		{"2025-11-25", sessionMessages}, {"2026-07-28", statelessMessages},
	} {
		start := time.Now()
		count, err := p.listTools(ctx, protocol.messages)
		if err != nil {
			findings = append(findings, failure("self-test", fmt.Sprintf("over stdio, %s: %v", protocol.version, err),
				"run the program by hand and read what it prints on stderr"))
			continue
		}
		findings = append(findings, ok("self-test",
			fmt.Sprintf("over stdio, %s: %d tools in %d ms", protocol.version, count, time.Since(start).Milliseconds())))
	}
	return findings
}

// listTools counts the tools in the program's last answer.
func (p Program) listTools(ctx context.Context, messages string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, selfTestTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // the running program
	cmd.Env, cmd.Stdin = p.Env, strings.NewReader(messages)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var response struct {
		Result struct{ Tools []json.RawMessage }
		Error  struct{ Message string }
	}
	if err := json.Unmarshal([]byte(lastLine(stdout.String())), &response); err != nil {
		return 0, fmt.Errorf("the answer is not a message: %w", err)
	}
	if len(response.Result.Tools) == 0 {
		return 0, fmt.Errorf("it lists no tools %s", response.Error.Message)
	}
	return len(response.Result.Tools), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
