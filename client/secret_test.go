package client

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecret_Formats(t *testing.T) {
	t.Parallel()
	c, err := New(Options{APIKey: testKey, APISecret: NewSecret(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	secret := NewSecret(testSecret)
	var out strings.Builder
	for _, value := range []any{
		secret, &secret, c, *c, Options{APISecret: secret}, []Secret{secret},
		map[string]Secret{"a": secret}, struct{ hidden Secret }{secret},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, value)
		}
		text, _ := json.Marshal(value)
		out.Write(text)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
	}
	hex := fmt.Sprintf("%x", testSecret)
	if text := out.String(); strings.Contains(text, testSecret) || strings.Contains(text, hex) ||
		!strings.Contains(text, redacted) {
		t.Error(text)
	}
	if secret.Reveal() != testSecret || (Secret{}).Reveal() != "" {
		t.Error("the secret is lost")
	}
}
