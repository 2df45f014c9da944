package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is how long a line may be, in bytes.
const maxLine = 8 << 20

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
	var text bytes.Buffer
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		whole := err == nil
		if whole {
			part = part[:len(part)-1]
		}
		if tooLong = tooLong || text.Len()+len(part) > maxLine; !tooLong {
			text.Write(part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case tooLong:
			return line{tooLong: true}, nil
		case whole || text.Len() > 0:
			return line{text: text.Bytes()}, nil
		default:
			return line{}, err
		}
	}
}
