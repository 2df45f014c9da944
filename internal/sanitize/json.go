package sanitize

import (
	"bytes"
	"encoding/json"
)

// JSON removes invisible characters from the strings of a JSON text, as Text
// does, and keeps everything else byte for byte.
func JSON(raw []byte) []byte { return MapJSONStrings(raw, Text) }

// MapJSONStrings applies replace to every string of a JSON text, also to the
// names of members. Strings that replace returns unchanged and everything
// outside of strings keep their bytes, the digits of numbers included.
func MapJSONStrings(raw []byte, replace func(string) string) []byte {
	var out bytes.Buffer
	for {
		start := bytes.IndexByte(raw, '"')
		if start < 0 {
			out.Write(raw)
			return out.Bytes()
		}
		end := start + 1
		for end < len(raw) && raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(raw))
		out.Write(raw[:start])
		out.Write(mapJSONString(raw[start:end], replace))
		raw = raw[end:]
	}
}

// mapJSONString replaces one JSON string, quotes included. A string that cannot
// be read becomes an empty one, so that nothing passes unchecked.
func mapJSONString(quoted []byte, replace func(string) string) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return []byte(`""`)
	}
	if replaced := replace(text); replaced != text {
		return QuoteJSON(replaced)
	}
	return quoted
}

// QuoteJSON writes text as a JSON string, without escapes for HTML.
func QuoteJSON(text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return bytes.TrimSpace(out.Bytes())
}
