package server

import (
	"bufio"
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

// next is the next line. The last one counts without a newline too.
func (l *lineReader) next() (line, error) {
	var text []byte
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		whole := err == nil
		if whole {
			part = part[:len(part)-1]
		}
		if tooLong = tooLong || len(text)+len(part) > MaxLine; tooLong {
			text = nil
		} else {
			text = grown(text, part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong:
			debug.FreeOSMemory() // it is rare, and should leave nothing behind
			return line{tooLong: true}, nil
		case whole || len(text) > 0:
			return line{text: text}, nil
		default:
			return line{}, err
		}
	}
}

// grown appends as append does, but never takes more room than a line may.
func grown(text, part []byte) []byte {
	if need := len(text) + len(part); need > cap(text) {
		text = append(make([]byte, 0, min(max(need, 2*cap(text)), MaxLine)), text...)
	}
	return append(text, part...)
}
