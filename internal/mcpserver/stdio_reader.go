package mcpserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime/debug"
)

// MaxLineBytes is how long a line may be, in bytes.
const MaxLineBytes = 8 << 20

// line is one line of the input, without its end.
type line struct {
	data    []byte
	tooLong bool // and then without its text
}

// lineReader reads lines, and keeps no more of one than it may be long.
type lineReader struct{ r *bufio.Reader }

func newLineReader(in io.Reader) *lineReader { return &lineReader{bufio.NewReaderSize(in, 64<<10)} }

// readLine is the next line. The last one counts without a newline too. It is kept in
// pieces until it is whole: a buffer that grows would be there twice.
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
			debug.FreeOSMemory() // it is rare, and should leave nothing behind
			return line{tooLong: true}, nil
		case complete || length > 0:
			return line{data: bytes.Join(chunks, nil)}, nil
		default:
			return line{}, err
		}
	}
}
