package client

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// redactor removes a secret from texts that the server wrote. It is a function, because
// fmt does not print the variables of a closure. It is nil without a secret.
type redactor func(string) string

// Redact removes a secret from a text that is about to be shown. It finds the secret as
// it is, in base64, in the escapes of JSON, in percent encoding and in HTML entities,
// and in no other form.
func Redact(secret Secret, text string) string { return newRedactor("", secret).redactText(text) }

// newRedactor recognises the secret as it is and as a header, a URL and JSON encode
// it.
func newRedactor(key string, secret Secret) redactor {
	text := secret.Reveal()
	if text == "" {
		return nil
	}
	forms := []string{text}
	for _, encoding := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		forms = append(forms, encoding.EncodeToString([]byte(key+":"+text)), encoding.EncodeToString([]byte(text)))
	}
	for _, escaped := range []string{url.QueryEscape(text), url.PathEscape(text)} {
		forms = append(forms, escaped, percentEscape.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	escapedHTML, _ := json.Marshal(text) // a string always encodes
	for _, quoted := range [][]byte{escapedHTML, sanitize.QuoteJSON(text)} {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, redacted)
	}
	return strings.NewReplacer(pairs...).Replace
}

// percentEscape matches the escapes of a URL. Their digits may come in either case.
var percentEscape = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// redactText removes the secret from text, also where some of its characters are in
// percent encoding or HTML entities, and where invisible characters stand between
// them: a later step that decodes or removes those would restore it.
func (r redactor) redactText(text string) string {
	if r == nil {
		return text
	}
	clean := r(text)
	visible := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Co, r) { // private use: most fonts show nothing
			return -1
		}
		return r
	}, sanitize.Text(clean))
	if again := r(visible); again != visible {
		return again
	}
	for decoded := range decodings(visible) {
		if again := r(decoded); again != decoded {
			return again
		}
	}
	return clean
}

// maxDecodings is how often a text may have been encoded.
const maxDecodings = 3

// decodings yields a text with its percent encoding and HTML entities decoded, again
// and again as long as that changes something.
func decodings(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range maxDecodings {
			decoded := html.UnescapeString(percentDecode(text))
			if decoded == text || !yield(decoded) {
				return
			}
			text = decoded
		}
	}
}

// percentDecode decodes the escapes of a URL, and keeps everything else.
func percentDecode(text string) string {
	return percentEscape.ReplaceAllStringFunc(text, func(escape string) string {
		b, _ := strconv.ParseUint(escape[1:], 16, 8) // the pattern has two digits
		return string([]byte{byte(b)})
	})
}

// redactJSON removes the secret from the strings of a JSON text, where escapes may
// hide it. It keeps every other byte.
func (r redactor) redactJSON(raw json.RawMessage) json.RawMessage {
	if r == nil {
		return raw
	}
	return sanitize.MapJSONStrings(raw, r.redactText)
}

// redactFields redacts the names and the values of an object's members.
func (r redactor) redactFields(members map[string]json.RawMessage) map[string]json.RawMessage {
	if members == nil {
		return nil
	}
	clean := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		clean[r.redactText(name)] = r.redactJSON(value)
	}
	return clean
}
