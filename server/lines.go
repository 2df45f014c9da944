package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime/debug"
)

// MaxLine is how long a line may be, in bytes.
const MaxLine = 8 << 20

// line is one line of the input, without its end.
type line struct {
	text    []byte
	tooLong bool // and then without its text
}

// lineReader reads lines, and keeps no more of one than it may be long.
type lineReader struct{ r *bufio.Reader }

func newLineReader(in io.Reader) *lineReader { return &lineReader{bufio.NewReaderSize(in, 64<<10)} }

// next is the next line. The last one counts without a newline too. It is kept in
// pieces until it is whole: a buffer that grows would be there twice.
func (l *lineReader) next() (line, error) {
	var pieces [][]byte
	length, tooLong := 0, false
	for {
		part, err := l.r.ReadSlice('\n')
		whole := err == nil
		if whole {
			part = part[:len(part)-1]
		}
		length += len(part)
		if tooLong = tooLong || length > MaxLine; tooLong {
			pieces = nil
		} else {
			pieces = append(pieces, bytes.Clone(part))
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong:
			debug.FreeOSMemory() // it is rare, and should leave nothing behind
			return line{tooLong: true}, nil
		case whole || length > 0:
			return line{text: bytes.Join(pieces, nil)}, nil
		default:
			return line{}, err
		}
	}
}
