package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/wesendall/wesendall-mcp/internal/guard"
)

// A line of the token file has a name, a token, and what its holder may do:
//
//	NAME TOKEN [id=ID] [max-per-call=UGX] [max-per-day=UGX] [max-topup=UGX]
//	           [max-recipients=N] [confirm-above=UGX] [read-only]
//
// The ledger knows the holder by the id, so that the name can change. Without an id it
// is the name. Empty lines and lines that begin with # are ignored. A limit may be
// lower than the server's own, never higher.

const (
	minTokenLen     = 32 // characters
	maxTokenNameLen = 64
)

var (
	tokenNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	tokenPattern     = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750, 2.1
)

// token is one line of the file. The token's text is not kept.
type token struct {
	name     string
	id       string // in the ledger
	hasID    bool   // the line has one
	hash     [sha256.Size]byte
	lineHash [sha256.Size]byte // of the whole line
	limits   guard.Limits
	readOnly bool
}

func parseTokenFile(content string, serverLimits guard.Limits) ([]token, error) {
	var tokens []token
	for i, line := range strings.Split(content, "\n") {
		fields := splitLine(line)
		if fields == nil {
			continue
		}
		t, err := parseTokenLine(fields, serverLimits)
		if err == nil {
			err = t.checkUnique(tokens)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		tokens = append(tokens, t)
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return tokens, nil
}

// checkUnique compares a token with those of earlier lines.
func (t token) checkUnique(earlier []token) error {
	for _, other := range earlier {
		switch {
		case other.name == t.name || other.hash == t.hash:
			return errors.New("an earlier line has the same name or token")
		case other.id == t.id:
			return errors.New("an earlier line has the same id (without id= it is the name)")
		}
	}
	return nil
}

// splitLine returns the fields of a line, or nil if it is empty or a comment.
func splitLine(line string) []string {
	if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
		return fields
	}
	return nil
}

func hashLine(fields []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(fields, " ")))
}

// parseTokenLine reads one line. Its errors quote nothing, because any field may be a token in
// the wrong place.
func parseTokenLine(fields []string, serverLimits guard.Limits) (token, error) {
	t := token{name: fields[0], id: fields[0], limits: guard.Unlimited()}
	switch {
	case len(t.name) > maxTokenNameLen || !tokenNamePattern.MatchString(t.name):
		return t, errors.New("the name must have 1 to 64 letters, digits, dots, dashes and underscores")
	case len(fields) < 2:
		return t, errors.New("the token is missing: a line is NAME TOKEN, then limits")
	case len(fields[1]) < minTokenLen || len(fields[1]) > maxCredentialLen:
		return t, fmt.Errorf("the token must have %d to %d characters", minTokenLen, maxCredentialLen)
	case !tokenPattern.MatchString(fields[1]):
		return t, errors.New("the token has characters that no bearer token may have")
	case strings.Contains(strings.Join(fields[2:], " ")+" "+t.name, fields[1]):
		return t, errors.New("the token is also the name or another field, where it would be shown")
	}
	t.hash, t.lineHash = sha256.Sum256([]byte(fields[1])), hashLine(fields)
	err := t.applyOptions(fields[2:], serverLimits)
	return t, err
}

// applyOptions reads what follows the token in its line.
func (t *token) applyOptions(options []string, server guard.Limits) error {
	recipients := int64(t.limits.Recipients)
	limits := map[string]struct {
		own *int64
		max int64
	}{
		"max-per-call":   {&t.limits.PerCall, server.PerCall},
		"max-per-day":    {&t.limits.PerDay, server.PerDay},
		"max-topup":      {&t.limits.TopUp, server.TopUp},
		"max-recipients": {&recipients, int64(server.Recipients)},
		"confirm-above":  {&t.limits.ConfirmAbove, server.ConfirmAbove},
	}
	seen := map[string]bool{}
	for i, option := range options {
		name, value, hasValue := strings.Cut(option, "=")
		limit, isLimit := limits[name]
		isID := name == "id" && hasValue
		switch {
		case isID && (len(value) > maxTokenNameLen || !tokenNamePattern.MatchString(value)):
			return errors.New("id= must be followed by 1 to 64 letters, digits, dots, dashes and underscores")
		case !isLimit && !isID && option != "read-only":
			return fmt.Errorf("field %d is not a limit: there are id=, max-per-call=, max-per-day=, max-topup=, "+
				"max-recipients=, confirm-above= and read-only", i+3)
		case seen[name]:
			return errors.New(name + " is given twice")
		}
		seen[name] = true
		if isID {
			t.id, t.hasID = value, true
			continue
		}
		if !isLimit {
			t.readOnly = true
			continue
		}
		number, err := strconv.ParseUint(value, 10, 31)
		if !hasValue || err != nil {
			return errors.New(name + "= must be followed by a whole number")
		}
		if int64(number) > limit.max { //nolint:gosec // of 31 bits
			return fmt.Errorf("%s is above the server's own limit of %d", name, limit.max)
		}
		*limit.own = int64(number) //nolint:gosec // of 31 bits
	}
	t.limits.Recipients = int(recipients)
	return nil
}
