package client

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a text that no format prints. It is behind a pointer, because fmt
// prints the unexported fields of a struct without calling their methods.
type Secret struct{ text *string }

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// Format prints "[redacted]" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText writes "[redacted]" in JSON, in text and as the key of a map.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue writes "[redacted]" in a log.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
