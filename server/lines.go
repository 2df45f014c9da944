package server

import (
	"bufio"
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
	var text []byte
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		switch {
		case tooLong || len(text)+len(part) > maxLine+1: // the newline is not part of it
			text, tooLong = nil, true
		default:
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && len(text) == 0 && !tooLong:
			return line{}, err
		}
		if n := len(text); n > 0 && text[n-1] == '\n' {
			text = text[:n-1]
		}
		if len(text) > maxLine {
			text, tooLong = nil, true
		}
		return line{text, tooLong}, nil
	}
}
