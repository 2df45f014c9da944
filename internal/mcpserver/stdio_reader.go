package mcpserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime/debug"
)

// MaxLineBytes is the longest line that the stdio transport accepts, without its
// newline.
const MaxLineBytes = 8 << 20

// line is one line of the input, without its newline.
type line struct {
	data    []byte
	tooLong bool // data is nil then
}

// readLines sends the lines of in until it ends or stop is closed.
func readLines(in io.Reader, stop <-chan struct{}) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		reader := newLineReader(in)
		for {
			l, err := reader.readLine()
			if err != nil {
				return
			}
			select {
			case lines <- l:
			case <-stop:
				return
			}
		}
	}()
	return lines
}

// lineReader reads lines and buffers at most MaxLineBytes of one. bufio.Scanner
// fails for good at a line that is too long; this reader goes on with the next.
type lineReader struct{ r *bufio.Reader }

func newLineReader(in io.Reader) *lineReader { return &lineReader{bufio.NewReaderSize(in, 64<<10)} }

// readLine returns the next line. The last line may lack its newline. The line is
// kept in chunks until it is complete: a growing buffer would need twice the memory.
func (l *lineReader) readLine() (line, error) {
	var chunks [][]byte
	length, tooLong := 0, false
	for {
		chunk, err := l.r.ReadSlice('\n')
		complete := err == nil
		if complete {
			chunk = chunk[:len(chunk)-1]
		}
		length += len(chunk)
		if tooLong = tooLong || length > MaxLineBytes; tooLong {
			chunks = nil
		} else {
			chunks = append(chunks, bytes.Clone(chunk))
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong:
			debug.FreeOSMemory() // rare, and the chunks were up to MaxLineBytes
			return line{tooLong: true}, nil
		case complete || length > 0:
			return line{data: bytes.Join(chunks, nil)}, nil
		default:
			return line{}, err
		}
	}
}
