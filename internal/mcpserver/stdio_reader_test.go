package mcpserver

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestStdio_LineLimit(t *testing.T) {
	t.Parallel()
	w := newStdioClient(t, newFake())
	w.initialize()
	go func() {
		_, _ = io.Copy(w.in, io.LimitReader(endlessReader{}, 64<<20))
		_, _ = io.WriteString(w.in, "\n"+`{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n")
	}()
	if a := w.read(); a.Error == nil || a.Error.Code != -32600 || !strings.Contains(a.Error.Message, "8 MiB") {
		t.Error(a.line)
	}
	if a := w.read(); string(a.ID) != "1" {
		t.Error(a.line)
	}
}

// endlessReader returns a line that never ends.
type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// Not parallel: it measures what the whole process allocates.
func TestStdio_LineLimitMemory(t *testing.T) { //nolint:paralleltest // see above
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l, err := newLineReader(io.LimitReader(endlessReader{}, 64<<20)).readLine()
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; err != nil || !l.tooLong || allocated > 9 {
		t.Errorf("%v, %d MiB allocated for a line of 64", err, allocated)
	}
}

func TestLineReader(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", MaxLineBytes)
	for text, want := range map[string]string{
		"":                          "",
		"a":                         "a|",
		"a\nb":                      "a|b|",
		"a\n\nb\n":                  "a||b|",
		longest:                     "8388608|",
		longest + "\nb":             "8388608|b|",
		longest + "a":               "too long|",
		longest + "a\nb\n":          "too long|b|",
		longest + longest + "\n\nc": "too long||c|",
	} {
		reader, got := newLineReader(strings.NewReader(text)), ""
		for {
			l, err := reader.readLine()
			if errors.Is(err, io.EOF) {
				break
			}
			switch {
			case l.tooLong:
				got += "too long|"
			case len(l.data) > 10:
				got += fmt.Sprint(len(l.data)) + "|"
			default:
				got += string(l.data) + "|"
			}
		}
		if got != want {
			t.Errorf("%.20q of %d bytes: %s", text, len(text), got)
		}
	}
}
