package callers

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

	"github.com/wesendall/wesendall-mcp/guard"
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
	shortest    = 32 // characters of a token
	longestFile = 1 << 20
)

var (
	tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	tokenText = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // RFC 6750, 2.1
)

// token is one of the file. Its text is not kept.
type token struct {
	name     string
	hash     [sha256.Size]byte
	line     [sha256.Size]byte // all that stands in it
	limits   guard.Limits
	readOnly bool
}

// Tokens takes bearer tokens out of a file that the operator keeps, and has those
// who hold one use the server's own credentials.
type Tokens struct {
	path   string
	api    guard.API
	wallet string
	limits guard.Limits
	log    *slog.Logger

	mu     sync.Mutex
	tokens []token
	seen   os.FileInfo // nil: there is no file
}

// OpenTokens reads the file. What is wrong with it is said with the line, and
// never with what stands there.
func OpenTokens(path string, api guard.API, wallet string, limits guard.Limits, log *slog.Logger) (*Tokens, error) {
	t := &Tokens{path: path, api: api, wallet: wallet, limits: limits, log: log}
	info, text, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	t.seen = info
	if t.tokens, err = parseTokens(text, limits); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Challenge asks for a token.
func (*Tokens) Challenge() string { return `Bearer realm="wesendall"` }

// Identify finds the token that a request presents.
func (t *Tokens) Identify(h http.Header) (func(context.Context) (tools.Caller, error), error) {
	text, given, err := authorization(h, "Bearer")
	if err != nil || !given {
		return nil, err
	}
	found := t.find(text)
	if found == nil {
		return nil, errors.New("this token is not one that is taken here")
	}
	return func(context.Context) (tools.Caller, error) {
		wallet, err := walletOf(h)
		if err == nil && wallet != "" && wallet != t.wallet {
			err = errors.New("the " + tools.WalletHeader + " header names another wallet than this server's")
		}
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{ID: found.name, API: t.api, Wallet: t.wallet, Limits: &found.limits, ReadOnly: found.readOnly}, nil
	}, nil
}

// find compares with every token, so that the time tells nothing of any.
func (t *Tokens) find(text string) *token {
	hash := sha256.Sum256([]byte(text))
	var found *token
	all := t.current()
	for i := range all {
		if subtle.ConstantTimeCompare(hash[:], all[i].hash[:]) == 1 {
			found = &all[i]
		}
	}
	return found
}

// current are the tokens of the file as it is now. While it is broken those that
// it had before are taken, as far as they still stand in it; without a file
// nobody comes in.
func (t *Tokens) current() []token {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		if t.seen != nil {
			t.log.Error("the file of tokens is gone: no token is taken", "file", t.path)
		}
		t.seen, t.tokens = nil, nil
		return nil
	}
	if err != nil || t.seen != nil && os.SameFile(now, t.seen) && now.ModTime().Equal(t.seen.ModTime()) && now.Size() == t.seen.Size() && now.Mode() == t.seen.Mode() {
		return t.tokens
	}
	info, text, err := readTokens(t.path)
	t.seen = now
	if info != nil {
		t.seen = info
	}
	var tokens []token
	if err == nil {
		tokens, err = parseTokens(text, t.limits)
	}
	if err == nil {
		t.log.Info("the file of tokens was read again", "file", t.path, "tokens", len(tokens))
		t.tokens = tokens
		return tokens
	}
	t.log.Error("the file of tokens is broken: those that it had before are taken as far as their lines still stand in it", "file", t.path, "error", err)
	if info != nil {
		standing := map[[sha256.Size]byte]bool{}
		for line := range strings.SplitSeq(text, "\n") {
			standing[hashOf(fields(line))] = true
		}
		t.tokens = slices.DeleteFunc(slices.Clone(t.tokens), func(each token) bool { return !standing[each.line] })
	}
	return t.tokens
}

// readTokens reads a file that nobody else may.
func readTokens(path string) (info os.FileInfo, text string, err error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, "", err
	}
	all, err := io.ReadAll(io.LimitReader(file, longestFile+1))
	if err != nil {
		return info, "", err
	}
	text = string(all)
	switch {
	case len(all) > longestFile:
		err = fmt.Errorf("%s is longer than %d MiB", path, longestFile>>20)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		err = fmt.Errorf("%s may be read or written by everybody on this machine: chmod 600 it", path)
	}
	return info, text, err
}

// fields are what stands in a line, without comments.
func fields(line string) []string {
	if all := strings.Fields(line); len(all) > 0 && !strings.HasPrefix(all[0], "#") {
		return all
	}
	return nil
}

func hashOf(line []string) [sha256.Size]byte { return sha256.Sum256([]byte(strings.Join(line, " "))) }

// parseTokens reads the text of a file.
func parseTokens(text string, server guard.Limits) ([]token, error) {
	var tokens []token
	for i, line := range strings.Split(text, "\n") {
		all := fields(line)
		if all == nil {
			continue
		}
		each, err := parseToken(all, server)
		if err == nil && slices.ContainsFunc(tokens, func(other token) bool { return other.name == each.name || other.hash == each.hash }) {
			err = errors.New("the name or the token stands in an earlier line, too")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		tokens = append(tokens, each)
	}
	if len(tokens) == 0 {
		return nil, errors.New("there is no token in it")
	}
	return tokens, nil
}

// parseToken reads one line. Its errors quote nothing: what stands in the wrong
// place may be a token.
func parseToken(all []string, server guard.Limits) (token, error) {
	t := token{name: all[0], limits: guard.NoLimits()}
	switch {
	case !tokenName.MatchString(t.name):
		return t, errors.New("the name must be of letters, digits, dots, dashes and underscores, 64 at most")
	case len(all) < 2:
		return t, errors.New("the token is missing: a line is NAME TOKEN, and then limits")
	case len(all[1]) < shortest || len(all[1]) > longest:
		return t, fmt.Errorf("the token must have %d characters or more, and %d at most", shortest, longest)
	case !tokenText.MatchString(all[1]):
		return t, errors.New("the token has characters that no bearer token may have")
	}
	t.hash, t.line = sha256.Sum256([]byte(all[1])), hashOf(all)
	recipients := int64(t.limits.Recipients)
	type limit struct {
		own    *int64
		server int64
	}
	limits := map[string]limit{
		"max-per-call": {&t.limits.PerCall, server.PerCall}, "max-per-day": {&t.limits.PerDay, server.PerDay}, "max-topup": {&t.limits.TopUp, server.TopUp},
		"max-recipients": {&recipients, int64(server.Recipients)}, "confirm-above": {&t.limits.ConfirmAbove, server.ConfirmAbove},
	}
	given := map[string]bool{}
	for i, option := range all[2:] {
		name, value, valued := strings.Cut(option, "=")
		limit := limits[name]
		switch {
		case limit.own == nil && option != "read-only":
			return t, fmt.Errorf("field %d is no limit; there are max-per-call=, max-per-day=, max-topup=, max-recipients=, confirm-above= and read-only", i+3)
		case given[name]:
			return t, errors.New(name + " is given twice")
		}
		given[name] = true
		if limit.own == nil {
			t.readOnly = true
			continue
		}
		number, err := strconv.ParseUint(value, 10, 31)
		if !valued || err != nil {
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
