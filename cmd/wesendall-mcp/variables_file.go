package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// dollarPlaceholder replaces $ while a file is parsed: godotenv expands $NAME, but a secret
// may contain a dollar sign.
const dollarPlaceholder = "\ue024"

// readEnvFile reads a file of NAME=value lines without expanding them. Its errors never
// quote a line.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses it
	if err != nil {
		return nil, err
	}
	if isUTF16(text) {
		return nil, fmt.Errorf("%s is in UTF-16: save it as UTF-8", path)
	}
	values, err := parseEnvFile(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of NAME=value lines%s", path, firstBadLine(string(text)))
	}
	return values, nil
}

// parseEnvFile parses NAME=value lines. The text may start with a byte order mark.
func parseEnvFile(text string) (map[string]string, error) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "$", dollarPlaceholder)
	values, err := godotenv.Unmarshal(text)
	if err != nil {
		return nil, err
	}
	for name, value := range values {
		values[name] = strings.ReplaceAll(value, dollarPlaceholder, "$")
	}
	return values, nil
}

// firstBadLine says which line is not NAME=value; "" if that is not certain.
func firstBadLine(text string) string {
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		match := assignmentPattern().FindStringSubmatch(line)
		if match == nil {
			return fmt.Sprintf(": see line %d", i+1)
		}
		if closest := closestVariable(match[1]); closest != "" {
			return fmt.Sprintf(": line %d must begin with %s=", i+1, closest)
		}
	}
	return ""
}

// isUTF16 tells whether a text is in UTF-16, as Windows PowerShell writes files.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) ||
		bytes.IndexByte(text, 0) >= 0
}

// unknownNamesIn returns an error for the names in a file that the program would ignore.
func unknownNamesIn(path string, values map[string]string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses it
	if err != nil {
		return err
	}
	if err = unknownNamesError(values, strings.TrimPrefix(string(text), "\ufeff")); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
