package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
)

// minRedactedLen keeps a short test secret from blanking out ordinary words.
const minRedactedLen = 8

// secretPattern matches what looks like an API secret, where the secret itself is not known.
var secretPattern = lazyregexp.New(`(?i)\bws_(secret|live|test)_\w`)

// secret returns the API secret that the variables set, if it is long enough to look for.
func (v *variables) secret() string {
	if v == nil {
		return ""
	}
	secret, _ := v.lookup(envAPISecret)
	if secret = strings.TrimSpace(secret); secret == "" {
		if path, _ := v.lookup(envAPISecretFile); path != "" {
			secret, _ = readSecretFile(path)
		}
	}
	if len(secret) < minRedactedLen {
		return ""
	}
	return secret
}

// holdsSecret tells whether the value of a setting is or contains an API secret, which must
// not be shown.
func (v *variables) holdsSecret(value string) bool {
	secret := v.secret()
	return secretPattern().MatchString(value) || secret != "" && strings.Contains(value, secret)
}

// misplacedSecretError names a setting that has the API secret as its value.
func misplacedSecretError(name string) error {
	return fmt.Errorf("%s contains an API secret, which belongs in %s or %s", name, envAPISecret, envAPISecretFile)
}

// redact removes the API secret from a text.
func (v *variables) redact(text string) string {
	return client.Redact(client.NewSecret(v.secret()), text)
}

// redactingWriter removes the API secret from everything that is logged. A setting that the
// secret was pasted into may be quoted anywhere.
type redactingWriter struct {
	w      io.Writer
	config *Config
}

func (r redactingWriter) Write(line []byte) (int, error) {
	if _, err := io.WriteString(r.w, r.config.variables.redact(string(line))); err != nil {
		return 0, err
	}
	return len(line), nil
}
