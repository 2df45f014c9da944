package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wesendall/wesendall-mcp/internal/guard"
	"github.com/wesendall/wesendall-mcp/tools"
)

// The file of tokens has one a line, with the name that the ledger knows its
// holder by:
//
//	NAME TOKEN [max-per-call=UGX] [max-per-day=UGX] [max-topup=UGX]
//	           [max-recipients=N] [confirm-above=UGX] [read-only]
//
// Empty lines, and those that begin with #, mean nothing. A limit may be lower
// than the server's own, and never higher.
const (
	minTokenLen       = 32 // characters of a token
	maxTokenFileBytes = 1 << 20
)

var (
	tokenNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	tokenPattern     = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750, 2.1
)

// token is one of the file. Its text is not kept.
type token struct {
	name     string
	hash     [sha256.Size]byte
	lineHash [sha256.Size]byte // all that stands in it
	limits   guard.Limits
	readOnly bool
}

// TokenFile takes bearer tokens out of a file that the operator keeps, and has those
// who hold one use the server's own credentials.
type TokenFile struct {
	path   string
	client guard.API
	wallet string
	limits guard.Limits
	log    *slog.Logger

	mu       sync.Mutex
	tokens   []token
	lastInfo os.FileInfo // nil: there is no file
}

// OpenTokenFile reads the file. What is wrong with it is said with the line, and
// never with what stands there.
func OpenTokenFile(path string, api guard.API, wallet string, limits guard.Limits, log *slog.Logger) (*TokenFile, error) {
	f := &TokenFile{path: path, client: api, wallet: wallet, limits: limits, log: log}
	info, content, err := readTokenFile(path)
	if err != nil {
		return nil, err
	}
	f.lastInfo = info
	if f.tokens, err = parseTokenFile(content, limits); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Challenge asks for a token.
func (*TokenFile) Challenge() string { return `Bearer realm="wesendall"` }

// Authenticate finds the token that a request presents.
func (f *TokenFile) Authenticate(h http.Header) (func(context.Context) (tools.Caller, error), error) {
	bearer, present, err := authorizationHeader(h, "Bearer")
	if err != nil || !present {
		return nil, err
	}
	match := f.lookup(bearer)
	if match == nil {
		return nil, errors.New("this token is not one that is taken here")
	}
	return func(context.Context) (tools.Caller, error) {
		wallet, err := walletHeader(h)
		if err == nil && wallet != "" && wallet != f.wallet {
			err = errors.New("the " + tools.WalletHeader + " header names another wallet than this server's")
		}
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{ID: match.name, Client: f.client, Wallet: f.wallet, Limits: &match.limits, ReadOnly: match.readOnly}, nil
	}, nil
}

// lookup compares with every token, so that the time tells nothing of any.
func (f *TokenFile) lookup(bearer string) *token {
	hash := sha256.Sum256([]byte(bearer))
	var match *token
	tokens := f.reload()
	for i := range tokens {
		if subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]) == 1 {
			match = &tokens[i]
		}
	}
	return match
}

// reload are the tokens of the file as it is now. While it is broken those that
// it had before are taken, as far as they still stand in it; without a file
// nobody comes in.
func (f *TokenFile) reload() []token {
	f.mu.Lock()
	defer f.mu.Unlock()
	stat, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.lastInfo != nil {
			f.log.Error("the file of tokens is gone: no token is taken", "file", f.path)
		}
		f.lastInfo, f.tokens = nil, nil
		return nil
	}
	if err != nil || f.lastInfo != nil && os.SameFile(stat, f.lastInfo) && stat.ModTime().Equal(f.lastInfo.ModTime()) && stat.Size() == f.lastInfo.Size() && stat.Mode() == f.lastInfo.Mode() {
		return f.tokens
	}
	info, content, err := readTokenFile(f.path)
	f.lastInfo = stat
	if info != nil {
		f.lastInfo = info
	}
	var tokens []token
	if err == nil {
		tokens, err = parseTokenFile(content, f.limits)
	}
	if err == nil {
		f.log.Info("the file of tokens was read again", "file", f.path, "tokens", len(tokens))
		f.tokens = tokens
		return tokens
	}
	f.log.Error("the file of tokens is broken: those that it had before are taken as far as their lines still stand in it", "file", f.path, "error", err)
	if info != nil {
		presentLines := map[[sha256.Size]byte]bool{}
		for line := range strings.SplitSeq(content, "\n") {
			presentLines[lineHash(splitLine(line))] = true
		}
		f.tokens = slices.DeleteFunc(slices.Clone(f.tokens), func(tok token) bool { return !presentLines[tok.lineHash] })
	}
	return f.tokens
}

// readTokenFile reads a file that nobody else may.
func readTokenFile(path string) (info os.FileInfo, content string, err error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxTokenFileBytes+1))
	if err != nil {
		return info, "", err
	}
	content = string(data)
	switch {
	case len(data) > maxTokenFileBytes:
		err = fmt.Errorf("%s is longer than %d MiB", path, maxTokenFileBytes>>20)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		err = fmt.Errorf("%s may be read or written by everybody on this machine: chmod 600 it", path)
	}
	return info, content, err
}

// splitLine are what stands in a line, without comments.
func splitLine(line string) []string {
	if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
		return fields
	}
	return nil
}

func lineHash(fields []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(fields, " ")))
}

// parseTokenFile reads the text of a file.
func parseTokenFile(content string, serverLimits guard.Limits) ([]token, error) {
	var tokens []token
	for i, line := range strings.Split(content, "\n") {
		fields := splitLine(line)
		if fields == nil {
			continue
		}
		tok, err := parseTokenLine(fields, serverLimits)
		if err == nil && slices.ContainsFunc(tokens, func(other token) bool { return other.name == tok.name || other.hash == tok.hash }) {
			err = errors.New("the name or the token stands in an earlier line, too")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		tokens = append(tokens, tok)
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return tokens, nil
}

// parseTokenLine reads one line. Its errors quote nothing: what stands in the wrong
// place may be a token.
func parseTokenLine(fields []string, server guard.Limits) (token, error) {
	t := token{name: fields[0], limits: guard.Unlimited()}
	switch {
	case !tokenNamePattern.MatchString(t.name):
		return t, errors.New("the name must be of letters, digits, dots, dashes and underscores, 64 at most")
	case len(fields) < 2:
		return t, errors.New("the token is missing: a line is NAME TOKEN, and then limits")
	case len(fields[1]) < minTokenLen || len(fields[1]) > maxCredentialLen:
		return t, fmt.Errorf("the token must have %d characters or more, and %d at most", minTokenLen, maxCredentialLen)
	case !tokenPattern.MatchString(fields[1]):
		return t, errors.New("the token has characters that no bearer token may have")
	}
	t.hash, t.lineHash = sha256.Sum256([]byte(fields[1])), lineHash(fields)
	recipients := int64(t.limits.Recipients)
	type limit struct {
		own    *int64
		server int64
	}
	limits := map[string]limit{
		"max-per-call": {&t.limits.PerCall, server.PerCall}, "max-per-day": {&t.limits.PerDay, server.PerDay}, "max-topup": {&t.limits.TopUp, server.TopUp},
		"max-recipients": {&recipients, int64(server.Recipients)}, "confirm-above": {&t.limits.ConfirmAbove, server.ConfirmAbove},
	}
	seen := map[string]bool{}
	for i, option := range fields[2:] {
		name, value, hasValue := strings.Cut(option, "=")
		limit := limits[name]
		switch {
		case limit.own == nil && option != "read-only":
			return t, fmt.Errorf("field %d is no limit; there are max-per-call=, max-per-day=, max-topup=, max-recipients=, confirm-above= and read-only", i+3)
		case seen[name]:
			return t, errors.New(name + " is given twice")
		}
		seen[name] = true
		if limit.own == nil {
			t.readOnly = true
			continue
		}
		number, err := strconv.ParseUint(value, 10, 31)
		if !hasValue || err != nil {
			return t, errors.New(name + "= must be followed by a whole number")
		}
		if int64(number) > limit.server { //nolint:gosec // of 31 bits
			return t, fmt.Errorf("%s is above the server's own limit of %d", name, limit.server)
		}
		*limit.own = int64(number) //nolint:gosec // of 31 bits
	}
	t.limits.Recipients = int(recipients)
	return t, nil
}
