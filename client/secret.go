package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a text that no format prints. The text is behind a pointer, since
// fmt prints the unexported fields of a struct without asking their methods.
type Secret struct{ text *string }

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal is the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String is "[redacted]".
func (Secret) String() string { return redacted }

// Format prints "[redacted]" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText makes "[redacted]" of it in JSON, in text and as a map's key.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue makes "[redacted]" of it in a log.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// scrub takes the secret out of a text that came from elsewhere: as it is, as it
// travels in a header, in a URL, and in JSON.
func (c *Client) scrub(text string) string {
	secret := c.secret.Reveal()
	if secret == "" {
		return text
	}
	forms := []string{
		base64.StdEncoding.EncodeToString([]byte(c.key + ":" + secret)), redacted,
		secret, redacted, url.QueryEscape(secret), redacted, url.PathEscape(secret), redacted,
	}
	for _, escaped := range []bool{true, false} {
		var literal strings.Builder
		encoder := json.NewEncoder(&literal)
		encoder.SetEscapeHTML(escaped)
		if encoder.Encode(secret) == nil {
			forms = append(forms, strings.Trim(strings.TrimSpace(literal.String()), `"`), redacted)
		}
	}
	return strings.NewReplacer(forms...).Replace(text)
}

// scrubJSON does the same to JSON, whose form it keeps.
func (c *Client) scrubJSON(text json.RawMessage) json.RawMessage {
	if clean := c.scrub(string(text)); json.Valid([]byte(clean)) {
		return json.RawMessage(clean)
	}
	return json.RawMessage(`"` + redacted + `"`)
}

func (c *Client) scrubAll(members map[string]json.RawMessage) map[string]json.RawMessage {
	for name, value := range members {
		members[name] = c.scrubJSON(value)
	}
	return members
}
