package sanitize

import (
	"bytes"
	"fmt"
)

// LimitDepth replaces what is nested deeper than maxDepth levels in a valid JSON text
// by a note, and keeps everything else byte for byte. Programs that read JSON
// recursively fail on thousands of levels.
func LimitDepth(raw []byte, maxDepth int) []byte {
	note := []byte(fmt.Sprintf(`"[nested deeper than %d levels: left out]"`, maxDepth))
	var out bytes.Buffer
	depth, kept, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{', c == '[':
			if depth++; depth == maxDepth+1 {
				out.Write(raw[kept:i])
				out.Write(note)
			}
		case c == '}', c == ']':
			if depth == maxDepth+1 {
				kept = i + 1
			}
			depth--
		}
	}
	if kept == 0 {
		return raw
	}
	out.Write(raw[kept:])
	return out.Bytes()
}
