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

// Program is the server as a host would start it.
type Program struct {
	Path string
	Args []string
	Env  []string
}

// selfTestTimeout is how long the program may take to answer.
const selfTestTimeout = 20 * time.Second

// checkSelf starts the program, and asks for its tools in both eras.
func (p Program) checkSelf(ctx context.Context) []Finding {
	const listRequest = `{"jsonrpc":"2.0","id":1,"method":"tools/list"`
	var findings []Finding
	for _, protocol := range []struct{ name, input string }{
		{"2025-11-25", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"doctor","version":"1"}}}` + "\n" + listRequest + "}\n"},
		{"2026-07-28", listRequest + `,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"},
	} {
		start := time.Now()
		tools, err := p.listTools(ctx, protocol.input)
		if err != nil {
			findings = append(findings, Finding{"self-test", StatusError, fmt.Sprintf("over stdio, %s: %v", protocol.name, err), "run the program by hand, and look at what it says on stderr"})
			continue
		}
		findings = append(findings, Finding{"self-test", StatusOK, fmt.Sprintf("over stdio, %s: %d tools in %d ms", protocol.name, tools, time.Since(start).Milliseconds()), ""})
	}
	return findings
}

// listTools counts the tools that the program lists, in the last of its answers.
func (p Program) listTools(ctx context.Context, input string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, selfTestTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // this very program
	cmd.Env, cmd.Stdin = p.Env, strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var resp struct {
		Result struct{ Tools []json.RawMessage }
		Error  struct{ Message string }
	}
	if err := json.Unmarshal([]byte(lastLine(stdout.String())), &resp); err != nil {
		return 0, fmt.Errorf("it answered what is no message: %w", err)
	}
	if len(resp.Result.Tools) == 0 {
		return 0, fmt.Errorf("it lists no tools %s", resp.Error.Message)
	}
	return len(resp.Result.Tools), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
