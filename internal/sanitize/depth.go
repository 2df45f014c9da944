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
	depth, copied, inString := 0, 0, false
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
				out.Write(raw[copied:i])
				out.Write(note)
			}
		case c == '}', c == ']':
			if depth == maxDepth+1 {
				copied = i + 1
			}
			depth--
		}
	}
	if copied == 0 {
		return raw
	}
	out.Write(raw[copied:])
	return out.Bytes()
}
