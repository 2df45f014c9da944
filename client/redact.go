package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// redactor takes a secret out of texts that came from elsewhere. It keeps it in a
// function, which no format looks into; nil is where there is no secret.
type redactor func(string) string

// newRedactor knows the secret as it is, as it travels in a header, in a URL and
// in JSON.
func newRedactor(key string, secret Secret) redactor {
	text := secret.Reveal()
	if text == "" {
		return nil
	}
	forms := []string{text}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(key+":"+text)), encoding.EncodeToString([]byte(text)))
	}
	for _, escaped := range []string{url.QueryEscape(text), url.PathEscape(text)} {
		forms = append(forms, escaped, percentEscape.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	for _, escapeHTML := range []bool{true, false} {
		quoted := quoteJSON(text, escapeHTML)
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, redacted)
	}
	return strings.NewReplacer(pairs...).Replace
}

// percentEscape are the escapes of a URL, whose digits may come in either case.
var percentEscape = regexp.MustCompile("%[0-9A-F]{2}")

// redactText takes the secret out of a text, also where characters that nobody sees
// stand between its own: whoever takes those out later would join it again.
func (s redactor) redactText(text string) string {
	if s == nil {
		return text
	}
	clean := s(text)
	if !strings.ContainsFunc(clean, isInvisible) {
		return clean
	}
	visible := strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, clean)
	if cleanVisible := s(visible); cleanVisible != visible {
		return cleanVisible
	}
	return clean
}

func isInvisible(r rune) bool {
	return r != '\n' && r != '\t' && unicode.In(r, unicode.C, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// redactJSON does the same to JSON, whose form and every other byte it keeps. A string
// may hide the secret behind escapes.
func (s redactor) redactJSON(raw json.RawMessage) json.RawMessage {
	if s == nil {
		return raw
	}
	var out bytes.Buffer
	for rest := []byte(raw); ; {
		start := bytes.IndexByte(rest, '"')
		if start < 0 {
			out.Write(rest)
			break
		}
		end := start + 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(rest))
		out.Write(rest[:start])
		out.Write(s.redactJSONString(rest[start:end]))
		rest = rest[end:]
	}
	return out.Bytes()
}

// redactJSONString cleans one JSON string, quotes included.
func (s redactor) redactJSONString(quoted []byte) []byte {
	var str string
	if json.Unmarshal(quoted, &str) != nil {
		return []byte(`"` + redacted + `"`)
	}
	if clean := s.redactText(str); clean != str {
		return quoteJSON(clean, false)
	}
	return quoted
}

// quoteJSON is a text as a JSON string.
func quoteJSON(text string, escapeHTML bool) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	_ = encoder.Encode(text) // a string always encodes
	return bytes.TrimSpace(out.Bytes())
}

func (s redactor) redactFields(members map[string]json.RawMessage) map[string]json.RawMessage {
	clean := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		clean[s.redactText(name)] = s.redactJSON(value)
	}
	return clean
}
