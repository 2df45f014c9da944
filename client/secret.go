package client

import (
	"fmt"
	"io"
	"log/slog"
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
