package sanitize

import "bytes"

// TrimByteOrderMark returns text without the space and the byte order mark at its
// beginning. Some editors and shells write the mark before UTF-8 text, and JSON
// allows none.
func TrimByteOrderMark(text []byte) []byte { return bytes.TrimLeft(text, "\ufeff \t\r\n") }
