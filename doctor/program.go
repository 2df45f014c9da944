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

// selfTime is how long the program may take to answer.
const selfTime = 20 * time.Second

// selfTest starts the program, and asks for its tools in both eras.
func (p Program) selfTest(ctx context.Context) []Finding {
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"`
	var findings []Finding
	for _, era := range []struct{ name, input string }{
		{"2025-11-25", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"doctor","version":"1"}}}` + "\n" + list + "}\n"},
		{"2026-07-28", list + `,"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n"},
	} {
		start := time.Now()
		tools, err := p.tools(ctx, era.input)
		if err != nil {
			findings = append(findings, Finding{"self-test", Failure, fmt.Sprintf("over stdio, %s: %v", era.name, err), "run the program by hand, and look at what it says on stderr"})
			continue
		}
		findings = append(findings, Finding{"self-test", OK, fmt.Sprintf("over stdio, %s: %d tools in %d ms", era.name, tools, time.Since(start).Milliseconds()), ""})
	}
	return findings
}

// tools counts the tools that the program lists, in the last of its answers.
func (p Program) tools(ctx context.Context, input string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, selfTime)
	defer cancel()
	c := exec.CommandContext(ctx, p.Path, p.Args...) //nolint:gosec // this very program
	c.Env, c.Stdin = p.Env, strings.NewReader(input)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var answer struct {
		Result struct{ Tools []json.RawMessage }
		Error  struct{ Message string }
	}
	if err := json.Unmarshal([]byte(lastLine(out.String())), &answer); err != nil {
		return 0, fmt.Errorf("it answered what is no message: %w", err)
	}
	if len(answer.Result.Tools) == 0 {
		return 0, fmt.Errorf("it lists no tools %s", answer.Error.Message)
	}
	return len(answer.Result.Tools), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
